//! What is measured: one implementation in one case, and what it hands out.
//!
//! Every implementation is written once over [`Sink`]. The same code is run first into a sink that
//! checks every byte and then into one that only counts; what was not checked is not timed.

use std::hint::black_box;

use crate::stream::Stream;

/// One implementation, ready to run a case.
pub trait Subject {
    /// Goes over the whole stream `passes` times and hands every frame to `sink`.
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S);
}

/// Takes what an implementation makes.
pub trait Sink {
    /// Whether every byte is wanted, or only their number.
    const KEEPS: bool;
    /// A head that was read, and the payload length in it. Benches of heads alone.
    fn head<H>(&mut self, head: H, len: u64);
    /// A piece of a payload, or of the wire for an encoder. A frame may come in several.
    fn piece(&mut self, bytes: &[u8]);
    /// Bytes that went elsewhere, where only their number is wanted.
    fn passed(&mut self, bytes: u64);
    /// The frame is over.
    fn end(&mut self);
}

/// Counts, and makes the compiler believe that every byte is wanted.
#[derive(Default)]
pub struct Count {
    /// Frames that ended.
    pub frames: u64,
    /// Bytes of all pieces and heads' lengths.
    pub bytes: u64,
}

impl Sink for Count {
    const KEEPS: bool = false;

    #[inline(always)]
    fn head<H>(&mut self, head: H, len: u64) {
        black_box(&head);
        self.bytes += len;
    }

    #[inline(always)]
    fn piece(&mut self, bytes: &[u8]) {
        self.bytes += black_box(bytes).len() as u64;
    }

    fn passed(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    #[inline(always)]
    fn end(&mut self) {
        self.frames += 1;
    }
}

/// What the pieces of a case are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Yields {
    /// Payload lengths.
    Heads,
    /// The payloads.
    Payloads,
    /// Wire bytes of frames that are masked or not, to be read by a reader of this file.
    Wire {
        /// Whether each frame has a key.
        masked: bool,
    },
}

/// Compares everything with the stream.
pub struct Check<'a> {
    stream: &'a Stream,
    yields: Yields,
    frame: Vec<u8>,
    head: Option<u64>,
    frames: usize,
    wrong: Option<String>,
}

impl<'a> Check<'a> {
    /// Expects the frames of `stream`, once.
    pub fn new(stream: &'a Stream, yields: Yields) -> Self {
        Self { stream, yields, frame: Vec::new(), head: None, frames: 0, wrong: None }
    }

    /// Whether one pass was all right.
    pub fn finish(self) -> Result<(), String> {
        match self.wrong {
            Some(wrong) => Err(wrong),
            None if self.frames == self.stream.frames.len() => Ok(()),
            None => Err(format!("{} frames of {}", self.frames, self.stream.frames.len())),
        }
    }

    fn frame_is_right(&self) -> bool {
        let plain = self.stream.plain(self.frames % self.stream.frames.len());
        match self.yields {
            Yields::Heads => self.head == Some(plain.len() as u64),
            Yields::Payloads => self.frame == plain,
            Yields::Wire { masked } => {
                unframe(&self.frame, masked).is_some_and(|payload| payload == plain)
            }
        }
    }
}

impl Sink for Check<'_> {
    const KEEPS: bool = true;

    fn head<H>(&mut self, _: H, len: u64) {
        self.head = Some(len);
    }

    fn piece(&mut self, bytes: &[u8]) {
        self.frame.extend_from_slice(bytes);
    }

    fn passed(&mut self, bytes: u64) {
        self.wrong = Some(format!("{bytes} bytes were not kept"));
    }

    fn end(&mut self) {
        if self.wrong.is_none() && !self.frame_is_right() {
            self.wrong = Some(format!("frame {} came out wrong", self.frames));
        }
        self.frames += 1;
        self.frame.clear();
        self.head = None;
    }
}

/// The payload of exactly one whole binary frame, unmasked.
fn unframe(wire: &[u8], masked: bool) -> Option<Vec<u8>> {
    let (&[first, second], rest) = wire.split_first_chunk()?;
    let (len, rest) = match second & 0x7F {
        126 => rest
            .split_first_chunk()
            .map(|(len, rest)| (u64::from(u16::from_be_bytes(*len)), rest))?,
        127 => rest.split_first_chunk().map(|(len, rest)| (u64::from_be_bytes(*len), rest))?,
        len => (u64::from(len), rest),
    };
    let (key, payload) = if masked {
        rest.split_first_chunk().map(|(key, rest)| (*key, rest))?
    } else {
        ([0; 4], rest)
    };
    let as_asked = first == 0x82 && (second & 0x80 != 0) == masked;
    let whole = as_asked && payload.len() as u64 == len;
    whole.then(|| payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect())
}

/// A [`Subject`] behind a pointer.
pub trait Runs {
    /// One pass, checked.
    fn check(&mut self, stream: &Stream, yields: Yields) -> Result<(), String>;
    /// `passes` passes, counted.
    fn count(&mut self, passes: usize) -> Count;
}

impl<T: Subject> Runs for T {
    fn check(&mut self, stream: &Stream, yields: Yields) -> Result<(), String> {
        let mut check = Check::new(stream, yields);
        self.run(1, &mut check);
        check.finish()
    }

    #[inline(never)]
    fn count(&mut self, passes: usize) -> Count {
        let mut count = Count::default();
        self.run(passes, &mut count);
        count
    }
}

/// What an implementation is to the others of its case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The codec, as its user has it for this case.
    Ours,
    /// The codec in another use.
    Variant,
    /// The least that must be done; the fastest of these is the floor.
    Floor,
    /// Something known, to hold the others against.
    Known,
    /// Another library, doing all that the case asks.
    Peer,
}

/// One row of a case.
pub struct Entry {
    /// Its name in tables.
    pub name: &'static str,
    /// The crate whose version is shown.
    pub package: Option<&'static str>,
    /// What it is to the others.
    pub kind: Kind,
    /// The implementation.
    pub subject: Box<dyn Runs>,
}

impl Entry {
    /// A row for `subject`.
    pub fn new(name: &'static str, kind: Kind, subject: impl Subject + 'static) -> Self {
        Self { name, package: None, kind, subject: Box::new(subject) }
    }

    /// The same row, of the crate `package`.
    pub fn of(self, package: &'static str) -> Self {
        Self { package: Some(package), ..self }
    }
}
