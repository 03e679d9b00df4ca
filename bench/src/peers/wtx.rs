//! wtx: async, payloads borrowed from its own buffer. Text is checked. It makes an inflater only in
//! a handshake of its own, so it has no row there.

use ::wtx::collection::Vector;
use ::wtx::rng::Xorshift64;
use ::wtx::web_socket::{
    Frame, OpCode, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin::Adaptive,
};

use super::io::{Io, Written, block_on};
use super::peer;
use crate::aligned::Aligned;
use crate::case::{Bench, Case};
use crate::stream::Stream;
use crate::subject::{Entry, Sink, Subject};

type Socket<const IS_CLIENT: bool> = WebSocketOwned<(), Xorshift64, Io, IS_CLIENT>;

/// What it shows in `case`.
pub fn entries(case: Case, stream: &Stream) -> Option<Entry> {
    let entry = match (case.bench, case.masked) {
        (Bench::Decode | Bench::DecodeText, true) => {
            peer("wtx read_frame", Reads::<false>::new(stream))
        }
        (Bench::Decode | Bench::DecodeText, false) => {
            peer("wtx read_frame", Reads::<true>::new(stream))
        }
        (Bench::Encode, true) => peer("wtx write_frame", Writes::<true>::new(stream)),
        (Bench::Encode, false) => peer("wtx write_frame", Writes::<false>::new(stream)),
        (Bench::Head | Bench::Mask | Bench::Utf8 | Bench::Inflate, _) => return None,
    };
    Some(entry.of("wtx"))
}

fn socket<const IS_CLIENT: bool>(io: Io) -> Socket<IS_CLIENT> {
    Socket::new((), false, Xorshift64::new(0x9E37_79B9_7F4A_7C15), io, WebSocketBuffer::new())
}

struct Reads<const IS_CLIENT: bool> {
    socket: Socket<IS_CLIENT>,
    frames: usize,
    buffer: Vector<u8>,
}

impl<const IS_CLIENT: bool> Reads<IS_CLIENT> {
    fn new(stream: &Stream) -> Self {
        let socket = socket(Io::new(stream));
        Self { socket, frames: stream.frames.len(), buffer: Vector::new() }
    }
}

impl<const IS_CLIENT: bool> Subject for Reads<IS_CLIENT> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        block_on(async {
            for _ in 0..passes * self.frames {
                let frame = self.socket.read_frame(&mut self.buffer, Adaptive).await;
                sink.piece(frame.expect("good frames").payload());
                sink.end();
            }
        });
    }
}

struct Writes<const IS_CLIENT: bool> {
    socket: Socket<IS_CLIENT>,
    written: Written,
    plain: Aligned,
    size: usize,
}

impl<const IS_CLIENT: bool> Writes<IS_CLIENT> {
    fn new(stream: &Stream) -> Self {
        let io = Io::new(stream);
        let written = io.written();
        let plain = Aligned::copy(&stream.plain);
        Self { socket: socket(io), written, plain, size: stream.size() }
    }
}

impl<const IS_CLIENT: bool> Subject for Writes<IS_CLIENT> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        self.written.begin::<S>();
        block_on(async {
            for _ in 0..passes {
                for payload in self.plain.chunks_exact_mut(self.size) {
                    let mut frame = Frame::new_fin(OpCode::Binary, payload);
                    self.socket.write_frame(&mut frame).await.expect("always ready");
                    self.written.hand_out(sink);
                    sink.end();
                }
            }
        });
    }
}
