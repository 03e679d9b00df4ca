//! yawc: a codec over the caller's buffer, and an async socket above it, which inflates. Its codec
//! leaves UTF-8 to the socket.

use std::future::poll_fn;

use ::yawc::codec::{Decoder, Encoder};
use ::yawc::frame::Frame;
use ::yawc::{Options, Role, WebSocket};
use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::io::{Io, READ, block_on};
use super::peer;
use crate::aligned::Aligned;
use crate::case::{Bench, Case};
use crate::plain::Masks;
use crate::stream::Stream;
use crate::subject::{Entry, Sink, Subject};

/// What it shows in `case`.
pub fn entries(case: Case, stream: &Stream) -> Option<Entry> {
    let entry = match case.bench {
        Bench::Decode => peer("yawc Decoder", Reads::<false>::new(case, stream)),
        Bench::DecodeText => peer("yawc Decoder + simdutf8", Reads::<true>::new(case, stream)),
        Bench::Encode => peer("yawc Encoder", Writes::new(case, stream)),
        Bench::Mask => peer(
            "yawc apply_mask",
            Masks::new(stream, |key, data| ::yawc::mask::apply_mask(data, key)),
        ),
        Bench::Inflate => peer("yawc WebSocket", Messages::new(stream)),
        Bench::Head | Bench::Utf8 => return None,
    };
    Some(entry.of("yawc"))
}

struct Reads<const TEXT: bool> {
    wire: Aligned,
    decoder: Decoder,
    buffer: BytesMut,
}

impl<const TEXT: bool> Reads<TEXT> {
    fn new(case: Case, stream: &Stream) -> Self {
        let role = if case.masked { Role::Server } else { Role::Client };
        Self {
            wire: Aligned::copy(&stream.wire),
            decoder: Decoder::new(role, 64 << 20),
            buffer: BytesMut::with_capacity(2 * READ),
        }
    }
}

impl<const TEXT: bool> Subject for Reads<TEXT> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for read in self.wire.chunks(READ) {
                self.buffer.extend_from_slice(read);
                while let Some(frame) = self.decoder.decode(&mut self.buffer).expect("good frames")
                {
                    let payload = frame.payload();
                    if TEXT {
                        assert!(simdutf8::basic::from_utf8(payload).is_ok(), "a text");
                    }
                    sink.piece(payload);
                    sink.end();
                }
            }
        }
    }
}

struct Writes {
    encoder: Encoder,
    payloads: Vec<Bytes>,
    buffer: BytesMut,
}

impl Writes {
    fn new(case: Case, stream: &Stream) -> Self {
        let role = if case.masked { Role::Client } else { Role::Server };
        let payloads = stream.plain.chunks_exact(stream.size()).map(Bytes::copy_from_slice);
        let encoder = Encoder::new(role);
        Self { encoder, payloads: payloads.collect(), buffer: BytesMut::new() }
    }
}

impl Subject for Writes {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for payload in &self.payloads {
                self.buffer.clear();
                let frame = Frame::binary(payload.clone());
                self.encoder.encode(frame, &mut self.buffer).expect("there is memory");
                sink.piece(&self.buffer);
                sink.end();
            }
        }
    }
}

struct Messages {
    socket: WebSocket<Io>,
    frames: usize,
}

impl Messages {
    fn new(stream: &Stream) -> Self {
        let options =
            Options::default().with_balanced_compression().with_limits(64 << 20, 64 << 20);
        let socket = WebSocket::from_stream_with_extensions(
            Io::new(stream),
            Role::Client,
            Some("permessage-deflate"),
            options.with_utf8(),
        );
        Self { socket: socket.expect("what it offers itself"), frames: stream.frames.len() }
    }
}

impl Subject for Messages {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        block_on(async {
            for _ in 0..passes * self.frames {
                let frame = poll_fn(|context| self.socket.poll_next_frame(context)).await;
                sink.piece(frame.expect("good frames").payload());
                sink.end();
            }
        });
    }
}
