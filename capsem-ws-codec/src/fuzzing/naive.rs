//! A second reader that takes one byte at a time and shares no logic with the first: the oracle.
//!
//! Slow on purpose: it keeps every byte of the frame and the message, and inflates the whole
//! message again at each byte.

use super::{Seen, Transcript};
use crate::{CloseCode, Counters, Deflate, Error, Limits, Opcode, Role};
use flate2::{Decompress, FlushDecompress, Status};

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
        if naive.closed {
            break;
        }
        match naive.byte(byte) {
            Ok(()) => consumed += 1,
            Err(Broken { error: found, by_ending }) => {
                error = Some(found);
                consumed += usize::from(by_ending);
                naive.frame.truncate(naive.frame.len() - usize::from(!by_ending));
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
        frame_consumed: naive.frame.len() as u64,
        in_message: error.is_none() && (naive.message.is_some() || naive.in_data_frame),
        closed: naive.closed,
        counters: naive.counters,
    })
}

struct Naive {
    sender: Role,
    deflate: Option<Deflate>,
    limits: Limits,
    /// The frame under way, as on the wire.
    frame: Vec<u8>,
    message: Option<Message>,
    in_data_frame: bool,
    /// All that was inflated so far.
    history: Vec<u8>,
    items: Vec<Seen>,
    counters: Counters,
    closed: bool,
    lost: bool,
}

struct Message {
    opcode: Opcode,
    compressed: bool,
    /// The payload as sent, unmasked.
    sent: Vec<u8>,
    declared: u64,
    wire_len: u64,
    fragments: u32,
}

struct Broken {
    error: Error,
    by_ending: bool,
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self { error, by_ending: false }
    }
}

impl Naive {
    fn new(sender: Role, deflate: Option<Deflate>, limits: Limits) -> Self {
        Self {
            sender,
            deflate,
            limits,
            frame: Vec::new(),
            message: None,
            in_data_frame: false,
            history: Vec::new(),
            items: Vec::new(),
            counters: Counters::default(),
            closed: false,
            lost: false,
        }
    }

    fn byte(&mut self, byte: u8) -> Result<(), Broken> {
        self.frame.push(byte);
        let have = self.frame.len();
        if have == 1 {
            return Ok(self.first(byte)?);
        }
        let length_bytes = match self.frame[1] & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if have == 2 {
            self.second(byte)?;
        }
        if have == 3 && length_bytes == 8 && byte >= 0x80 {
            return Err(Error::LengthHighBit.into());
        }
        if have < 2 + length_bytes {
            return Ok(());
        }
        let len = match length_bytes {
            0 => u64::from(self.frame[1] & 0x7F),
            _ => self.frame[2..2 + length_bytes].iter().fold(0, |len, &b| len << 8 | u64::from(b)),
        };
        if have == 2 + length_bytes {
            self.length(length_bytes, len)?;
        }
        let head = 2 + length_bytes + if self.sender == Role::Client { 4 } else { 0 };
        if have < head {
            return Ok(());
        }
        if have == head {
            self.enter(len);
        } else {
            let place = have - head - 1;
            let mask = match self.sender {
                Role::Client => self.frame[head - 4 + place % 4],
                Role::Server => 0,
            };
            self.payload(byte ^ mask, place)?;
        }
        if (have - head) as u64 == len {
            self.end(head).map_err(|error| Broken { error, by_ending: true })?;
            self.frame.clear();
        }
        Ok(())
    }

    fn opcode(&self) -> Opcode {
        Opcode::try_from(self.frame[0] & 0x0F).expect("the first byte was checked")
    }

    fn first(&mut self, byte: u8) -> Result<(), Error> {
        let (fin, bits, opcode) = (byte >> 7, byte >> 4 & 7, byte & 0x0F);
        if ![0, 1, 2, 8, 9, 10].contains(&opcode) {
            return Err(Error::Opcode { opcode });
        }
        let known = self.opcode();
        let may_be_compressed = self.deflate.is_some() && (opcode == 1 || opcode == 2);
        if bits != 0 && !(bits == 4 && may_be_compressed) {
            return Err(Error::Rsv { bits, opcode: known });
        }
        if opcode >= 8 {
            return if fin == 0 { Err(Error::ControlFragmented { opcode: known }) } else { Ok(()) };
        }
        let fragments = match &self.message {
            None if opcode == 0 => return Err(Error::ContinuationOrphan),
            Some(_) if opcode != 0 => return Err(Error::MessageInterleaved { opcode: known }),
            None => 0,
            Some(message) => message.fragments,
        };
        let limit = self.limits.fragments;
        if fragments + 1 > limit { Err(Error::FragmentLimit { limit }) } else { Ok(()) }
    }

    fn second(&self, byte: u8) -> Result<(), Error> {
        match (self.sender, byte & 0x80) {
            (Role::Client, 0) => return Err(Error::MaskMissing),
            (Role::Server, 0x80) => return Err(Error::MaskUnexpected),
            _ => {}
        }
        let opcode = self.opcode();
        if self.frame[0] & 0x08 != 0 && byte & 0x7F > 125 {
            return Err(Error::ControlLength { opcode });
        }
        if opcode == Opcode::Close && byte & 0x7F == 1 { Err(Error::CloseLength) } else { Ok(()) }
    }

    fn length(&self, length_bytes: usize, len: u64) -> Result<(), Error> {
        if (length_bytes == 2 && len <= 125) || (length_bytes == 8 && len <= 65535) {
            return Err(Error::LengthNotMinimal { len });
        }
        if self.frame[0] & 0x08 != 0 {
            return Ok(());
        }
        if len > self.limits.frame {
            return Err(Error::FrameLimit { len, limit: self.limits.frame });
        }
        let before = self.message.as_ref().map_or(0, |message| message.declared);
        if u128::from(before) + u128::from(len) > u128::from(self.limits.message) {
            return Err(Error::MessageLimit { limit: self.limits.message });
        }
        Ok(())
    }

    /// Takes note of a whole head.
    fn enter(&mut self, len: u64) {
        let opcode = self.opcode();
        if self.frame[0] & 0x08 != 0 {
            return;
        }
        self.in_data_frame = true;
        let compressed = self.frame[0] & 0x40 != 0;
        let message = self.message.get_or_insert(Message {
            opcode,
            compressed,
            sent: Vec::new(),
            declared: 0,
            wire_len: 0,
            fragments: 0,
        });
        message.declared += len;
        message.fragments += 1;
    }

    fn payload(&mut self, byte: u8, place: usize) -> Result<(), Error> {
        if self.frame[0] & 0x08 == 0 {
            self.message.as_mut().expect("a head was entered").sent.push(byte);
            return self.look().map(|_| ());
        }
        if self.opcode() != Opcode::Close || place == 0 {
            return Ok(());
        }
        let said = self.control_payload(self.frame.len() - place - 1);
        let code = u16::from_be_bytes([said[0], said[1]]);
        if !CloseCode::from(code).is_valid_on_wire() {
            return Err(Error::CloseCode { code });
        }
        check_text(&said[2..])
    }

    fn control_payload(&self, head: usize) -> Vec<u8> {
        let mask = match self.sender {
            Role::Client => self.frame[head - 4..head].to_vec(),
            Role::Server => vec![0; 4],
        };
        self.frame[head..].iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
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

    fn end(&mut self, head: usize) -> Result<(), Error> {
        let opcode = self.opcode();
        if opcode.is_control() {
            let said = self.control_payload(head);
            self.end_control(opcode, said)?;
            self.counters.frames += 1;
            return Ok(());
        }
        self.in_data_frame = false;
        let wire_len = self.frame.len() as u64;
        self.message.as_mut().expect("a message is under way").wire_len += wire_len;
        if self.frame[0] & 0x80 != 0 {
            self.end_message()?;
        }
        self.counters.frames += 1;
        Ok(())
    }

    fn end_control(&mut self, opcode: Opcode, said: Vec<u8>) -> Result<(), Error> {
        self.items.push(match opcode {
            Opcode::Ping => Seen::Ping(said),
            Opcode::Pong => Seen::Pong(said),
            _ if said.is_empty() => Seen::Close { code: None, reason: String::new() },
            _ => Seen::Close {
                code: Some(u16::from_be_bytes([said[0], said[1]])),
                reason: String::from_utf8(said[2..].to_vec())
                    .map_err(|_| Error::Utf8Unfinished { len: said.len() as u64 - 2 })?,
            },
        });
        self.closed = opcode == Opcode::Close;
        Ok(())
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

/// Fails at the shortest start of `text` that no further byte could make good.
fn check_text(text: &[u8]) -> Result<(), Error> {
    let Err(wrong) = str::from_utf8(text) else { return Ok(()) };
    if wrong.error_len().is_none() {
        return Ok(());
    }
    let good = wrong.valid_up_to();
    let hopeless =
        |end: &usize| str::from_utf8(&text[good..*end]).is_err_and(|e| e.error_len().is_some());
    let end = (good..=text.len()).find(hopeless).expect("the whole is hopeless");
    Err(Error::Utf8 { at: end as u64 - 1 })
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
