//! Holds the messages of one direction until the host has judged them.
//!
//! A message's frames are parked as they come, and go on, or not, once its last byte was seen;
//! control frames among them pass it by. Refuses to know what a verdict is made of, and does no I/O.

use super::{
    close::Cause,
    hooks::Hooks,
    session::{Judging, Refusal},
};
use capsem_ws_codec::{Counters, Item, Message, Opcode, Reader, Role, encode_data};
use std::{fmt, mem};

/// Bytes of frame heads that a held message may have beside its payload: those of 8192 fragments.
const HEADS: usize = 128 * 1024;
/// The longest control frame: head, mask and payload (RFC 6455 section 5.5).
const CONTROL_FRAME: usize = 2 + 4 + 125;

/// What a host says of a message that was held.
#[non_exhaustive]
pub enum Gate {
    /// It goes on, as it came.
    Forward,
    /// It goes no further, and the socket stays. Where leaving it out would spoil the compression
    /// of what comes after, the tunnel ends as with [`Close`](Self::Close).
    Refuse {
        /// Why.
        refusal: Refusal,
        /// What the client is told, in a text message of its own; nothing, if it is empty.
        answer: String,
    },
    /// The tunnel ends: 1008 to the client, 1001 to upstream.
    Close(Refusal),
    /// It is not known yet. The direction stands still until it is, but for control frames, and
    /// the other one flows.
    Wait(Judging),
}

/// The gate of one direction.
pub(super) struct Holder {
    from: Role,
    /// Leaving out a compressed message would spoil the next.
    takeover: bool,
    /// What came of the message under way and has not gone on.
    parked: Vec<u8>,
    /// What is to be written.
    out: Vec<u8>,
    amid_frame: bool,
    state: State,
    /// What was read and did not go on.
    withheld: Counters,
    /// What had been read when the message under way began.
    began: Counters,
    /// Control frames that passed it by since.
    aside: Counters,
}

enum State {
    /// Between messages, or inside one that flows as it comes.
    Flowing,
    /// Inside a message that is held, up to so many bytes.
    Holding(usize),
    /// Inside a message that goes no further.
    Dropping,
    /// A whole message waits for its verdict.
    Waiting { judging: Judging, kept: Kept },
}

/// A message as it is shown again once its verdict is known.
struct Kept {
    payload: Vec<u8>,
    opcode: Opcode,
    len: u64,
    wire_len: u64,
    fragments: u32,
    compressed: bool,
    truncated: bool,
}

impl Holder {
    pub(super) fn new(from: Role, takeover: bool) -> Self {
        let (parked, out) = (Vec::new(), Vec::new());
        let [withheld, began, aside] = [Counters::default(); 3];
        let (amid_frame, state) = (false, State::Flowing);
        Self { from, takeover, parked, out, amid_frame, state, withheld, began, aside }
    }

    /// What of `read`, the totals of the reader, went on.
    pub(super) fn passed(&self, read: Counters) -> Counters {
        let mut withheld = self.withheld;
        if let State::Waiting { kept, .. } = &self.state {
            withheld.messages += 1;
            withheld.message_bytes += kept.len;
        }
        if matches!(self.state, State::Flowing) {
            withheld.wire_bytes += self.parked.len() as u64;
        } else {
            // All since the message began, but for the control frames that passed it by.
            let Self { began, aside, .. } = self;
            withheld.frames += read.frames - began.frames - aside.frames;
            withheld.wire_bytes += read.wire_bytes - began.wire_bytes - aside.wire_bytes;
        }
        Counters {
            frames: read.frames.saturating_sub(withheld.frames),
            messages: read.messages.saturating_sub(withheld.messages),
            message_bytes: read.message_bytes.saturating_sub(withheld.message_bytes),
            wire_bytes: read.wire_bytes.saturating_sub(withheld.wire_bytes),
        }
    }

    /// Moves what is to be written behind what still is.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) {
        hand_on(&mut self.out, out);
    }

    /// Takes the last `len` bytes back from what is to be written; false if they are not there.
    pub(super) fn keep_back(&mut self, len: usize) -> bool {
        let whole = self.out.len().checked_sub(len);
        if let Some(rest) = whole {
            self.out.truncate(rest);
        }
        whole.is_some()
    }

    /// Whether a verdict is awaited.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    /// Whether what was let through ends inside a frame.
    pub(super) fn amid_frame(&self) -> bool {
        self.amid_frame
    }

    /// Reads a slice up to its end, to what ends the direction, or to a message that must wait
    /// behind another one.
    pub(super) fn read(
        &mut self,
        reader: &mut Reader,
        slice: &mut &[u8],
        hooks: &Hooks<'_>,
    ) -> Option<Cause> {
        let mut end = None;
        while end.is_none() && !slice.is_empty() && !self.is_blocked(reader, slice) {
            let between = !reader.in_message() && reader.frame_consumed() == 0;
            if between && !self.is_waiting() {
                self.state = hooks.hold(self.from).map_or(State::Flowing, State::Holding);
                (self.began, self.aside) = (reader.counters(), Counters::default());
            }
            let before = *slice;
            let item = reader.read(slice);
            let used = before.get(..before.len() - slice.len()).unwrap_or_default();
            end = match item {
                Ok(item) => {
                    self.parked.extend_from_slice(used);
                    self.item(item, hooks)
                }
                Err(error) => {
                    self.violation(reader, used);
                    return Some(Cause::Violation { by: self.from, error });
                }
            };
            end = end.or_else(|| self.bound(reader, hooks));
            self.amid_frame = matches!(self.state, State::Flowing) && reader.frame_consumed() > 0;
        }
        end
    }

    /// Resolves when the verdict that was awaited is carried out; at once, if none is. Cancel safe.
    pub(super) async fn judged(&mut self, hooks: &Hooks<'_>) -> Option<Cause> {
        let State::Waiting { judging, .. } = &mut self.state else { return None };
        let gate = judging.await;
        let State::Waiting { kept, .. } = mem::replace(&mut self.state, State::Flowing) else {
            return None;
        };
        self.carry_out(gate, &kept.message(), hooks)
    }

    /// Behind a message that waits only pings and pongs may pass: a Close is the last its side says.
    fn is_blocked(&self, reader: &Reader, slice: &[u8]) -> bool {
        const CONTROL: u8 = 0b1000;
        const CLOSE: u8 = Opcode::Close as u8;
        self.is_waiting()
            && reader.frame_consumed() == 0
            && slice.first().is_some_and(|first| first & CONTROL == 0 || first & 0x0f == CLOSE)
    }

    /// Of the frame at fault nothing more goes on; of a message that was held, nothing at all.
    fn violation(&mut self, reader: &Reader, used: &[u8]) {
        let amid = usize::try_from(reader.frame_consumed()).unwrap_or(usize::MAX);
        if matches!(self.state, State::Flowing) {
            let good = used.len().saturating_sub(amid);
            self.out.extend_from_slice(used.get(..good).unwrap_or_default());
            self.withheld.wire_bytes += (used.len() - good) as u64;
            self.amid_frame = amid > used.len();
        }
        self.parked = Vec::new();
    }

    fn item(&mut self, item: Option<Item<'_>>, hooks: &Hooks<'_>) -> Option<Cause> {
        match item {
            None => {
                if matches!(self.state, State::Flowing) {
                    hand_on(&mut self.parked, &mut self.out);
                }
                None
            }
            Some(Item::Ping(payload) | Item::Pong(payload)) => {
                self.pass_by(payload.len());
                None
            }
            Some(Item::Close(close)) => {
                let (code, reason) = (close.code.map(u16::from), close.reason.to_owned());
                self.pass_by(if code.is_some() { 2 + reason.len() } else { 0 });
                // What it cuts short is no message and never was judged.
                self.parked = Vec::new();
                Some(Cause::Closed { by: self.from, code, reason })
            }
            Some(Item::Message(message)) => self.message(&message, hooks),
        }
    }

    /// Lets the control frame that `parked` ends with go ahead of the rest.
    fn pass_by(&mut self, payload: usize) {
        let head = match self.from {
            Role::Client => 6,
            Role::Server => 2,
        };
        if matches!(self.state, State::Flowing) {
            return hand_on(&mut self.parked, &mut self.out);
        }
        self.aside.frames += 1;
        self.aside.wire_bytes += (head + payload) as u64;
        let at = self.parked.len().saturating_sub(head + payload);
        self.out.extend_from_slice(self.parked.get(at..).unwrap_or_default());
        self.parked.truncate(at);
    }

    fn message(&mut self, message: &Message<'_>, hooks: &Hooks<'_>) -> Option<Cause> {
        match mem::replace(&mut self.state, State::Flowing) {
            State::Holding(most) => {
                let whole = !message.truncated && message.len <= most as u64;
                let gate = if whole {
                    hooks.judge(self.from, message)
                } else {
                    hooks.unjudged(self.from, message.len)
                };
                self.carry_out(gate, message, hooks)
            }
            State::Flowing => {
                hand_on(&mut self.parked, &mut self.out);
                hooks.message(self.from, message);
                None
            }
            State::Dropping => {
                count(&mut self.withheld, message);
                self.parked.clear();
                None
            }
            // The reader is kept from any other message while one waits.
            waiting @ State::Waiting { .. } => {
                self.state = waiting;
                None
            }
        }
    }

    /// Does what was said of a whole message.
    fn carry_out(&mut self, gate: Gate, message: &Message<'_>, hooks: &Hooks<'_>) -> Option<Cause> {
        if let Gate::Wait(judging) = gate {
            self.state = State::Waiting { judging, kept: Kept::of(message) };
            return None;
        }
        let mut frames = self.take_message(message);
        match gate {
            Gate::Forward | Gate::Wait(_) => {
                hand_on(&mut frames, &mut self.out);
                hooks.message(self.from, message);
                None
            }
            Gate::Refuse { refusal, answer } => {
                count(&mut self.withheld, message);
                hooks.refused(self.from, message, &refusal);
                if self.takeover && message.compressed {
                    return Some(Cause::Refused(refusal));
                }
                self.answer(&answer, hooks);
                None
            }
            Gate::Close(refusal) => {
                count(&mut self.withheld, message);
                hooks.refused(self.from, message, &refusal);
                Some(Cause::Refused(refusal))
            }
        }
    }

    /// Takes the frames of a whole message out of what is parked; behind them the beginning of a
    /// control frame may wait, which goes on whatever becomes of the message.
    fn take_message(&mut self, message: &Message<'_>) -> Vec<u8> {
        let len = usize::try_from(message.wire_len).unwrap_or(usize::MAX);
        let behind = self.parked.split_off(len.min(self.parked.len()));
        mem::replace(&mut self.parked, behind)
    }

    /// Tells the client in place of a message.
    fn answer(&mut self, answer: &str, hooks: &Hooks<'_>) {
        if answer.is_empty() {
            return;
        }
        let encode = |out: &mut Vec<u8>| {
            encode_data(Role::Server, Opcode::Text, answer.as_bytes(), None, out);
        };
        match self.from {
            Role::Client => hooks.tell_client(encode),
            Role::Server => encode(&mut self.out),
        }
    }

    /// Sees to it that no more is held than was asked for.
    fn bound(&mut self, reader: &Reader, hooks: &Hooks<'_>) -> Option<Cause> {
        match self.state {
            State::Holding(most) if self.parked.len() > most.saturating_add(HEADS) => {
                match hooks.unjudged(self.from, self.parked.len() as u64) {
                    Gate::Forward => {
                        self.state = State::Flowing;
                        hand_on(&mut self.parked, &mut self.out);
                        None
                    }
                    // Whether it is compressed is not known in the middle of it.
                    Gate::Refuse { answer, .. } if !self.takeover => {
                        self.state = State::Dropping;
                        self.parked = Vec::new();
                        self.answer(&answer, hooks);
                        None
                    }
                    Gate::Refuse { refusal, .. } | Gate::Close(refusal) => {
                        self.parked = Vec::new();
                        Some(Cause::Refused(refusal))
                    }
                    Gate::Wait(_) => {
                        self.parked = Vec::new();
                        Some(Cause::Refused(Refusal::default()))
                    }
                }
            }
            State::Dropping => {
                // The frame under way may be a control frame yet, which passes by.
                let amid = usize::try_from(reader.frame_consumed()).unwrap_or(usize::MAX);
                let keep = amid.min(CONTROL_FRAME).min(self.parked.len());
                self.parked.drain(..self.parked.len() - keep);
                None
            }
            _ => None,
        }
    }
}

fn count(total: &mut Counters, message: &Message<'_>) {
    total.frames += u64::from(message.fragments);
    total.messages += 1;
    total.message_bytes += message.len;
    total.wire_bytes += message.wire_len;
}

/// Moves all of `from` behind `to`, without a copy where that is empty.
fn hand_on(from: &mut Vec<u8>, to: &mut Vec<u8>) {
    if to.is_empty() {
        *to = mem::take(from);
    } else {
        to.append(from);
    }
}

impl Kept {
    fn of(message: &Message<'_>) -> Self {
        let Message { payload, opcode, len, wire_len, fragments, compressed, truncated } = *message;
        Self { payload: payload.to_vec(), opcode, len, wire_len, fragments, compressed, truncated }
    }

    fn message(&self) -> Message<'_> {
        let Self { payload, opcode, len, wire_len, fragments, compressed, truncated } = self;
        Message {
            payload,
            opcode: *opcode,
            len: *len,
            wire_len: *wire_len,
            fragments: *fragments,
            compressed: *compressed,
            truncated: *truncated,
        }
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder").field("parked", &self.parked.len()).finish_non_exhaustive()
    }
}
