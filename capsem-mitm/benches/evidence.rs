//! What evidence costs per MiB of Responses traffic: the relay with a session that does nothing,
//! against the relay with one that reads model calls as the proxy's own does. Plain and compressed,
//! in interleaved rounds, over sockets of the kernel; bytes, messages and calls are checked in each.
//!
//! Time is what the relay's thread spends on a CPU. The ends run on another thread and send a whole
//! answer at once, so the relay reads full buffers: its own cost is at its least, the ratio at its
//! worst. It knows no TLS, no policy and no ledger.
//!
//! Then how long one look at a message takes, for whatever comes next on its thread: of each message
//! of that session, and of large ones, whose own bytes have gone on by then.
//!
//! `cargo bench -p capsem-mitm --no-default-features --bench evidence [-- ROUNDS]`

use std::{os::unix::net::UnixStream as Socket, sync::mpsc, thread, time::Duration};

use capsem_mitm::ws::{Config, Ended, Session, tunnel};
use capsem_telemetry::{CallStatus, ModelCall};
use capsem_ws_codec::{Deflate, Message, Opcode, Role, handshake::Accepted};
use responses::{Deaf, SAID, Tap, Turn, turn, wire};
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    runtime::{Builder, Runtime},
};

mod responses;

/// Turns of one socket: an hour of an agent's work.
const TURNS: u64 = 60;

/// Rounds, each of which runs every case once.
const ROUNDS: usize = 31;

fn main() {
    let rounds = std::env::args().skip(1).find_map(|it| it.parse().ok()).unwrap_or(ROUNDS);
    let session: Vec<Turn<String>> = (0..TURNS).map(turn).collect();
    let text =
        |turn: &Turn<String>| turn.ask.len() + turn.answer.iter().map(String::len).sum::<usize>();
    let size = mib(session.iter().map(text).sum());
    println!("{TURNS} turns, {} messages, {size:.2} MiB, {rounds} rounds", TURNS * (SAID + 1));
    let cases = [("plain", None), ("compressed", Some(Deflate::default()))]
        .map(|(name, deflate)| (name, deflate, wire(&session, deflate)));
    let mut spent = [const { [const { Vec::new() }; 2] }; 2];
    for round in 0..=rounds {
        for ((_, deflate, wire), spent) in cases.iter().zip(&mut spent) {
            for (spent, reading) in spent.iter_mut().zip([Reading::Off, Reading::On]) {
                let time = run(wire, *deflate, reading);
                // The first round warms up.
                if round > 0 {
                    spent.push(time.as_secs_f64() * 1e6 / size);
                }
            }
        }
    }
    for ((name, ..), [without, with]) in cases.iter().zip(spent) {
        let ratio = median(with.iter().zip(&without).map(|(with, without)| with / without));
        let cost = median(with.iter().zip(&without).map(|(with, without)| with - without));
        let [without, with] = [without, with].map(|it| median(it.into_iter()));
        println!(
            "{name:>10}: {without:6.0} us/MiB without evidence, {with:6.0} with, {cost:6.0} for it, \
             {:4.0} ns a message; ratio {ratio:.2}",
            cost * size * 1e3 / f64::from(u32::try_from(TURNS * (SAID + 1)).unwrap_or(u32::MAX)),
        );
    }
    looks(&session);
}

/// Prints how long evidence looks at one message.
fn looks(session: &[Turn<String>]) {
    let small = session.iter().flat_map(|turn| {
        let answer = turn.answer.iter().map(|said| (Role::Server, said.as_str()));
        std::iter::once((Role::Client, turn.ask.as_str())).chain(answer)
    });
    look("messages of the session", small);
    let (text, deep) = ("a line of output\\n".repeat(600_000), "[".repeat(10 << 20));
    let keys = (0..600_000).fold(String::new(), |keys, n| keys + &format!(r#","key{n}":{n}"#));
    let items = format!(
        r#"{{"type":"function_call_output","call_id":"c","output":"{}"}},"#,
        "x".repeat(100)
    );
    for (name, rest) in [
        ("10 MiB of text", format!(r#""input":"{text}""#)),
        ("10 MiB of items", format!(r#""input":[{}1]"#, items.repeat(60_000))),
        ("10 MiB of keys", format!(r#""input":1{keys}"#)),
        ("10 MiB of brackets", format!(r#""input":{deep}"#)),
    ] {
        let json = format!(r#"{{"type":"response.create","model":"m-1",{rest}}}"#);
        look(name, std::iter::repeat_n((Role::Client, json.as_str()), ROUNDS));
    }
}

fn look<'m>(name: &str, messages: impl Iterator<Item = (Role, &'m str)>) {
    let (said, _calls) = mpsc::channel();
    let mut tap = Tap::new(said);
    let mut took: Vec<f64> = messages
        .map(|(from, json)| {
            let payload = json.as_bytes();
            let len = payload.len() as u64;
            let message = Message {
                opcode: Opcode::Text,
                payload,
                len,
                wire_len: len,
                fragments: 1,
                compressed: false,
                truncated: false,
            };
            let start = cpu_time();
            tap.on_message(from, &message);
            cpu_time().saturating_sub(start).as_secs_f64() * 1e6
        })
        .collect();
    took.sort_by(f64::total_cmp);
    let at = |part: usize| took.get((took.len() - 1) * part / 100).copied().unwrap_or(f64::NAN);
    println!("{name:>24}: {:8.1} us, p99 {:8.1}, worst {:8.1}", at(50), at(99), at(100));
}

#[derive(Clone, Copy)]
enum Reading {
    Off,
    On,
}

/// Relays the whole session, checks what came of it, and returns what the relay's thread spent.
fn run(wire: &[(Vec<u8>, Vec<u8>)], deflate: Option<Deflate>, reading: Reading) -> Duration {
    let (client, inner_client) = Socket::pair().expect("a pair of sockets");
    let (upstream, inner_upstream) = Socket::pair().expect("a pair of sockets");
    let relay = thread::spawn(move || {
        runtime().block_on(async {
            let (client, upstream) = (stream(inner_client), stream(inner_upstream));
            let accepted = Accepted { deflate, ..Accepted::default() };
            let config = Config::default();
            match reading {
                Reading::Off => {
                    (timed(tunnel(client, upstream, &accepted, Deaf, &config)).await, None)
                }
                Reading::On => {
                    let (said, calls) = mpsc::channel();
                    let tap = Tap::new(said);
                    (timed(tunnel(client, upstream, &accepted, tap, &config)).await, Some(calls))
                }
            }
        })
    });
    runtime().block_on(async { ends(stream(client), stream(upstream), wire).await });
    let ((spent, ended), calls) = relay.join().expect("the relay does not panic");
    assert_eq!(ended.fault, None);
    assert_eq!((ended.to_upstream.messages, ended.to_client.messages), (TURNS, TURNS * SAID));
    if let Some(calls) = calls {
        let calls: Vec<ModelCall> = calls.try_iter().collect();
        assert!(
            calls.iter().all(|it| it.status == CallStatus::Completed && it.tool_calls.len() == 1)
        );
        let tokens: u64 = calls.iter().filter_map(|it| it.usage?.output_tokens).sum();
        assert_eq!((calls.len() as u64, tokens), (TURNS, (0..TURNS).sum()));
    }
    spent
}

/// Both ends, turn by turn: what one sends comes to the other as it was.
async fn ends(mut client: UnixStream, mut upstream: UnixStream, wire: &[(Vec<u8>, Vec<u8>)]) {
    let mut got = Vec::new();
    for (ask, answer) in wire {
        got.resize(ask.len(), 0);
        let sent = tokio::join!(client.write_all(ask), upstream.read_exact(&mut got));
        assert!(sent.0.is_ok() && sent.1.is_ok() && got == *ask);
        got.resize(answer.len(), 0);
        let sent = tokio::join!(upstream.write_all(answer), client.read_exact(&mut got));
        assert!(sent.0.is_ok() && sent.1.is_ok() && got == *answer);
    }
}

async fn timed(tunnel: impl Future<Output = Ended>) -> (Duration, Ended) {
    let start = cpu_time();
    let ended = tunnel.await;
    (cpu_time().saturating_sub(start), ended)
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("it counts from zero")
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn stream(socket: Socket) -> UnixStream {
    socket.set_nonblocking(true).expect("a socket can");
    UnixStream::from_std(socket).expect("a runtime takes it")
}

/// The middle value.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Sizes here are far below what a double holds exactly.
#[allow(clippy::cast_precision_loss)]
fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
