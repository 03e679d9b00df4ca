//! Fixed pieces of work whose instructions `cargo xtask instructions` counts: of the relay, whose
//! ends are in memory and whose clock stands still, and of the codec alone. What each made is checked.
//!
//! No thread, no socket and no time is in them, so that a count is the same on every run. They know no
//! TLS, no policy and no ledger.
//!
//! `cargo bench -p capsem-mitm --no-default-features --bench instructions [-- NAME]`; without a name,
//! the names.

use std::{
    collections::VecDeque,
    hint::black_box,
    io,
    pin::Pin,
    sync::mpsc,
    task::{Context, Poll, Waker},
};

use capsem_mitm::ws::{Config, Session, tunnel};
use capsem_telemetry::{CallStatus, ModelCall};
use capsem_ws_codec::{
    Compression, Counters, Decoder, Deflate, Event, FrameHead, Limits, Opcode, Reader, Role,
    encode_frame, handshake::Accepted,
};
use responses::{Deaf, SAID, Tap, turn, wire};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Builder,
};

mod responses;

/// Turns of the Responses conversation.
const TURNS: u64 = 4;

const WORK: [(&str, fn()); 7] = [
    ("relay 16 KiB messages", || relay_both_ways(16 * 1024, 512, Pace::AtOnce)),
    ("relay 128 B messages", || relay_both_ways(128, 16 * 1024, Pace::AtOnce)),
    ("relay 128 B messages in turn", || relay_both_ways(128, 2048, Pace::InTurn)),
    ("relay compressed Responses with evidence", relay_responses),
    ("decode masked 128 B frames", decode),
    ("read masked text of 16 KiB", read_text),
    ("read compressed Responses", inflate),
];

fn main() {
    match std::env::args().nth(1).filter(|word| word != "--bench") {
        None => WORK.iter().for_each(|(name, _)| println!("{name}")),
        Some(wanted) => {
            let found = WORK.iter().find(|(name, _)| *name == wanted);
            found.expect("one of the names that are printed without an argument").1();
        }
    }
}

/// The only function whose instructions count, and what it calls.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
    // Without this the call above is a jump, and this function over before it.
    black_box(());
}

/// Whether a side awaits the answer to each of its messages.
#[derive(Clone, Copy)]
enum Pace {
    AtOnce,
    InTurn,
}

/// Both sides send messages of `len` bytes, the client text and the server bytes.
fn relay_both_ways(len: usize, messages: u64, pace: Pace) {
    let frame = |role, opcode| frames(role, opcode, len, 1);
    let (ask, answer) = (frame(Role::Client, Opcode::Text), frame(Role::Server, Opcode::Binary));
    let (turns, at_once) = match pace {
        Pace::AtOnce => (1, usize::try_from(messages).expect("a few")),
        Pace::InTurn => (usize::try_from(messages).expect("a few"), 1),
    };
    let talk = vec![(ask.repeat(at_once), answer.repeat(at_once)); turns];
    let totals = relay(talk, None, Deaf);
    assert_eq!(totals.map(|it| it.messages), [messages; 2]);
}

fn relay_responses() {
    let session: Vec<_> = (0..TURNS).map(turn).collect();
    let deflate = Some(Deflate::default());
    let (said, calls) = mpsc::channel();
    let totals = relay(wire(&session, deflate), deflate, Tap::new(said));
    assert_eq!(totals.map(|it| it.messages), [TURNS, TURNS * SAID]);
    let calls: Vec<ModelCall> = calls.try_iter().collect();
    assert!(calls.iter().all(|it| it.status == CallStatus::Completed));
    assert_eq!(calls.len() as u64, TURNS);
}

/// Relays what the two sides say in turn, the client first, and returns the totals up and down.
fn relay(
    talk: Vec<(Vec<u8>, Vec<u8>)>,
    deflate: Option<Deflate>,
    session: impl Session,
) -> [Counters; 2] {
    let (mut client, mut server) = (End::default(), End::default());
    for (ask, answer) in talk {
        client.lines.push_back((server.said, ask));
        client.said += client.lines.back().map_or(0, |(_, ask)| ask.len());
        server.said += answer.len();
        server.lines.push_back((client.said, answer));
    }
    let said = [client.said, server.said].map(|bytes| bytes as u64);
    let accepted = Accepted { deflate, ..Accepted::default() };
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let (mut parts, mut ended) = (Some((client, server, session)), None);
    counted(&mut || {
        if let Some((client, server, session)) = parts.take() {
            let config = Config::default();
            let relayed = tunnel(client, server, &accepted, session, &config);
            ended = Some(runtime.block_on(relayed));
        }
    });
    let ended = ended.expect("it ran");
    let totals = [ended.to_upstream, ended.to_client];
    assert_eq!((ended.fault, totals.map(|it| it.wire_bytes)), (None, said));
    totals
}

/// One end of a connection: says each line once it has heard so many bytes, and after the last one
/// no more.
#[derive(Default)]
struct End {
    lines: VecDeque<(usize, Vec<u8>)>,
    /// Bytes of the first line that were said.
    at: usize,
    /// Bytes of all lines.
    said: usize,
    heard: usize,
    reader: Option<Waker>,
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some((awaited, line)) = this.lines.front() else { return Poll::Ready(Ok(())) };
        if this.heard < *awaited {
            this.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let rest = &line[this.at..];
        let now = &rest[..rest.len().min(out.remaining())];
        out.put_slice(now);
        this.at += now.len();
        if this.at == line.len() {
            this.lines.pop_front();
            this.at = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.heard += bytes.len();
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Frames of a client, unmasked where they lie.
fn decode() {
    const FRAMES: usize = 8 * 1024;
    let mut wire = frames(Role::Client, Opcode::Binary, 128, FRAMES);
    let mut decoder = Decoder::new(Role::Client, Compression::Off, Limits::default());
    let mut found = 0;
    counted(&mut || {
        let mut input = &mut wire[..];
        while let Some(event) = decoder.decode_in_place(&mut input).expect("good frames") {
            found += usize::from(matches!(black_box(event), Event::Data(_)));
        }
    });
    assert_eq!((found, wire.last()), (FRAMES, Some(&b'x')));
}

/// Messages of a client, each unmasked into a buffer and checked as UTF-8.
fn read_text() {
    read(Role::Client, None, &frames(Role::Client, Opcode::Text, 16 * 1024, 256), 256);
}

/// Messages of a server, each inflated.
fn inflate() {
    let session: Vec<_> = (0..TURNS).map(turn).collect();
    let deflate = Some(Deflate::default());
    let answers = wire(&session, deflate).into_iter().map(|(_, answer)| answer);
    read(Role::Server, deflate, &answers.collect::<Vec<_>>().concat(), TURNS * SAID);
}

fn read(sender: Role, deflate: Option<Deflate>, wire: &[u8], messages: u64) {
    let mut reader = Reader::new(sender, deflate, Limits::default());
    counted(&mut || {
        for mut piece in wire.chunks(16 * 1024) {
            while let Some(item) = reader.read(&mut piece).expect("good messages") {
                black_box(item);
            }
        }
    });
    assert_eq!(reader.counters().messages, messages);
}

/// Messages of one frame each.
fn frames(sender: Role, opcode: Opcode, len: usize, count: usize) -> Vec<u8> {
    let mask = (sender == Role::Client).then_some([1, 2, 3, 4]);
    let head = FrameHead { fin: true, rsv1: false, opcode, mask, len: 0 };
    let mut wire = Vec::new();
    encode_frame(head, &vec![b'x'; len], &mut wire);
    wire.repeat(count)
}
