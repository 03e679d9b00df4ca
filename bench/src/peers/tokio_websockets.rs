//! tokio-websockets: an async stream and sink of messages over shared buffers. Text is checked.

use ::tokio_websockets::{ClientBuilder, Message, ServerBuilder, WebSocketStream};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};

use super::io::{Io, Written, block_on};
use super::peer;
use crate::case::{Bench, Case};
use crate::stream::Stream;
use crate::subject::{Entry, Sink, Subject};

/// What it shows in `case`.
pub fn entries(case: Case, stream: &Stream) -> Option<Entry> {
    let entry = match case.bench {
        Bench::Decode | Bench::DecodeText => {
            let socket = socket(Io::new(stream), case.masked);
            peer("tokio-websockets next", Reads { socket, frames: stream.frames.len() })
        }
        Bench::Encode => peer("tokio-websockets feed", Writes::new(case, stream)),
        Bench::Head | Bench::Mask | Bench::Utf8 | Bench::Inflate => return None,
    };
    Some(entry.of("tokio-websockets"))
}

fn socket(io: Io, server: bool) -> WebSocketStream<Io> {
    if server { ServerBuilder::new().serve(io) } else { ClientBuilder::new().take_over(io) }
}

struct Reads {
    socket: WebSocketStream<Io>,
    frames: usize,
}

impl Subject for Reads {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        block_on(async {
            for _ in 0..passes * self.frames {
                let message = self.socket.next().await.expect("endless").expect("good frames");
                sink.piece(message.as_payload());
                sink.end();
            }
        });
    }
}

struct Writes {
    socket: WebSocketStream<Io>,
    written: Written,
    payloads: Vec<Bytes>,
}

impl Writes {
    fn new(case: Case, stream: &Stream) -> Self {
        let io = Io::new(stream);
        let written = io.written();
        let payloads = stream.plain.chunks_exact(stream.size()).map(Bytes::copy_from_slice);
        Self { socket: socket(io, !case.masked), written, payloads: payloads.collect() }
    }
}

impl Subject for Writes {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        self.written.begin::<S>();
        block_on(async {
            for _ in 0..passes {
                for payload in &self.payloads {
                    let message = Message::binary(payload.clone());
                    self.socket.feed(message).await.expect("always ready");
                    if S::KEEPS {
                        self.socket.flush().await.expect("always ready");
                    }
                    self.written.hand_out(sink);
                    sink.end();
                }
            }
            self.socket.flush().await.expect("always ready");
        });
        if !S::KEEPS {
            self.written.hand_out(sink);
        }
    }
}
