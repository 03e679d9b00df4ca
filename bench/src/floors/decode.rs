//! Reading by hand: heads alone, payloads in place, and with the copy a `read` call makes.

use std::marker::PhantomData;

use super::head::walk;
use super::xor::Xor;
use crate::aligned::Aligned;
use crate::stream::Stream;
use crate::subject::{Sink, Subject};

/// What one read hands out at most.
const READ: usize = 64 * 1024;
/// A copy to where no cache line begins can be many times slower.
const LINE: usize = 64;

/// Heads, one after the other.
pub struct Heads<const MASKED: bool>(Aligned);

impl<const MASKED: bool> Heads<MASKED> {
    /// Over a copy of the stream.
    pub fn new(stream: &Stream) -> Self {
        Self(Aligned::copy(&stream.wire))
    }
}

impl<const MASKED: bool> Subject for Heads<MASKED> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        let mut open = false;
        for _ in 0..passes {
            let mut rest = &*self.0;
            while !rest.is_empty() {
                let head = walk::<MASKED>(rest, &mut open).expect("a good head");
                rest = &rest[head.used + head.len..];
                sink.head((head.first, head.key, head.len), head.len as u64);
                sink.end();
            }
        }
    }
}

/// Frames unmasked where they lie, texts checked.
pub struct InPlace<X, const MASKED: bool>(Aligned, PhantomData<X>);

impl<X, const MASKED: bool> InPlace<X, MASKED> {
    /// Over a copy of the stream.
    pub fn new(stream: &Stream) -> Self {
        Self(Aligned::copy(&stream.wire), PhantomData)
    }
}

impl<X: Xor, const MASKED: bool> Subject for InPlace<X, MASKED> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        let mut open = false;
        for _ in 0..passes {
            let mut rest = &mut *self.0;
            while !rest.is_empty() {
                let used = frame::<X, MASKED>(rest, &mut open, sink).expect("a whole frame");
                rest = &mut rest[used..];
            }
        }
    }
}

/// One frame at the start of `wire`; `None` if it is not all there.
#[inline(always)]
fn frame<X: Xor, const MASKED: bool>(
    wire: &mut [u8],
    open: &mut bool,
    sink: &mut impl Sink,
) -> Option<usize> {
    let head = walk::<MASKED>(wire, open)?;
    let payload = wire.get_mut(head.used..head.used + head.len)?;
    if MASKED {
        X::apply(head.key, payload);
    }
    match head.first & 0x0F {
        0x1 => assert!(is_utf8(payload), "a text"),
        0x2 => {}
        opcode => panic!("{opcode}"),
    }
    sink.piece(payload);
    sink.end();
    Some(head.used + head.len)
}

/// Below this many bytes a loop over words is done before simdutf8 has begun.
const SHORT: usize = 128;

/// Whether `text` is UTF-8; in words if it is short and ASCII, else by simdutf8.
#[inline(always)]
pub fn is_utf8(text: &[u8]) -> bool {
    (text.len() <= SHORT && is_ascii(text)) || simdutf8::basic::from_utf8(text).is_ok()
}

#[inline(always)]
fn is_ascii(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let mut all = 0;
    for word in words {
        all |= u64::from_ne_bytes(*word);
    }
    let mut last = 0;
    for byte in rest {
        last |= byte;
    }
    all & 0x8080_8080_8080_8080 == 0 && last & 0x80 == 0
}

/// Frames as [`InPlace`] has them, but the bytes first arrive by copies of at most [`READ`].
pub struct Copied<X, const MASKED: bool> {
    wire: Aligned,
    buffer: Aligned,
    way: PhantomData<X>,
}

impl<X, const MASKED: bool> Copied<X, MASKED> {
    /// Over a copy of the stream.
    pub fn new(stream: &Stream) -> Self {
        let longest = stream.frames.iter().map(|frame| frame.wire.len()).max().unwrap_or(0);
        let buffer = Aligned::zeroed(longest + 14 + LINE + READ);
        Self { wire: Aligned::copy(&stream.wire), buffer, way: PhantomData }
    }
}

impl<X: Xor, const MASKED: bool> Subject for Copied<X, MASKED> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        let mut open = false;
        for _ in 0..passes {
            let (mut start, mut end) = (0_usize, 0_usize);
            for read in self.wire.chunks(READ) {
                // What is left goes where the read behind it is aligned.
                let left = end - start;
                let to = left.next_multiple_of(LINE) - left;
                self.buffer.copy_within(start..end, to);
                (start, end) = (to, to + left);
                self.buffer[end..end + read.len()].copy_from_slice(read);
                end += read.len();
                // An unfinished frame is walked again with the next read, at most once in 64 KiB.
                while let Some(used) =
                    frame::<X, MASKED>(&mut self.buffer[start..end], &mut open, sink)
                {
                    start += used;
                }
            }
        }
    }
}
