//! Subjects that are one function over payloads: masking, UTF-8. Refuses to know whose it is.

use crate::aligned::Aligned;
use crate::stream::Stream;
use crate::subject::{Sink, Subject};

/// Masks payloads whose place and key are known, in place.
pub struct Masks<F> {
    wire: Aligned,
    head: usize,
    frame: usize,
    mask: F,
}

impl<F: FnMut([u8; 4], &mut [u8])> Masks<F> {
    /// Over a copy of the stream, whose frames are of one size.
    pub fn new(stream: &Stream, mask: F) -> Self {
        let (head, frame) = (stream.head_len(), stream.frames[0].wire.end);
        Self { wire: Aligned::copy(&stream.wire), head, frame, mask }
    }
}

impl<F: FnMut([u8; 4], &mut [u8])> Subject for Masks<F> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for frame in self.wire.chunks_exact_mut(self.frame) {
                let (head, payload) = frame.split_at_mut(self.head);
                (self.mask)(*head.last_chunk().expect("a masked head"), payload);
                sink.piece(payload);
                sink.end();
            }
        }
    }
}

/// Checks texts.
pub struct Texts<F> {
    plain: Aligned,
    size: usize,
    check: F,
}

impl<F: FnMut(&[u8]) -> bool> Texts<F> {
    /// Over a copy of the stream's texts, which are of one size.
    pub fn new(stream: &Stream, check: F) -> Self {
        Self { plain: Aligned::copy(&stream.plain), size: stream.size(), check }
    }
}

impl<F: FnMut(&[u8]) -> bool> Subject for Texts<F> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for text in self.plain.chunks_exact(self.size) {
                assert!((self.check)(text), "a text");
                sink.piece(text);
                sink.end();
            }
        }
    }
}
