//! web-socket: async, a boxed payload for each event. UTF-8 is left to the caller.

use ::tokio::io::BufReader;
use ::web_socket::{Event, WebSocket};

use super::io::{Io, READ, Written, block_on};
use super::peer;
use crate::aligned::Aligned;
use crate::case::{Bench, Case};
use crate::stream::Stream;
use crate::subject::{Entry, Sink, Subject};

/// What it shows in `case`.
pub fn entries(case: Case, stream: &Stream) -> Option<Entry> {
    let entry = match case.bench {
        Bench::Decode => peer("web-socket recv", Reads::<false>::new(case, stream)),
        Bench::DecodeText => peer("web-socket recv + simdutf8", Reads::<true>::new(case, stream)),
        Bench::Encode => peer("web-socket send", Writes::new(case, stream)),
        Bench::Head | Bench::Mask | Bench::Utf8 | Bench::Inflate => return None,
    };
    Some(entry.of("web-socket"))
}

struct Reads<const TEXT: bool> {
    socket: WebSocket<BufReader<Io>>,
    frames: usize,
}

impl<const TEXT: bool> Reads<TEXT> {
    fn new(case: Case, stream: &Stream) -> Self {
        let io = BufReader::with_capacity(READ, Io::new(stream));
        let socket = if case.masked { WebSocket::server(io) } else { WebSocket::client(io) };
        Self { socket, frames: stream.frames.len() }
    }
}

impl<const TEXT: bool> Subject for Reads<TEXT> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        block_on(async {
            for _ in 0..passes * self.frames {
                let event = self.socket.recv().await.expect("always ready");
                let Event::Data { data, .. } = event else { panic!("{event:?}") };
                if TEXT {
                    assert!(simdutf8::basic::from_utf8(&data).is_ok(), "a text");
                }
                sink.piece(&data);
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
        let io = Io::new(stream);
        let written = io.written();
        let socket = if case.masked { WebSocket::client(io) } else { WebSocket::server(io) };
        Self { socket, written, plain: Aligned::copy(&stream.plain), size: stream.size() }
    }
}

impl Subject for Writes {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        self.written.begin::<S>();
        block_on(async {
            for _ in 0..passes {
                for payload in self.plain.chunks_exact(self.size) {
                    self.socket.send(payload).await.expect("always ready");
                    self.written.hand_out(sink);
                    sink.end();
                }
            }
        });
    }
}
