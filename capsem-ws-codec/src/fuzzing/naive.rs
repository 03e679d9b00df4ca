//! A second reader that takes one byte at a time and shares no logic with the first: the oracle.
//!
//! Slow on purpose: it keeps every byte of the frame and the message, and inflates the whole
//! message again at each byte.

mod frames;

use super::{Seen, Transcript};
use crate::{Counters, Deflate, Error, Limits, Opcode, Role};
use flate2::{Decompress, FlushDecompress, Status};
pub use frames::read_frames;
use frames::{Broken, Frames, check_text};

/// Reads `wire` byte for byte. `None`: a compressed message ended where only a stream could tell
/// whether it may, so this reader cannot.
///
/// # Panics
///
/// Never on any input, unless by a bug of its own.
#[must_use]
pub fn read(
    sender: Role,
    deflate: Option<Deflate>,
    limits: Limits,
    wire: &[u8],
) -> Option<Transcript> {
    let mut naive = Naive::new(sender, deflate, limits);
    let mut consumed = 0;
    let mut error = None;
    for &byte in wire {
        if naive.frames.closed {
            break;
        }
        match naive.byte(byte) {
            Ok(()) => consumed += 1,
            Err(Broken { error: found, by_ending }) => {
                error = Some(found);
                consumed += usize::from(by_ending);
                let frame = &mut naive.frames.wire;
                frame.truncate(frame.len() - usize::from(!by_ending));
                break;
            }
        }
        if naive.lost {
            return None;
        }
    }
    naive.counters.wire_bytes = consumed as u64;
    Some(Transcript {
        items: naive.items,
        error,
        consumed,
        frame_consumed: naive.frames.wire.len() as u64,
        in_message: error.is_none() && naive.frames.in_message(),
        closed: naive.frames.closed,
        counters: naive.counters,
    })
}

struct Naive {
    sender: Role,
    deflate: Option<Deflate>,
    limits: Limits,
    frames: Frames,
    message: Option<Message>,
    /// All that was inflated so far.
    history: Vec<u8>,
    items: Vec<Seen>,
    counters: Counters,
    lost: bool,
}

struct Message {
    opcode: Opcode,
    compressed: bool,
    /// The payload as sent, unmasked.
    sent: Vec<u8>,
    wire_len: u64,
    fragments: u32,
}

impl Naive {
    fn new(sender: Role, deflate: Option<Deflate>, limits: Limits) -> Self {
        Self {
            sender,
            deflate,
            limits,
            frames: Frames::new(sender, deflate.is_some(), limits),
            message: None,
            history: Vec::new(),
            items: Vec::new(),
            counters: Counters::default(),
            lost: false,
        }
    }

    fn byte(&mut self, byte: u8) -> Result<(), Broken> {
        let step = self.frames.byte(byte)?;
        if self.frames.is_control() {
            if step.ends {
                self.end_control();
            }
        } else {
            if step.begins {
                self.enter();
            }
            if let Some(byte) = step.payload {
                self.message.as_mut().expect("a head was entered").sent.push(byte);
                self.look()?;
            }
            if step.ends {
                self.end_frame().map_err(|error| Broken { error, by_ending: true })?;
            }
        }
        if step.ends {
            self.counters.frames += 1;
            self.frames.clear();
        }
        Ok(())
    }

    /// Takes note of a data frame's head.
    fn enter(&mut self) {
        let message = self.message.get_or_insert(Message {
            opcode: self.frames.opcode(),
            compressed: self.frames.rsv1(),
            sent: Vec::new(),
            wire_len: 0,
            fragments: 0,
        });
        message.fragments += 1;
    }

    fn end_control(&mut self) {
        let said = self.frames.payload();
        self.items.push(match (self.frames.opcode(), &said[..]) {
            (Opcode::Ping, _) => Seen::Ping(said),
            (Opcode::Pong, _) => Seen::Pong(said),
            (_, [high, low, reason @ ..]) => Seen::Close {
                code: Some(u16::from_be_bytes([*high, *low])),
                reason: String::from_utf8(reason.to_vec()).expect("the reason was checked"),
            },
            _ => Seen::Close { code: None, reason: String::new() },
        });
    }

    fn end_frame(&mut self) -> Result<(), Error> {
        let wire_len = self.frames.wire.len() as u64;
        self.message.as_mut().expect("a message is under way").wire_len += wire_len;
        if self.frames.fin() { self.end_message() } else { Ok(()) }
    }

    /// The message so far in plain, checked.
    fn look(&self) -> Result<Inflated, Error> {
        let message = self.message.as_ref().expect("a message is under way");
        if !message.compressed {
            if message.opcode == Opcode::Text {
                check_text(&message.sent)?;
            }
            return Ok(Inflated { plain: message.sent.clone(), ..Inflated::default() });
        }
        let inflated = inflate(&self.dictionary(), &message.sent);
        let limit = self.limits.inflate.min(self.limits.message);
        let within = usize::try_from(limit).unwrap_or(usize::MAX).min(inflated.plain.len());
        if message.opcode == Opcode::Text {
            check_text(&inflated.plain[..within])?;
        }
        if within < inflated.plain.len() {
            return Err(if self.limits.inflate <= self.limits.message {
                Error::InflateLimit { limit }
            } else {
                Error::MessageLimit { limit }
            });
        }
        match inflated.error {
            Some(error) => Err(error),
            None => Ok(inflated),
        }
    }

    fn takeover(&self) -> bool {
        self.deflate.is_some_and(|agreed| match self.sender {
            Role::Client => !agreed.client_no_context_takeover,
            Role::Server => !agreed.server_no_context_takeover,
        })
    }

    fn dictionary(&self) -> Vec<u8> {
        if self.takeover() { self.history.clone() } else { Vec::new() }
    }

    fn end_message(&mut self) -> Result<(), Error> {
        let inflated = self.look()?;
        let dictionary = self.dictionary();
        let message = self.message.take().expect("a message is under way");
        if message.compressed {
            if !inflated.may_end(&dictionary, &message.sent) {
                self.lost = self.takeover() && !message.sent.is_empty();
                return if self.lost { Ok(()) } else { Err(Error::InflateUnfinished) };
            }
            self.history.extend_from_slice(&inflated.plain);
        }
        let plain = inflated.plain;
        let len = plain.len() as u64;
        if message.opcode == Opcode::Text && str::from_utf8(&plain).is_err() {
            return Err(Error::Utf8Unfinished { len });
        }
        let kept = plain.len().min(self.limits.capture);
        self.counters.messages += 1;
        self.counters.message_bytes += len;
        self.items.push(Seen::Message {
            opcode: message.opcode,
            payload: plain[..kept].to_vec(),
            len,
            wire_len: message.wire_len,
            fragments: message.fragments,
            compressed: message.compressed,
            truncated: kept < plain.len(),
        });
        Ok(())
    }
}

#[derive(Default)]
struct Inflated {
    plain: Vec<u8>,
    error: Option<Error>,
    /// The last byte ended a final block.
    ended: bool,
}

impl Inflated {
    /// Whether a message may end here: after a final block, or between two blocks, where one more
    /// empty final block ends the stream.
    fn may_end(&self, dictionary: &[u8], sent: &[u8]) -> bool {
        if self.ended {
            return true;
        }
        let probe = [sent, &[0, 0, 0xFF, 0xFF, 1, 0, 0, 0xFF, 0xFF]].concat();
        let probed = inflate(dictionary, &probe);
        !sent.is_empty() && probed.ended && probed.error.is_none() && probed.plain == self.plain
    }
}

/// Inflates `sent` from nothing but what was inflated before it.
fn inflate(dictionary: &[u8], sent: &[u8]) -> Inflated {
    let mut all = dictionary.to_vec();
    let mut inflated = Inflated::default();
    let mut library = fresh(&all);
    let (mut at, mut finals) = (0, 0);
    let mut chunk = vec![0; 4096];
    loop {
        if inflated.ended {
            if at == sent.len() {
                break;
            }
            finals += 1;
            if finals > 1024 {
                inflated.error = Some(Error::InflateFinals { limit: 1024 });
                break;
            }
            library = fresh(&all);
            inflated.ended = false;
        }
        let (was_in, was_out) = (library.total_in(), library.total_out());
        let status = library.decompress(&sent[at..], &mut chunk, FlushDecompress::None);
        let used = usize::try_from(library.total_in() - was_in).expect("no more than given");
        let made = usize::try_from(library.total_out() - was_out).expect("no more than room");
        at += used;
        inflated.plain.extend_from_slice(&chunk[..made]);
        all.extend_from_slice(&chunk[..made]);
        match status {
            Err(_) => {
                inflated.error = Some(Error::Inflate);
                break;
            }
            Ok(Status::StreamEnd) => inflated.ended = true,
            Ok(_) if used + made == 0 => break,
            Ok(_) => {}
        }
    }
    inflated
}

fn fresh(before: &[u8]) -> Decompress {
    let mut library = Decompress::new(false);
    let window = &before[before.len().saturating_sub(32768)..];
    if !window.is_empty() {
        library.set_dictionary(window).expect("a raw stream takes any dictionary");
    }
    library
}
