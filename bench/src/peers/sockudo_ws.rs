//! sockudo-ws: a protocol over the caller's buffer that gives messages in batches. Text is checked.

use ::sockudo_ws::protocol::{CompressedReaderProtocol, Protocol};
use ::sockudo_ws::{DeflateConfig, Message, Role, simd, utf8};
use bytes::{Bytes, BytesMut};

use super::io::READ;
use super::peer;
use crate::aligned::Aligned;
use crate::case::{Bench, Case};
use crate::plain::{Masks, Texts};
use crate::stream::Stream;
use crate::subject::{Entry, Sink, Subject};

/// The longest frame and message it may take.
const MOST: usize = 64 << 20;

/// What it shows in `case`.
pub fn entries(case: Case, stream: &Stream) -> Option<Entry> {
    let entry = match case.bench {
        Bench::Decode | Bench::DecodeText => {
            let role = if case.masked { Role::Server } else { Role::Client };
            let protocol = Plain(Protocol::new(role, MOST, MOST));
            peer("sockudo-ws process_into", Reads::new(stream, protocol))
        }
        Bench::Inflate => {
            let config = DeflateConfig::default();
            let protocol = CompressedReaderProtocol::client(MOST, MOST, &config);
            peer("sockudo-ws CompressedReaderProtocol", Reads::new(stream, Inflating(protocol)))
        }
        Bench::Encode => peer("sockudo-ws encode_message", Writes::new(case, stream)),
        Bench::Mask => peer(
            "sockudo-ws apply_mask",
            Masks::new(stream, |key, data| simd::apply_mask(data, key)),
        ),
        Bench::Utf8 => peer("sockudo-ws validate_utf8", Texts::new(stream, utf8::validate_utf8)),
        Bench::Head => return None,
    };
    Some(entry.of("sockudo-ws"))
}

/// Both of its protocols.
trait Process {
    fn process(&mut self, buffer: &mut BytesMut, messages: &mut Vec<Message>);
}

struct Plain(Protocol);

impl Process for Plain {
    fn process(&mut self, buffer: &mut BytesMut, messages: &mut Vec<Message>) {
        self.0.process_into(buffer, messages).expect("good frames");
    }
}

struct Inflating(CompressedReaderProtocol);

impl Process for Inflating {
    fn process(&mut self, buffer: &mut BytesMut, messages: &mut Vec<Message>) {
        self.0.process_into(buffer, messages).expect("good frames");
    }
}

struct Reads<P> {
    wire: Aligned,
    protocol: P,
    buffer: BytesMut,
    messages: Vec<Message>,
}

impl<P> Reads<P> {
    fn new(stream: &Stream, protocol: P) -> Self {
        let wire = Aligned::copy(&stream.wire);
        let buffer = BytesMut::with_capacity(2 * READ);
        Self { wire, protocol, buffer, messages: Vec::new() }
    }
}

impl<P: Process> Subject for Reads<P> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for read in self.wire.chunks(READ) {
                self.buffer.extend_from_slice(read);
                self.protocol.process(&mut self.buffer, &mut self.messages);
                for message in self.messages.drain(..) {
                    sink.piece(message.as_bytes());
                    sink.end();
                }
            }
        }
    }
}

struct Writes {
    protocol: Protocol,
    messages: Vec<Message>,
    buffer: BytesMut,
}

impl Writes {
    fn new(case: Case, stream: &Stream) -> Self {
        let role = if case.masked { Role::Client } else { Role::Server };
        let payloads = stream.plain.chunks_exact(stream.size()).map(Bytes::copy_from_slice);
        let messages = payloads.map(Message::Binary).collect();
        Self { protocol: Protocol::new(role, MOST, MOST), messages, buffer: BytesMut::new() }
    }
}

impl Subject for Writes {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for message in &self.messages {
                self.buffer.clear();
                self.protocol.encode_message(message, &mut self.buffer).expect("there is memory");
                sink.piece(&self.buffer);
                sink.end();
            }
        }
    }
}
