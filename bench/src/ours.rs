//! The codec under test: the one file that calls it.

use capsem_ws_codec::{
    Compression, Decoder, Deflate, Event, FrameHead, Item, Limits, Mask, Opcode, Reader, Role,
    Utf8, encode_frame,
};

use crate::aligned::Aligned;
use crate::case::{Bench, Case};
use crate::plain::{Masks, Texts};
use crate::random::Random;
use crate::stream::Stream;
use crate::subject::{Entry, Kind, Sink, Subject};

/// The crate's name, and that of its main row in every case.
pub const NAME: &str = "capsem-ws-codec";

/// Bytes one read gives at most.
const READ: usize = 64 * 1024;

/// The codec in `case`.
pub fn entries(case: Case, stream: &Stream) -> Vec<Entry> {
    let sender = if case.masked { Role::Client } else { Role::Server };
    let entries = match (case.bench, case.masked) {
        (Bench::Head, _) => {
            let wire = Aligned::copy(&stream.wire);
            vec![
                ours(Heads { wire, sender }),
                variant("capsem-ws-codec Decoder, payload skipped", Skipped::new(stream, sender)),
            ]
        }
        (Bench::Decode | Bench::DecodeText, masked) => vec![
            if masked {
                ours(InPlace::new(stream, sender))
            } else {
                ours(Borrowed::new(stream, sender))
            },
            variant("capsem-ws-codec, read copy", Copied::new(stream, sender)),
            variant("capsem-ws-codec Reader", Messages::new(stream, sender, None)),
        ],
        (Bench::Inflate, _) => {
            vec![ours(Messages::new(stream, sender, Some(Deflate::default())))]
        }
        (Bench::Encode, true) => vec![
            ours(Apart::<true>::new(stream)),
            variant("capsem-ws-codec encode_frame", Joined::new(stream, true)),
        ],
        (Bench::Encode, false) => vec![
            ours(Apart::<false>::new(stream)),
            variant("capsem-ws-codec encode_frame", Joined::new(stream, false)),
        ],
        (Bench::Mask, _) => {
            vec![ours(Masks::new(stream, |key, data| Mask::new(key, 0).apply(data)))]
        }
        (Bench::Utf8, _) => vec![ours(Texts::new(stream, |text| {
            let mut utf8 = Utf8::default();
            utf8.push(text).is_ok() && utf8.is_complete()
        }))],
    };
    entries.into_iter().map(|entry| entry.of(NAME)).collect()
}

fn ours(subject: impl Subject + 'static) -> Entry {
    Entry::new(NAME, Kind::Ours, subject)
}

/// A use at another level, to hold the main one against.
fn variant(name: &'static str, subject: impl Subject + 'static) -> Entry {
    Entry::new(name, Kind::Variant, subject)
}

/// Heads, one after the other.
struct Heads {
    wire: Aligned,
    sender: Role,
}

impl Subject for Heads {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            let mut rest = &*self.wire;
            while !rest.is_empty() {
                let parsed = FrameHead::parse(rest, self.sender, Compression::Off);
                let (head, used) = parsed.expect("a good head").expect("a whole head");
                let len = usize::try_from(head.len).expect("fits memory");
                rest = &rest[used + len..];
                sink.head(head, head.len);
                sink.end();
            }
        }
    }
}

/// Heads as the decoder's events have them, order and limits checked too.
struct Skipped {
    wire: Aligned,
    decoder: Decoder,
}

impl Skipped {
    fn new(stream: &Stream, sender: Role) -> Self {
        Self { wire: Aligned::copy(&stream.wire), decoder: decoder(sender) }
    }
}

impl Subject for Skipped {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            let mut input = &*self.wire;
            while let Some(event) = self.decoder.decode(&mut input).expect("good frames") {
                let Event::Data(data) = event else { panic!("a data frame") };
                sink.head(data.head, data.head.len);
                sink.end();
            }
        }
    }
}

/// Frames by the decoder's events, payloads unmasked where they lie, texts checked.
struct InPlace {
    wire: Aligned,
    decoder: Decoder,
    utf8: Utf8,
}

impl InPlace {
    fn new(stream: &Stream, sender: Role) -> Self {
        let (wire, utf8) = (Aligned::copy(&stream.wire), Utf8::default());
        Self { wire, decoder: decoder(sender), utf8 }
    }
}

impl Subject for InPlace {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            hand_out(&mut self.decoder, &mut self.utf8, &mut self.wire, sink);
        }
    }
}

/// The same for frames that are not masked: payloads as slices of what was read.
struct Borrowed {
    wire: Aligned,
    decoder: Decoder,
    utf8: Utf8,
}

impl Borrowed {
    fn new(stream: &Stream, sender: Role) -> Self {
        let (wire, utf8) = (Aligned::copy(&stream.wire), Utf8::default());
        Self { wire, decoder: decoder(sender), utf8 }
    }
}

impl Subject for Borrowed {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            let mut input = &*self.wire;
            while let Some(event) = self.decoder.decode(&mut input).expect("good frames") {
                let Event::Data(data) = event else { panic!("a data frame") };
                hand_on(data.head.opcode, data.payload, data.ends, &mut self.utf8, sink);
            }
        }
    }
}

/// The same as in place, but the bytes first arrive by copies of at most [`READ`], and long payloads in pieces.
struct Copied {
    wire: Aligned,
    buffer: Aligned,
    decoder: Decoder,
    utf8: Utf8,
}

impl Copied {
    fn new(stream: &Stream, sender: Role) -> Self {
        let (wire, buffer) = (Aligned::copy(&stream.wire), Aligned::zeroed(READ));
        Self { wire, buffer, decoder: decoder(sender), utf8: Utf8::default() }
    }
}

impl Subject for Copied {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for read in self.wire.chunks(READ) {
                let buffer = &mut self.buffer[..read.len()];
                buffer.copy_from_slice(read);
                hand_out(&mut self.decoder, &mut self.utf8, buffer, sink);
            }
        }
    }
}

fn decoder(sender: Role) -> Decoder {
    Decoder::new(sender, Compression::Off, Limits::default())
}

#[inline]
fn hand_out(decoder: &mut Decoder, utf8: &mut Utf8, mut input: &mut [u8], sink: &mut impl Sink) {
    while let Some(event) = decoder.decode_in_place(&mut input).expect("good frames") {
        let Event::Data(data) = event else { panic!("a data frame") };
        hand_on(data.head.opcode, data.payload, data.ends, utf8, sink);
    }
}

/// What a user does with a part of a frame: looks at its opcode, and checks a text.
#[inline(always)]
fn hand_on(opcode: Opcode, payload: &[u8], ends: bool, utf8: &mut Utf8, sink: &mut impl Sink) {
    match opcode {
        Opcode::Text => {
            utf8.push(payload).expect("a text");
            assert!(!ends || utf8.is_complete(), "a text");
        }
        Opcode::Binary => {}
        opcode => panic!("{opcode:?}"),
    }
    sink.piece(payload);
    if ends {
        sink.end();
    }
}

/// Messages by the reader: joined, inflated, checked as text.
struct Messages {
    wire: Aligned,
    reader: Reader,
}

impl Messages {
    fn new(stream: &Stream, sender: Role, deflate: Option<Deflate>) -> Self {
        let reader = Reader::new(sender, deflate, Limits::default());
        Self { wire: Aligned::copy(&stream.wire), reader }
    }
}

impl Subject for Messages {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            let mut input = &*self.wire;
            while let Some(item) = self.reader.read(&mut input).expect("good frames") {
                if let Item::Message(message) = item {
                    sink.piece(message.payload);
                    sink.end();
                }
            }
        }
    }
}

/// Whole frames appended to a buffer.
struct Joined {
    plain: Aligned,
    size: usize,
    out: Vec<u8>,
    keys: Option<Random>,
}

impl Joined {
    fn new(stream: &Stream, masked: bool) -> Self {
        Self {
            plain: Aligned::copy(&stream.plain),
            size: stream.size(),
            out: Vec::new(),
            keys: masked.then(Random::new),
        }
    }
}

impl Subject for Joined {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for payload in self.plain.chunks_exact(self.size) {
                self.out.clear();
                let mask = self.keys.as_mut().map(Random::key);
                encode_frame(head(mask, payload), payload, &mut self.out);
                sink.piece(&self.out);
                sink.end();
            }
        }
    }
}

/// A head on the stack; the payload stays where it is, as for a vectored write, and is masked
/// there if `MASKED`.
struct Apart<const MASKED: bool> {
    plain: Aligned,
    size: usize,
    keys: Random,
}

impl<const MASKED: bool> Apart<MASKED> {
    fn new(stream: &Stream) -> Self {
        Self { plain: Aligned::copy(&stream.plain), size: stream.size(), keys: Random::new() }
    }
}

impl<const MASKED: bool> Subject for Apart<MASKED> {
    fn run<S: Sink>(&mut self, passes: usize, sink: &mut S) {
        for _ in 0..passes {
            for payload in self.plain.chunks_exact_mut(self.size) {
                let key = MASKED.then(|| self.keys.key());
                let (wire, used) = head(key, payload).encode();
                sink.piece(&wire[..used]);
                if let Some(key) = key {
                    Mask::new(key, 0).apply(payload);
                }
                sink.piece(payload);
                sink.end();
            }
        }
    }
}

fn head(mask: Option<[u8; 4]>, payload: &[u8]) -> FrameHead {
    FrameHead { fin: true, rsv1: false, opcode: Opcode::Binary, mask, len: payload.len() as u64 }
}
