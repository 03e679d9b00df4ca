//! Raw zlib-rs over messages that lie ready with the tail a sender took off.

use std::ops::Range;

use flate2::{Decompress, FlushDecompress, Status};

use crate::aligned::Aligned;
use crate::responses::TAIL;
use crate::stream::Stream;
use crate::subject::{Sink, Subject};

/// One call of the library for each message.
pub struct ByMessage(Ready);

/// One call of the library for all messages of a pass.
pub struct AtOnce(Ready);

struct Ready {
    deflated: Aligned,
    /// Each message in `deflated`.
    messages: Vec<Range<usize>>,
    /// Each message in a pass's output.
    plain: Vec<Range<usize>>,
    out: Aligned,
    library: Decompress,
}

impl Ready {
    fn new(stream: &Stream) -> Self {
        let mut deflated = Vec::new();
        let messages = stream.frames.iter().map(|frame| {
            let start = deflated.len();
            deflated.extend_from_slice(&stream.wire[frame.wire.clone()]);
            deflated.extend_from_slice(&TAIL);
            start..deflated.len()
        });
        let messages = messages.collect();
        Self {
            deflated: Aligned::copy(&deflated),
            messages,
            plain: stream.frames.iter().map(|frame| frame.plain.clone()).collect(),
            // One byte more: a full buffer might mean that something is held back.
            out: Aligned::zeroed(stream.plain.len() + 1),
            library: Decompress::new(false),
        }
    }

    #[inline(always)]
    fn inflate(&mut self, from: Range<usize>) -> usize {
        let (taken, made) = (self.library.total_in(), self.library.total_out());
        let input = &self.deflated[from];
        let status = self.library.decompress(input, &mut self.out, FlushDecompress::None);
        assert!(matches!(status, Ok(Status::Ok)), "good deflate");
        assert_eq!(self.library.total_in() - taken, input.len() as u64, "all was taken");
        usize::try_from(self.library.total_out() - made).expect("fits the buffer")
    }
}

impl ByMessage {
    /// Over a copy of the stream.
    pub fn new(stream: &Stream) -> Self {
        Self(Ready::new(stream))
    }
}

impl Subject for ByMessage {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for index in 0..self.0.messages.len() {
                let made = self.0.inflate(self.0.messages[index].clone());
                sink.piece(&self.0.out[..made]);
                sink.end();
            }
        }
    }
}

impl AtOnce {
    /// Over a copy of the stream.
    pub fn new(stream: &Stream) -> Self {
        Self(Ready::new(stream))
    }
}

impl Subject for AtOnce {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            self.0.inflate(0..self.0.deflated.len());
            for plain in &self.0.plain {
                sink.piece(&self.0.out[plain.clone()]);
                sink.end();
            }
        }
    }
}
