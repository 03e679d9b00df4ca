//! An agent's work over the Responses API as frames, and two sessions to relay it with: one that does
//! nothing, and one that reads model calls as the proxy's own does.

use std::sync::mpsc;

use capsem_mitm::ws::{Ended, Session};
use capsem_telemetry::{
    Id, ModelCall, attribute,
    evidence::{Seen, Settings, WsEvidence},
};
use capsem_ws_codec::{Deflate, FrameHead, Message, Opcode, Role, encode_frame};
use flate2::{Compress, Compression, FlushCompress};
use tokio::time::Instant;

/// Deltas of one turn.
const DELTAS: u64 = 400;

/// Messages of the server in one turn.
pub(crate) const SAID: u64 = DELTAS + 3;

/// What is said in one turn.
pub(crate) struct Turn<T> {
    pub(crate) ask: T,
    pub(crate) answer: Vec<T>,
}

/// What the client and the server say in a turn.
pub(crate) fn turn(turn: u64) -> Turn<String> {
    let result = "a line of output\\n".repeat(100);
    let previous =
        turn.checked_sub(1).map_or_else(|| "null".to_owned(), |it| format!("\"resp_{it}\""));
    let ask = format!(
        r#"{{"type":"response.create","model":"m-1","previous_response_id":{previous},"store":false,"input":[{{"type":"function_call_output","call_id":"call_{turn}","output":"{result}"}}]}}"#
    );
    let mut answer = vec![format!(
        r#"{{"type":"response.created","sequence_number":0,"response":{{"id":"resp_{turn}","object":"response","status":"in_progress","model":"m-1","output":[],"usage":null}}}}"#
    )];
    answer.extend((1..=DELTAS).map(|number| delta(turn, number)));
    answer.push(format!(
        r#"{{"type":"response.output_item.done","sequence_number":{},"output_index":1,"item":{{"id":"fc_{turn}","type":"function_call","status":"completed","call_id":"call_{}","name":"shell","arguments":"{{}}"}}}}"#,
        DELTAS + 1,
        turn + 1
    ));
    let text = "word ".repeat(400);
    answer.push(format!(
        r#"{{"type":"response.completed","sequence_number":{},"response":{{"id":"resp_{turn}","status":"completed","model":"m-1","output":[{{"type":"message","role":"assistant","content":[{{"type":"output_text","text":"{text}"}}]}}],"usage":{{"input_tokens":{turn},"output_tokens":{turn},"total_tokens":{turn}}}}}}}"#,
        DELTAS + 2
    ));
    Turn { ask, answer }
}

/// A piece of text as it comes, about 256 bytes long. What looks random in a real one does here.
fn delta(turn: u64, number: u64) -> String {
    let noise = (turn * DELTAS + number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let word =
        ["the", "stream", "of", "frames", "is", "read", "once", "only"][(noise >> 61) as usize];
    format!(
        r#"{{"type":"response.output_text.delta","sequence_number":{number},"item_id":"msg_0c1f6d2ab48e7f930068f0c2a1d49c8190b7e35a6c2d{turn:08x}","output_index":0,"content_index":0,"delta":" {word}","logprobs":[],"obfuscation":"{noise:016x}{:016x}"}}"#,
        noise.reverse_bits()
    )
}

/// The frames of each turn, as its two sides send them.
pub(crate) fn wire(session: &[Turn<String>], deflate: Option<Deflate>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let [mut client, mut server] = [0, 1].map(|_| Compress::new(Compression::default(), false));
    let frame = |role, json: &str, deflater: &mut Compress, wire: &mut Vec<u8>| {
        let mut payload = json.as_bytes().to_vec();
        if deflate.is_some() {
            let mut squeezed = Vec::with_capacity(payload.len() + 64);
            deflater
                .compress_vec(&payload, &mut squeezed, FlushCompress::Sync)
                .expect("there is room for all of it");
            squeezed.truncate(squeezed.len() - 4);
            payload = squeezed;
        }
        let mask = (role == Role::Client).then_some([1, 2, 3, 4]);
        let head =
            FrameHead { fin: true, rsv1: deflate.is_some(), opcode: Opcode::Text, mask, len: 0 };
        encode_frame(head, &payload, wire);
    };
    let frames = |turn: &Turn<String>| {
        let (mut ask, mut answer) = (Vec::new(), Vec::new());
        frame(Role::Client, &turn.ask, &mut client, &mut ask);
        for json in &turn.answer {
            frame(Role::Server, json, &mut server, &mut answer);
        }
        (ask, answer)
    };
    session.iter().map(frames).collect()
}

/// Nothing is read.
pub(crate) struct Deaf;

impl Session for Deaf {
    fn on_end(&mut self, _: &Ended) {}
}

/// Model calls are read, as the proxy's own session reads them.
pub(crate) struct Tap {
    began: Instant,
    evidence: WsEvidence,
    calls: mpsc::Sender<ModelCall>,
}

impl Tap {
    pub(crate) fn new(calls: mpsc::Sender<ModelCall>) -> Self {
        let attribution = attribute("api.openai.com", "/v1/responses");
        let evidence = WsEvidence::new(Settings::new(Id::fresh(), attribution, 1 << 20));
        Self { began: Instant::now(), evidence, calls }
    }
}

impl Session for Tap {
    fn on_message(&mut self, from: Role, message: &Message<'_>) {
        let seen = Seen {
            payload: message.payload,
            binary: message.opcode == Opcode::Binary,
            truncated: message.truncated,
            len: message.len,
        };
        match from {
            Role::Client => self.evidence.client_message(self.began.elapsed(), seen),
            Role::Server => self.evidence.server_message(self.began.elapsed(), seen),
        }
        drop(self.evidence.take_tool_uses());
        for call in self.evidence.take_calls() {
            self.calls.send(call).expect("they are awaited");
        }
    }

    fn on_end(&mut self, _: &Ended) {
        self.evidence.end(self.began.elapsed(), true);
        assert!(self.evidence.take_calls().is_empty(), "every call ended with its response");
    }
}
