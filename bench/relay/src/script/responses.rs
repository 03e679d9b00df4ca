//! `OpenAI` Responses over a socket, as an agent and the service speak it.

use std::fmt::Write as _;

use flate2::{Compress, Compression, FlushCompress};

use super::Turn;
use crate::frame::{Message, TEXT};

/// Bytes of a session, about. Each turn of it is another response, as no socket sees one twice.
const SESSION: usize = 24 << 20;
/// Bytes of deltas in an answer, about.
const ANSWER: usize = 100 * 1024;
/// What zlib puts at the end of a message and a sender takes off (RFC 7692 section 7.2.1).
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Whether messages are compressed, each side with one window for all of its turns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As they are.
    Plain,
    /// permessage-deflate with context takeover.
    Deflate,
}

/// A session of small requests and answers in deltas of about `size` bytes.
pub fn answers(size: usize, coding: Coding) -> Vec<Turn> {
    let deltas = (ANSWER / size).max(4);
    let turns = SESSION / (deltas * size);
    session(coding, turns, |turn| (create(turn, 2048), answer(turn, deltas, size)))
}

/// A session of requests of about `size` bytes and the least of an answer.
pub fn asks(size: usize, coding: Coding) -> Vec<Turn> {
    session(coding, SESSION / size, |turn| (create(turn, size), answer(turn, 1, 256)))
}

/// One turn of a session.
pub fn exchange(coding: Coding) -> Vec<Turn> {
    session(coding, 1, |turn| (create(turn, 2048), answer(turn, 64, 256)))
}

fn session(
    coding: Coding,
    turns: usize,
    said: impl Fn(usize) -> (String, Vec<String>),
) -> Vec<Turn> {
    let [mut client, mut server] = [coding, coding].map(Coder::new);
    let turns = (0..turns).map(|turn| {
        let (ask, answer) = said(turn);
        let ask = vec![client.message(ask)];
        Turn { ask, answer: answer.into_iter().map(|json| server.message(json)).collect() }
    });
    turns.collect()
}

struct Coder(Option<Compress>);

impl Coder {
    fn new(coding: Coding) -> Self {
        Self((coding == Coding::Deflate).then(|| Compress::new(Compression::default(), false)))
    }

    fn message(&mut self, json: String) -> Message {
        let Some(deflate) = &mut self.0 else {
            return Message { opcode: TEXT, deflated: false, payload: json.into_bytes() };
        };
        let mut payload = Vec::with_capacity(json.len() + 256);
        deflate
            .compress_vec(json.as_bytes(), &mut payload, FlushCompress::Sync)
            .expect("there is room for all of it");
        assert!(payload.ends_with(&TAIL), "flushed to a byte");
        payload.truncate(payload.len() - TAIL.len());
        Message { opcode: TEXT, deflated: true, payload }
    }
}

fn create(turn: usize, size: usize) -> String {
    let mut output = String::with_capacity(size + 128);
    let mut line = 0;
    while output.len() + 200 < size {
        line += 1;
        let _ = write!(output, "src/lib.rs:{line}: a line of what a tool said in turn {turn}\\n");
    }
    let previous = match turn {
        0 => "null".to_owned(),
        _ => format!("\"resp_{}\"", turn - 1),
    };
    format!(
        r#"{{"type":"response.create","model":"m-1","previous_response_id":{previous},"store":false,"input":[{{"type":"function_call_output","call_id":"call_{turn}","output":"{output}"}}]}}"#
    )
}

fn answer(turn: usize, deltas: usize, size: usize) -> Vec<String> {
    let mut answer = vec![format!(
        r#"{{"type":"response.created","sequence_number":0,"response":{{"id":"resp_{turn}","object":"response","status":"in_progress","model":"m-1","output":[],"usage":null}}}}"#
    )];
    answer.extend((1..=deltas).map(|number| delta(turn, number, size)));
    answer.push(format!(
        r#"{{"type":"response.output_item.done","sequence_number":{},"output_index":1,"item":{{"id":"fc_{turn}","type":"function_call","status":"completed","call_id":"call_{}","name":"shell","arguments":"{{}}"}}}}"#,
        deltas + 1,
        turn + 1
    ));
    answer.push(format!(
        r#"{{"type":"response.completed","sequence_number":{},"response":{{"id":"resp_{turn}","status":"completed","model":"m-1","output":[],"usage":{{"input_tokens":{turn},"output_tokens":{deltas},"total_tokens":{}}}}}}}"#,
        deltas + 2,
        turn + deltas
    ));
    answer
}

fn delta(turn: usize, number: usize, size: usize) -> String {
    const WORDS: [&str; 8] = ["the", "stream", "of", "frames", "is", "read", "once", "only"];
    let mut noise = (turn << 20 | number) as u64;
    let mut next = || {
        noise = noise.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        noise >> 32
    };
    let tail = format!(r#"","logprobs":[],"obfuscation":"{:08x}{:08x}"}}"#, next(), next());
    let mut delta = format!(
        r#"{{"type":"response.output_text.delta","sequence_number":{number},"item_id":"msg_0c1f6d2ab48e7f930068f0c2a1d49c8190b7e35a6c2d{turn:08x}","output_index":0,"content_index":0,"delta":""#
    );
    loop {
        delta.push(' ');
        delta.push_str(WORDS[usize::try_from(next() % 8).expect("below 8")]);
        if delta.len() + tail.len() >= size {
            return delta + &tail;
        }
    }
}
