//! soketto: async, into the caller's buffer. UTF-8 is left to the caller. It inflates only without
//! context takeover, which a Responses stream has, so it has no row there.

use ::soketto::Parsing;
use ::soketto::base::{Codec, Header, OpCode};
use ::soketto::connection::{Builder, Mode, Receiver, Sender};

use super::io::{Io, Written, block_on};
use super::peer;
use crate::aligned::Aligned;
use crate::case::{Bench, Case};
use crate::plain::Masks;
use crate::stream::Stream;
use crate::subject::{Entry, Sink, Subject};

/// What it shows in `case`.
pub fn entries(case: Case, stream: &Stream) -> Option<Entry> {
    let entry = match case.bench {
        Bench::Head => peer("soketto decode_header", Heads::new(stream)),
        Bench::Decode => peer("soketto receive_data", Reads::<false>::new(case, stream)),
        Bench::DecodeText => {
            peer("soketto receive_data + simdutf8", Reads::<true>::new(case, stream))
        }
        Bench::Encode => peer("soketto send_binary_mut", Writes::new(case, stream)),
        Bench::Mask => peer("soketto apply_mask", Masks::new(stream, mask)),
        Bench::Utf8 | Bench::Inflate => return None,
    };
    Some(entry.of("soketto"))
}

fn mask(key: [u8; 4], data: &mut [u8]) {
    let mut head = Header::new(OpCode::Binary);
    head.set_masked(true).set_mask(u32::from_be_bytes(key));
    Codec::apply_mask(&head, data);
}

struct Heads {
    wire: Aligned,
    codec: Codec,
}

impl Heads {
    fn new(stream: &Stream) -> Self {
        let mut codec = Codec::new();
        codec.set_max_data_size(64 << 20);
        Self { wire: Aligned::copy(&stream.wire), codec }
    }
}

impl Subject for Heads {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            let mut rest = &*self.wire;
            while !rest.is_empty() {
                let parsed = self.codec.decode_header(rest).expect("a good head");
                let Parsing::Done { value, offset } = parsed else { panic!("a whole head") };
                let len = value.payload_len();
                rest = &rest[offset + len..];
                sink.head(value, len as u64);
                sink.end();
            }
        }
    }
}

struct Reads<const TEXT: bool> {
    socket: Receiver<Io>,
    frames: usize,
    message: Vec<u8>,
}

impl<const TEXT: bool> Reads<TEXT> {
    fn new(case: Case, stream: &Stream) -> Self {
        let mode = if case.masked { Mode::Server } else { Mode::Client };
        let (_, socket) = Builder::new(Io::new(stream), mode).finish();
        Self { socket, frames: stream.frames.len(), message: Vec::new() }
    }
}

impl<const TEXT: bool> Subject for Reads<TEXT> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        block_on(async {
            for _ in 0..passes * self.frames {
                self.message.clear();
                self.socket.receive_data(&mut self.message).await.expect("good frames");
                if TEXT {
                    assert!(simdutf8::basic::from_utf8(&self.message).is_ok(), "a text");
                }
                sink.piece(&self.message);
                sink.end();
            }
        });
    }
}

struct Writes {
    socket: Sender<Io>,
    written: Written,
    plain: Aligned,
    size: usize,
}

impl Writes {
    fn new(case: Case, stream: &Stream) -> Self {
        let mode = if case.masked { Mode::Client } else { Mode::Server };
        let io = Io::new(stream);
        let written = io.written();
        let (socket, _) = Builder::new(io, mode).finish();
        Self { socket, written, plain: Aligned::copy(&stream.plain), size: stream.size() }
    }
}

impl Subject for Writes {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        self.written.begin::<S>();
        block_on(async {
            for _ in 0..passes {
                for payload in self.plain.chunks_exact_mut(self.size) {
                    self.socket.send_binary_mut(payload).await.expect("always ready");
                    self.written.hand_out(sink);
                    sink.end();
                }
            }
        });
    }
}
