//! fastwebsockets: async, a frame at a time. Text is checked; payloads are masked in place.

use ::fastwebsockets::{Frame, Payload, Role, WebSocket, unmask};

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
        Bench::Decode | Bench::DecodeText => {
            peer("fastwebsockets read_frame", Reads::new(case, stream))
        }
        Bench::Encode => peer("fastwebsockets write_frame", Writes::new(case, stream)),
        Bench::Mask => {
            peer("fastwebsockets unmask", Masks::new(stream, |key, data| unmask(data, key)))
        }
        Bench::Head | Bench::Utf8 | Bench::Inflate => return None,
    };
    Some(entry.of("fastwebsockets"))
}

struct Reads {
    socket: WebSocket<Io>,
    frames: usize,
}

impl Reads {
    fn new(case: Case, stream: &Stream) -> Self {
        let role = if case.masked { Role::Server } else { Role::Client };
        let socket = WebSocket::after_handshake(Io::new(stream), role);
        Self { socket, frames: stream.frames.len() }
    }
}

impl Subject for Reads {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        block_on(async {
            for _ in 0..passes * self.frames {
                let frame = self.socket.read_frame().await.expect("good frames");
                sink.piece(&frame.payload);
                sink.end();
            }
        });
    }
}

struct Writes {
    socket: WebSocket<Io>,
    written: Written,
    plain: Aligned,
    size: usize,
}

impl Writes {
    fn new(case: Case, stream: &Stream) -> Self {
        let role = if case.masked { Role::Client } else { Role::Server };
        let io = Io::new(stream);
        let written = io.written();
        let socket = WebSocket::after_handshake(io, role);
        Self { socket, written, plain: Aligned::copy(&stream.plain), size: stream.size() }
    }
}

impl Subject for Writes {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        self.written.begin::<S>();
        block_on(async {
            for _ in 0..passes {
                for payload in self.plain.chunks_exact_mut(self.size) {
                    let frame = Frame::binary(Payload::BorrowedMut(payload));
                    self.socket.write_frame(frame).await.expect("always ready");
                    self.written.hand_out(sink);
                    sink.end();
                }
            }
        });
    }
}
