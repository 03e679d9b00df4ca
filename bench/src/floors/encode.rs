//! Writing by hand: a head alone, or a head and a payload behind it in one buffer.

use std::marker::PhantomData;

use super::head::write;
use super::xor::Xor;
use crate::aligned::Aligned;
use crate::random::Random;
use crate::stream::Stream;
use crate::subject::{Sink, Subject};

/// A head on the stack; the payload stays where it is, as for a vectored write, and is masked
/// there if `MASKED`.
pub struct Apart<X, const MASKED: bool> {
    plain: Aligned,
    size: usize,
    keys: Random,
    way: PhantomData<X>,
}

impl<X, const MASKED: bool> Apart<X, MASKED> {
    /// Of the stream's payloads.
    pub fn new(stream: &Stream) -> Self {
        let (plain, keys) = (Aligned::copy(&stream.plain), Random::new());
        Self { plain, size: stream.size(), keys, way: PhantomData }
    }
}

impl<X: Xor, const MASKED: bool> Subject for Apart<X, MASKED> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for payload in self.plain.chunks_exact_mut(self.size) {
                let key = MASKED.then(|| self.keys.key());
                let mut head = [0; 14];
                let used = write(payload.len(), key, &mut head);
                sink.piece(&head[..used]);
                if let Some(key) = key {
                    X::apply(key, payload);
                }
                sink.piece(payload);
                sink.end();
            }
        }
    }
}

/// Where a payload begins in the buffer it is copied to: aligned, as copying to where a head ends
/// can be many times slower, and far enough in for any head before it.
const BODY: usize = 64;

/// A head and the payload behind it, masked on the way if `MASKED`.
pub struct Joined<X, const MASKED: bool> {
    plain: Aligned,
    size: usize,
    out: Aligned,
    /// Where the head begins, to end at [`BODY`].
    start: usize,
    keys: Random,
    way: PhantomData<X>,
}

impl<X, const MASKED: bool> Joined<X, MASKED> {
    /// Of the stream's payloads.
    pub fn new(stream: &Stream) -> Self {
        let size = stream.size();
        let used = write(size, MASKED.then_some([0; 4]), &mut [0; 14]);
        Self {
            plain: Aligned::copy(&stream.plain),
            size,
            out: Aligned::zeroed(BODY + size),
            start: BODY - used,
            keys: Random::new(),
            way: PhantomData,
        }
    }
}

impl<X: Xor, const MASKED: bool> Subject for Joined<X, MASKED> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for payload in self.plain.chunks_exact(self.size) {
                let key = MASKED.then(|| self.keys.key());
                // What is past the head is the payload's place, written right after.
                let head = self.out[self.start..].first_chunk_mut().expect("room for a head");
                let used = write(payload.len(), key, head);
                debug_assert_eq!(self.start + used, BODY);
                let body = &mut self.out[BODY..];
                match key {
                    Some(key) => X::copy(key, payload, body),
                    None => body.copy_from_slice(payload),
                }
                sink.piece(&self.out[self.start..]);
                sink.end();
            }
        }
    }
}

/// The payloads copied into one buffer, without a head.
pub struct Memcpy {
    plain: Aligned,
    size: usize,
    out: Aligned,
}

impl Memcpy {
    /// Of the stream's payloads.
    pub fn new(stream: &Stream) -> Self {
        let size = stream.size();
        Self { plain: Aligned::copy(&stream.plain), size, out: Aligned::zeroed(size) }
    }
}

impl Subject for Memcpy {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for payload in self.plain.chunks_exact(self.size) {
                self.out.copy_from_slice(payload);
                sink.piece(&self.out);
                sink.end();
            }
        }
    }
}
