//! tungstenite: blocking, owned payloads. Text is checked; heads can be parsed alone, without the
//! rule of who masks.

use std::io::Cursor;

use ::tungstenite::protocol::frame::FrameHeader;
use ::tungstenite::protocol::{Role, WebSocket};
use ::tungstenite::{Bytes, Message};

use super::io::{Io, Written};
use super::peer;
use crate::aligned::Aligned;
use crate::case::{Bench, Case};
use crate::stream::Stream;
use crate::subject::{Entry, Sink, Subject};

/// What it shows in `case`.
pub fn entries(case: Case, stream: &Stream) -> Option<Entry> {
    let entry = match case.bench {
        Bench::Head => peer("tungstenite FrameHeader::parse", Heads(Aligned::copy(&stream.wire))),
        Bench::Decode | Bench::DecodeText => peer("tungstenite read", Reads::new(case, stream)),
        Bench::Encode => peer("tungstenite write", Writes::new(case, stream)),
        Bench::Mask | Bench::Utf8 | Bench::Inflate => return None,
    };
    Some(entry.of("tungstenite"))
}

struct Heads(Aligned);

impl Subject for Heads {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            let mut rest = &*self.0;
            while !rest.is_empty() {
                let mut cursor = Cursor::new(rest);
                let parsed = FrameHeader::parse(&mut cursor).expect("a good head");
                let (head, len) = parsed.expect("a whole head");
                let next = usize::try_from(cursor.position() + len).expect("fits memory");
                rest = &rest[next..];
                sink.head(head, len);
                sink.end();
            }
        }
    }
}

struct Reads {
    socket: WebSocket<Io>,
    frames: usize,
}

impl Reads {
    fn new(case: Case, stream: &Stream) -> Self {
        let role = if case.masked { Role::Server } else { Role::Client };
        let socket = WebSocket::from_raw_socket(Io::new(stream), role, None);
        Self { socket, frames: stream.frames.len() }
    }
}

impl Subject for Reads {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes * self.frames {
            match self.socket.read().expect("good frames") {
                Message::Binary(payload) => sink.piece(&payload),
                Message::Text(text) => sink.piece(text.as_bytes()),
                other => panic!("{other:?}"),
            }
            sink.end();
        }
    }
}

struct Writes {
    socket: WebSocket<Io>,
    written: Written,
    payloads: Vec<Bytes>,
}

impl Writes {
    fn new(case: Case, stream: &Stream) -> Self {
        let role = if case.masked { Role::Client } else { Role::Server };
        let io = Io::new(stream);
        let written = io.written();
        let payloads = stream.plain.chunks_exact(stream.size()).map(Bytes::copy_from_slice);
        let socket = WebSocket::from_raw_socket(io, role, None);
        Self { socket, written, payloads: payloads.collect() }
    }
}

impl Subject for Writes {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        self.written.begin::<S>();
        for _ in 0..passes {
            for payload in &self.payloads {
                self.socket.write(Message::Binary(payload.clone())).expect("always ready");
                if S::KEEPS {
                    self.socket.flush().expect("always ready");
                }
                self.written.hand_out(sink);
                sink.end();
            }
        }
        self.socket.flush().expect("always ready");
        if !S::KEEPS {
            self.written.hand_out(sink);
        }
    }
}
