//! What the input makes happen to one tunnel, in order. Refuses to know what should come of it.
//!
//! Any input of eleven bytes is a script: they set the tunnel up, the rest are operations, each a
//! byte of kind, side and argument, and what its kind reads behind it.

use super::peer::End;
use capsem_ws_codec::{Deflate, FrameHead, Limits, Opcode, Role, encode_frame};
use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    iter,
    time::Duration,
};

/// Most bytes one side sends: more than a message that is held may have on the wire.
const MOST: usize = 192 * 1024;
/// The same of compressed ones, in which the naive reader is quadratic.
const MOST_COMPRESSED: usize = 2048;
/// What the frames of a client are masked with.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Bytes the tunnel reads at once.
const CHUNK: usize = 64 * 1024;
/// Bytes of a message that is held beside its payload.
pub(super) const HEADS: usize = 128 * 1024;
/// Seconds that may pass at once: less and more than each deadline of the tunnel.
const SECONDS: [u64; 8] = [0, 1, 4, 6, 11, 29, 31, 61];

/// One input, read.
#[derive(Debug)]
pub(super) struct Script {
    /// A number that no input can hold, since it is the hash of the whole of it.
    pub(super) mark: u64,
    pub(super) deflate: Option<Deflate>,
    pub(super) limits: Limits,
    pub(super) idle_timeout: Duration,
    /// Seed of the cuts in the second run.
    pub(super) cut: u8,
    /// What becomes of the messages of the client, and of the server.
    plans: [Plan; 2],
    pub(super) ops: Vec<Op>,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// A side sends bytes.
    Send(Role, Vec<u8>),
    /// A side ends.
    End(Role, End),
    /// A side takes so many bytes more and then none, or as many as come.
    Take(Role, Option<usize>),
    /// Time passes.
    Wait(Duration),
    /// One message of a side that awaits its verdict has it.
    Judge(Role, Verdict),
    /// The host takes no more until it is said to.
    Pause(bool),
    /// The host ends the tunnel.
    Revoke,
    /// The tunnel is to finish.
    Drain,
    /// The tunnel's future is dropped.
    Drop,
}

/// What the host does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is not held.
    Flow,
    /// It goes on.
    Forward,
    /// It is refused, and the client told in its place.
    Answer,
    /// It is refused, and nobody told.
    Silence,
    /// The tunnel ends.
    Close,
    /// An [`Op::Judge`] will say.
    Wait,
}

impl Verdict {
    /// What a message that waited may hear.
    const FINAL: [Self; 4] = [Self::Forward, Self::Answer, Self::Silence, Self::Close];
}

/// What the host does with the messages of one side, one after the other and around again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan([u8; 4]);

impl Plan {
    /// Of a message that is held whole.
    pub(super) fn verdict(self, message: usize) -> Verdict {
        match self.byte(message) & 7 {
            0 | 1 => Verdict::Flow,
            2 => Verdict::Forward,
            3 => Verdict::Answer,
            4 => Verdict::Silence,
            5 => Verdict::Close,
            _ => Verdict::Wait,
        }
    }

    /// Of a message that is longer than may be held.
    pub(super) fn unjudged(self, message: usize) -> Verdict {
        match self.byte(message) >> 3 & 3 {
            0 => Verdict::Close,
            1 => Verdict::Forward,
            2 => Verdict::Answer,
            _ => Verdict::Silence,
        }
    }

    /// Bytes of a message that may be held; `None` where it flows.
    pub(super) fn hold(self, message: usize) -> Option<usize> {
        let most = if self.byte(message) & 0x20 == 0 { 4096 } else { 16 };
        (self.verdict(message) != Verdict::Flow).then_some(most)
    }

    /// Whether a message may be refused.
    fn refuses(self) -> bool {
        let kind = |message| (self.verdict(message), self.unjudged(message));
        let passes =
            |kind| matches!(kind, (Verdict::Flow, _) | (Verdict::Forward, Verdict::Forward));
        !(0..self.0.len()).map(kind).all(passes)
    }

    /// Bytes that may be kept of a side whose messages are not refused: a chunk that was read and,
    /// where messages are held, one of those.
    pub(super) fn most_kept(self) -> usize {
        let held = (0..self.0.len()).filter_map(|message| self.hold(message)).max();
        CHUNK + held.map_or(0, |most| most + HEADS + CHUNK)
    }

    fn byte(self, message: usize) -> u8 {
        self.0[message % self.0.len()]
    }
}

impl Script {
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let (&[setup, limits, cut], rest) = data.split_first_chunk()?;
        let (&client, rest) = rest.split_first_chunk()?;
        let (&server, mut rest) = rest.split_first_chunk()?;
        let most = if setup & 1 == 0 { MOST } else { MOST_COMPRESSED };
        let mut sent = [most; 2].map(|left| Sent { left, last: Vec::new() });
        let mut hasher = DefaultHasher::new();
        data.hash(&mut hasher);
        Some(Self {
            mark: hasher.finish(),
            deflate: (setup & 1 != 0).then(|| Deflate {
                client_no_context_takeover: setup & 2 != 0,
                server_no_context_takeover: setup & 4 != 0,
                ..Deflate::default()
            }),
            limits: small(limits),
            idle_timeout: Duration::from_secs(if setup & 8 == 0 { 0 } else { 10 }),
            cut,
            plans: [Plan(client), Plan(server)],
            ops: iter::from_fn(|| Op::read(&mut rest, &mut sent)).collect(),
        })
    }

    pub(super) fn plan(&self, from: Role) -> Plan {
        self.plans[index(from)]
    }

    /// The bytes `side` sends.
    pub(super) fn sent(&self, side: Role) -> Vec<u8> {
        let sends = self.ops.iter().filter_map(|op| match op {
            Op::Send(from, bytes) if *from == side => Some(&bytes[..]),
            _ => None,
        });
        sends.collect::<Vec<_>>().concat()
    }

    /// How many bytes `side` has sent each time it falls silent.
    pub(super) fn pauses(&self, side: Role) -> Vec<usize> {
        let sends = self.ops.iter().filter_map(|op| match op {
            Op::Send(from, bytes) if *from == side => Some(bytes.len()),
            _ => None,
        });
        let sum = |sum: &mut usize, len| {
            *sum += len;
            Some(*sum)
        };
        sends.scan(0, sum).collect()
    }

    /// How `side` ends, if it does.
    pub(super) fn end(&self, side: Role) -> Option<End> {
        self.ops.iter().find_map(|op| match op {
            Op::End(of, end) if *of == side => Some(*end),
            _ => None,
        })
    }

    /// Whether a message may be refused.
    pub(super) fn refuses(&self) -> bool {
        self.plans.iter().any(|plan| plan.refuses())
    }

    pub(super) fn has(&self, what: impl Fn(&Op) -> bool) -> bool {
        self.ops.iter().any(what)
    }

    /// The verdicts on messages of `from` that wait, in order.
    pub(super) fn judged(&self, from: Role) -> impl Iterator<Item = Verdict> {
        self.ops.iter().filter_map(move |op| match op {
            Op::Judge(of, verdict) if *of == from => Some(*verdict),
            _ => None,
        })
    }
}

impl Op {
    /// The next operation; `None` at the end, or where what belongs to one is missing.
    fn read(rest: &mut &[u8], sent: &mut [Sent; 2]) -> Option<Self> {
        let byte = next(rest)?;
        let side = if byte & 1 == 0 { Role::Client } else { Role::Server };
        let (kind, argument) = (byte >> 1 & 7, usize::from(byte >> 4));
        let sent = &mut sent[index(side)];
        Some(match kind {
            0 => Self::Send(side, sent.once(frame(side, next(rest)?, piece(rest)?))),
            1 => Self::Send(side, sent.once(piece(rest)?.to_vec())),
            2 => Self::Send(side, sent.again(1 << argument)),
            3 => Self::End(side, sent.end(End::ALL[argument % End::ALL.len()])),
            4 => Self::Take(side, Some(next(rest)?).filter(|few| *few < u8::MAX).map(usize::from)),
            5 => Self::Wait(Duration::from_secs(SECONDS[argument % SECONDS.len()])),
            6 => Self::Judge(side, Verdict::FINAL[argument % Verdict::FINAL.len()]),
            _ => match argument % 5 {
                0 => Self::Pause(true),
                1 => Self::Pause(false),
                2 => Self::Revoke,
                3 => Self::Drain,
                _ => Self::Drop,
            },
        })
    }
}

/// What a side may send yet, and what it sent last.
struct Sent {
    left: usize,
    last: Vec<u8>,
}

impl Sent {
    fn once(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        self.last = bytes;
        self.again(1)
    }

    fn again(&mut self, times: usize) -> Vec<u8> {
        let times = times.min(self.left / self.last.len().max(1));
        self.left -= times * self.last.len();
        self.last.repeat(times)
    }

    /// Who has ended sends no more.
    fn end(&mut self, end: End) -> End {
        self.left = 0;
        end
    }
}

/// A frame of `side`: its first byte, without what is no opcode, and its payload.
fn frame(side: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let head = FrameHead {
        fin: first & 0x80 != 0,
        rsv1: first & 0x40 != 0,
        opcode: Opcode::try_from(first & 0x0f).unwrap_or(Opcode::Binary),
        mask: (side == Role::Client).then_some(MASK),
        len: 0,
    };
    let mut frame = Vec::new();
    encode_frame(head, payload, &mut frame);
    frame
}

fn next(rest: &mut &[u8]) -> Option<u8> {
    let (first, others) = rest.split_first()?;
    *rest = others;
    Some(*first)
}

/// A byte of length, and as many bytes as there are of it.
fn piece<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::from(next(rest)?).min(rest.len());
    let (piece, others) = rest.split_at(len);
    *rest = others;
    Some(piece)
}

pub(super) fn index(role: Role) -> usize {
    match role {
        Role::Client => 0,
        Role::Server => 1,
    }
}

/// Limits that are met. The naive reader is quadratic in a message.
fn small(pick: u8) -> Limits {
    let or = |bit: u8, small, large| if pick & bit == 0 { large } else { small };
    Limits {
        frame: or(1, 64, 1 << 20),
        message: or(2, 100, 4096),
        fragments: if pick & 4 == 0 { 1 << 20 } else { 3 },
        inflate: or(8, 80, 4096),
        capture: if pick & 16 == 0 { 4096 } else { 10 },
    }
}
