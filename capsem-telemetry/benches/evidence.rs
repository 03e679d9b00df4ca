//! What reading model calls costs per MiB of Responses traffic: frames read by the codec alone, as
//! the relay does without evidence, against the same with their messages fed to the interpreter.
//! Both plain and compressed, in interleaved rounds; the answers are checked in each.
//!
//! `cargo bench -p capsem-telemetry --bench evidence [-- ROUNDS]`

use std::time::{Duration, Instant};

use capsem_telemetry::evidence::{Seen, Settings, WsEvidence};
use capsem_telemetry::{CallStatus, Id, attribute};
use capsem_ws_codec::{Deflate, FrameHead, Item, Limits, Opcode, Reader, Role, encode_frame};
use flate2::{Compress, Compression, FlushCompress};

/// Turns of one socket: an hour of an agent's work.
const TURNS: u64 = 60;

/// Deltas of one turn.
const DELTAS: u64 = 400;

/// Rounds, each of which runs every case once.
const ROUNDS: usize = 15;

fn main() {
    let rounds = std::env::args().skip(1).find_map(|it| it.parse().ok()).unwrap_or(ROUNDS);
    let session = session();
    let bytes: usize = session.iter().map(|(_, json)| json.len()).sum();
    println!("{TURNS} turns, {} messages, {:.2} MiB", session.len(), mib(bytes));
    for (name, deflate) in [("plain", None), ("compressed", Some(Deflate::default()))] {
        let wire = wire(&session, deflate);
        let (mut without, mut with, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..=rounds {
            let bare = timed(|| read(&wire, deflate, None));
            let full = timed(|| read(&wire, deflate, Some(evidence())));
            without.push(bare);
            with.push(full);
            ratios.push(full.as_secs_f64() / bare.as_secs_f64());
        }
        // The fastest round is the one least disturbed by what else the machine does.
        let [without, with] = [without, with]
            .map(|times| times.iter().min().map_or(0.0, Duration::as_secs_f64) * 1e6 / mib(bytes));
        ratios.remove(0); // the first round warms up
        ratios.sort_by(f64::total_cmp);
        println!(
            "{name:>10}: {without:7.0} us/MiB without evidence, {with:7.0} with, {:7.0} for it, {:4.0} ns a message; median ratio {:.2}",
            with - without,
            (with - without) * mib(bytes) * 1000.0
                / f64::from(u32::try_from(session.len()).unwrap_or(u32::MAX)),
            ratios[ratios.len() / 2]
        );
    }
}

fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

fn evidence() -> WsEvidence {
    WsEvidence::new(Settings::new(
        Id::fresh(),
        attribute("api.openai.com", "/v1/responses"),
        1 << 20,
    ))
}

/// Reads all frames, feeds the messages where there is an interpreter, and checks what comes of it.
fn read(wire: &[(Role, Vec<u8>)], deflate: Option<Deflate>, mut evidence: Option<WsEvidence>) {
    let mut readers =
        [Role::Client, Role::Server].map(|role| Reader::new(role, deflate, Limits::default()));
    let (mut messages, mut calls, mut tokens) = (0, 0, 0);
    for (role, frame) in wire {
        let reader = &mut readers[usize::from(*role == Role::Server)];
        let mut input = frame.as_slice();
        while let Some(item) = reader.read(&mut input).expect("well formed") {
            let Item::Message(message) = item else { continue };
            messages += 1;
            let Some(evidence) = &mut evidence else { continue };
            let seen = Seen {
                payload: message.payload,
                binary: false,
                truncated: message.truncated,
                len: message.len,
            };
            match role {
                Role::Client => evidence.client_message(Duration::ZERO, seen),
                Role::Server => evidence.server_message(Duration::ZERO, seen),
            }
            for call in evidence.take_calls() {
                assert_eq!(call.status, CallStatus::Completed);
                assert_eq!(call.tool_calls.len(), 1);
                calls += 1;
                tokens += call.usage.and_then(|usage| usage.output_tokens).unwrap_or_default();
            }
        }
    }
    assert_eq!(messages, TURNS * (DELTAS + 4));
    if evidence.is_some() {
        assert_eq!((calls, tokens), (TURNS, (0..TURNS).sum::<u64>()));
    }
}

/// The messages of a socket, in order.
fn session() -> Vec<(Role, String)> {
    let mut session = Vec::new();
    for turn in 0..TURNS {
        let result = "a line of output\\n".repeat(100);
        let previous =
            turn.checked_sub(1).map_or_else(|| "null".to_owned(), |it| format!("\"resp_{it}\""));
        session.push((
            Role::Client,
            format!(
                r#"{{"type":"response.create","model":"m-1","previous_response_id":{previous},"store":false,"input":[{{"type":"function_call_output","call_id":"call_{turn}","output":"{result}"}}]}}"#
            ),
        ));
        let mut say = |json| session.push((Role::Server, json));
        say(format!(
            r#"{{"type":"response.created","sequence_number":0,"response":{{"id":"resp_{turn}","object":"response","status":"in_progress","model":"m-1","output":[],"usage":null}}}}"#
        ));
        for number in 0..DELTAS {
            say(format!(
                r#"{{"type":"response.output_text.delta","sequence_number":{number},"item_id":"msg_{turn}","output_index":0,"content_index":0,"delta":" word{number}","logprobs":[],"obfuscation":"x9Qw{number}"}}"#
            ));
        }
        say(format!(
            r#"{{"type":"response.output_item.done","sequence_number":9,"output_index":1,"item":{{"id":"fc_{turn}","type":"function_call","status":"completed","call_id":"call_{}","name":"shell","arguments":"{{}}"}}}}"#,
            turn + 1
        ));
        let text = "word ".repeat(400);
        say(format!(
            r#"{{"type":"response.completed","sequence_number":10,"response":{{"id":"resp_{turn}","status":"completed","model":"m-1","output":[{{"type":"message","role":"assistant","content":[{{"type":"output_text","text":"{text}"}}]}}],"usage":{{"input_tokens":{turn},"output_tokens":{turn},"total_tokens":{turn}}}}}}}"#
        ));
    }
    session
}

/// The frames of those messages.
fn wire(session: &[(Role, String)], deflate: Option<Deflate>) -> Vec<(Role, Vec<u8>)> {
    let mut deflaters = [0, 1].map(|_| Compress::new(Compression::default(), false));
    let frame = |(role, json): &(Role, String)| {
        let mut payload = json.clone().into_bytes();
        if deflate.is_some() {
            let mut squeezed = Vec::with_capacity(payload.len() + 64);
            deflaters[usize::from(*role == Role::Server)]
                .compress_vec(&payload, &mut squeezed, FlushCompress::Sync)
                .expect("fits");
            squeezed.truncate(squeezed.len() - 4);
            payload = squeezed;
        }
        let mask = (*role == Role::Client).then_some([1, 2, 3, 4]);
        let rsv1 = deflate.is_some();
        let mut wire = Vec::new();
        let head = FrameHead { fin: true, rsv1, opcode: Opcode::Text, mask, len: 0 };
        encode_frame(head, &payload, &mut wire);
        (*role, wire)
    };
    session.iter().map(frame).collect()
}

/// Sizes here are far below what a double holds exactly.
#[allow(clippy::cast_precision_loss)]
fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
