//! websocket-sans-io: events over the caller's bytes, unmasked in place. UTF-8, order and most
//! checks of heads are left to the caller.

use ::websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent,
    apply_mask,
};

use super::peer;
use crate::aligned::Aligned;
use crate::case::{Bench, Case};
use crate::plain::Masks;
use crate::random::Random;
use crate::stream::Stream;
use crate::subject::{Entry, Sink, Subject};

/// What it shows in `case`.
pub fn entries(case: Case, stream: &Stream) -> Option<Entry> {
    let entry = match case.bench {
        Bench::Decode => peer("websocket-sans-io add_data", Reads::<false>::new(stream)),
        Bench::DecodeText => {
            peer("websocket-sans-io add_data + simdutf8", Reads::<true>::new(stream))
        }
        Bench::Encode => peer("websocket-sans-io, masked in place", Writes::new(case, stream)),
        Bench::Mask => peer(
            "websocket-sans-io apply_mask",
            Masks::new(stream, |key, data| apply_mask(key, data, 0)),
        ),
        Bench::Head | Bench::Utf8 | Bench::Inflate => return None,
    };
    Some(entry.of("websocket-sans-io"))
}

struct Reads<const TEXT: bool> {
    wire: Aligned,
    decoder: WebsocketFrameDecoder,
}

impl<const TEXT: bool> Reads<TEXT> {
    fn new(stream: &Stream) -> Self {
        Self { wire: Aligned::copy(&stream.wire), decoder: WebsocketFrameDecoder::new() }
    }
}

impl<const TEXT: bool> Subject for Reads<TEXT> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            let mut rest = &mut *self.wire;
            loop {
                let result = self.decoder.add_data(rest).expect("it has no errors");
                let (used, left) = rest.split_at_mut(result.consumed_bytes);
                match result.event {
                    Some(WebsocketFrameEvent::Start { frame_info, .. }) => {
                        assert!(frame_info.is_reasonable(), "a good head");
                    }
                    Some(WebsocketFrameEvent::PayloadChunk { .. }) => {
                        if TEXT {
                            assert!(simdutf8::basic::from_utf8(used).is_ok(), "a text");
                        }
                        sink.piece(used);
                    }
                    Some(WebsocketFrameEvent::End { .. }) => sink.end(),
                    None if used.is_empty() => break,
                    None => {}
                }
                rest = left;
            }
        }
    }
}

struct Writes {
    encoder: WebsocketFrameEncoder,
    plain: Aligned,
    size: usize,
    keys: Option<Random>,
}

impl Writes {
    fn new(case: Case, stream: &Stream) -> Self {
        Self {
            encoder: WebsocketFrameEncoder::new(),
            plain: Aligned::copy(&stream.plain),
            size: stream.size(),
            keys: case.masked.then(Random::new),
        }
    }
}

impl Subject for Writes {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for payload in self.plain.chunks_exact_mut(self.size) {
                let info = FrameInfo {
                    opcode: Opcode::Binary,
                    payload_length: payload.len() as u64,
                    mask: self.keys.as_mut().map(Random::key),
                    fin: true,
                    reserved: 0,
                };
                sink.piece(&self.encoder.start_frame(&info));
                self.encoder.transform_frame_payload(payload);
                sink.piece(payload);
                sink.end();
            }
        }
    }
}
