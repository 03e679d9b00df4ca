//! What an implementation reads: frames on the wire, and what they must come out as.
//!
//! Refuses to use the codec under test: heads are written here by hand, once more.

use std::fmt::Write as _;
use std::ops::Range;

use crate::aligned::Aligned;
use crate::random::Random;
use crate::subject::Yields;

/// Wire bytes of one pass at least: more than a first-level cache, less than a second-level one.
const PASS: usize = 256 * 1024;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const RSV1: u8 = 0x40;

/// Frames that are read from start to end, again and again.
pub struct Stream {
    /// The frames as they come in.
    pub wire: Aligned,
    /// Each of them.
    pub frames: Vec<Frame>,
    /// The payloads as they must come out, one after the other.
    pub plain: Aligned,
}

/// One frame of a stream.
pub struct Frame {
    /// Its payload in `Stream::wire`.
    pub wire: Range<usize>,
    /// Its message in `Stream::plain`.
    pub plain: Range<usize>,
}

impl Stream {
    /// Binary frames of `size` random bytes, `least` of them at least.
    pub fn binary(size: usize, masked: bool, least: usize) -> Self {
        let mut random = Random::new();
        let payload = || {
            let mut bytes = Vec::with_capacity(size + 8);
            while bytes.len() < size {
                bytes.extend_from_slice(&random.next().to_ne_bytes());
            }
            bytes.truncate(size);
            bytes
        };
        Self::of(size, BINARY, masked, least, payload)
    }

    /// Text frames of `size` bytes of ASCII JSON, `least` of them at least.
    ///
    /// The keys have no high bit, so that the text is still UTF-8 after an implementation that
    /// unmasks in place has masked it again in its next pass.
    pub fn text(size: usize, masked: bool, least: usize) -> Self {
        let mut number = 0_u32;
        let payload = || {
            let mut text = String::with_capacity(size + 64);
            while text.len() < size {
                number += 1;
                let _ = write!(text, "{{\"type\":\"delta\",\"number\":{number}}},");
            }
            text.truncate(size);
            text.into_bytes()
        };
        Self::of(size, TEXT, masked, least, payload)
    }

    /// A server's compressed text messages, each a pair of its text and what follows its head.
    pub fn compressed(messages: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        let mut builder = Builder::default();
        for (plain, deflated) in messages {
            builder.frame(TEXT | RSV1, None, &deflated, &plain);
            if builder.plain.len() >= PASS {
                break;
            }
        }
        builder.build()
    }

    fn of(
        size: usize,
        first: u8,
        masked: bool,
        least: usize,
        mut payload: impl FnMut() -> Vec<u8>,
    ) -> Self {
        let mut keys = Random::new();
        let mut builder = Builder::default();
        while builder.wire.len() < PASS || builder.frames.len() < least {
            let plain = payload();
            assert_eq!(plain.len(), size);
            let key = masked.then(|| keys.key().map(|byte| byte & 0x7F));
            builder.frame(first, key, &plain, &plain);
        }
        builder.build()
    }

    /// Claims another last message than there is: one bit of it, or where heads alone are read,
    /// its length. Nothing may pass for right then.
    pub fn spoil(&mut self, yields: Yields) {
        let Some(last) = self.frames.last_mut() else { return };
        match yields {
            Yields::Heads => last.plain.start += 1,
            Yields::Payloads | Yields::Wire { .. } => self.plain[last.plain.end - 1] ^= 1,
        }
    }

    /// The message of frame `index`.
    pub fn plain(&self, index: usize) -> &[u8] {
        &self.plain[self.frames[index].plain.clone()]
    }

    /// Bytes of the first payload, which every frame of one size has.
    pub fn size(&self) -> usize {
        self.plain(0).len()
    }

    /// Bytes of the first head, which every frame of one size has.
    pub fn head_len(&self) -> usize {
        self.frames[0].wire.start
    }
}

#[derive(Default)]
struct Builder {
    wire: Vec<u8>,
    plain: Vec<u8>,
    frames: Vec<Frame>,
}

impl Builder {
    fn frame(&mut self, first: u8, key: Option<[u8; 4]>, payload: &[u8], plain: &[u8]) {
        let bit = if key.is_some() { 0x80 } else { 0 };
        self.wire.push(first);
        match payload.len() {
            len @ ..=125 => self.wire.push(bit | u8::try_from(len).expect("at most 125")),
            len @ 126..=0xFFFF => {
                self.wire.push(bit | 0x7E);
                self.wire.extend_from_slice(&u16::try_from(len).expect("16 bits").to_be_bytes());
            }
            len => {
                self.wire.push(bit | 0x7F);
                self.wire.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        if let Some(key) = key {
            self.wire.extend_from_slice(&key);
        }
        let start = self.wire.len();
        let masks = key.unwrap_or_default().into_iter().cycle();
        self.wire.extend(payload.iter().zip(masks).map(|(byte, key)| byte ^ key));
        let at = self.plain.len();
        self.plain.extend_from_slice(plain);
        let (wire, plain) = (start..self.wire.len(), at..self.plain.len());
        self.frames.push(Frame { wire, plain });
    }

    fn build(self) -> Stream {
        Stream {
            wire: Aligned::copy(&self.wire),
            frames: self.frames,
            plain: Aligned::copy(&self.plain),
        }
    }
}
