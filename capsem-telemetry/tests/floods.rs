//! Floods: a socket whose peer makes it remember as much as it can. What is held never passes the
//! bound of the contract, and what was left out for it is said.

use std::time::Duration;

use allocation_counter::measure;
use capsem_telemetry::evidence::{Seen, Settings, WsEvidence};
use capsem_telemetry::{Evidence, EvidenceReason, Id, attribute};

const NOW: Duration = Duration::from_millis(1);

/// What one socket may hold beside what is captured of its messages: `ARCHITECTURE.md` says so.
const BESIDE: i64 = 2 << 20;

const LIMIT: Evidence = Evidence::partial(EvidenceReason::CaptureLimit);

const RESPONSES: (&str, &str) = ("api.openai.com", "/v1/responses");
const REALTIME: (&str, &str) = ("api.openai.com", "/v1/realtime");
const LIVE: (&str, &str) = ("generativelanguage.googleapis.com", "/ws/x.BidiGenerateContent");
const SESSIONS: (&str, &str) = ("api.openai.com", "/v1/live/sessions");
const MCP: (&str, &str) = ("tools.example", "/mcp");

/// Who says something, and what.
struct Message {
    client: bool,
    json: String,
}

fn client(json: String) -> Message {
    Message { client: true, json }
}

fn server(json: String) -> Message {
    Message { client: false, json }
}

struct Flood {
    target: (&'static str, &'static str),
    /// Calls and limits are taken as they end, as the proxy takes them.
    count: u32,
    message: fn(u32) -> Message,
    /// What the socket says of itself in the end.
    evidence: Evidence,
    /// Bytes kept of the content of each call.
    content: usize,
}

impl Flood {
    const fn new(
        target: (&'static str, &'static str),
        count: u32,
        message: fn(u32) -> Message,
    ) -> Self {
        Self { target, count, message, evidence: LIMIT, content: 0 }
    }

    /// Nothing of it has to be left out.
    fn full(self) -> Self {
        Self { evidence: Evidence::FULL, ..self }
    }
}

#[track_caller]
fn check(name: &str, flood: &Flood) {
    let Flood { target, count, message, evidence, content } = flood;
    let settings = Settings::new(Id::fresh(), attribute(target.0, target.1), 1 << 20);
    let settings = Settings { content: *content, ..settings };
    let (mut held, mut peak) = (0, 0);
    let mut step = |work: &mut dyn FnMut()| {
        let info = measure(work);
        peak = peak.max(held + i64::try_from(info.bytes_max).unwrap());
        held += info.bytes_current;
    };
    let mut socket = None;
    step(&mut || socket = Some(WsEvidence::new(settings.clone())));
    let mut socket = socket.unwrap();
    if *target == MCP {
        let first = r#"{"jsonrpc":"2.0","method":"initialize","params":{"protocolVersion":"1"}}"#;
        step(&mut || feed(&mut socket, &client(first.to_owned())));
    }
    for number in 0..*count {
        let message = message(number);
        step(&mut || feed(&mut socket, &message));
    }
    assert!(peak <= BESIDE, "{name}: {peak} bytes of {BESIDE}");
    assert_eq!(socket.finish(NOW, true).1, Some(*evidence), "{name}");
}

fn feed(socket: &mut WsEvidence, Message { client, json }: &Message) {
    let payload = json.as_bytes();
    let seen = Seen { payload, binary: false, truncated: false, len: payload.len() as u64 };
    if *client {
        socket.client_message(NOW, seen);
    } else {
        socket.server_message(NOW, seen);
    }
    drop((socket.take_calls(), socket.take_tool_uses(), socket.take_rate_limits()));
}

fn long(number: u32, size: usize) -> String {
    format!("{number}{}", "x".repeat(size))
}

#[test]
fn lanes_without_end() {
    check(
        "asked",
        &Flood::new(RESPONSES, 100_000, |n| {
            client(format!(r#"{{"type":"response.create","stream_id":"{n}","model":"m"}}"#))
        }),
    );
    check(
        "created",
        &Flood::new(RESPONSES, 100_000, |n| {
            server(format!(
                r#"{{"type":"response.created","stream_id":"{n}","response":{{"id":"r{n}"}}}}"#
            ))
        }),
    );
    check(
        "events of no response",
        &Flood::new(RESPONSES, 100_000, |n| {
            server(format!(
                r#"{{"type":"response.output_text.delta","stream_id":"{n}","delta":"x"}}"#
            ))
        })
        .full(),
    );
    check(
        "steered",
        &Flood::new(RESPONSES, 10_000, |n| {
                let reason = r#""incomplete_details":{"reason":"steered"}"#;
                server(format!(
                        r#"{{"type":"response.incomplete","stream_id":"{n}","response":{{"id":"r{n}",{reason}}}}}"#
                    ),
                )
            }).full(),
    );
    check(
        "delegations",
        &Flood::new(SESSIONS, 10_000, |n| {
            server(format!(
                r#"{{"type":"response.event","delegation_id":"{n}","event":{{"type":"response.created","response":{{"id":"r{n}"}}}}}}"#
            ))
        }),
    );
}

#[test]
fn responses_without_end() {
    check(
        "responses",
        &Flood::new(RESPONSES, 10_000, |n| {
            server(format!(r#"{{"type":"response.created","response":{{"id":"r{n}"}}}}"#))
        }),
    );
    check(
        "long words",
        &Flood::new(RESPONSES, 1_000, |n| {
            let word = long(n, 5000);
            server(format!(
                r#"{{"type":"response.created","stream_id":"{word}","response":{{"id":"{word}","model":"{word}","previous_response_id":"{word}","headers":{{"openai-model":"{word}"}},"error":{{"code":"{word}","message":"{word}"}}}}}}"#
            ))
        }),
    );
    check(
        "realtime",
        &Flood::new(REALTIME, 10_000, |n| {
            server(format!(
                r#"{{"type":"response.created","response":{{"id":"r{}"}}}}"#,
                long(n, 5000)
            ))
        }),
    );
    check(
        "their content",
        &Flood {
            content: 64 << 10,
            ..Flood::new(RESPONSES, 1_000, |n| {
                client(format!(
                    r#"{{"type":"response.create","model":"m","input":"{}"}}"#,
                    long(n, 60 << 10)
                ))
            })
        },
    );
}

#[test]
fn ids_of_a_mebibyte() {
    for (name, target, message) in [
        (
            "lane",
            RESPONSES,
            (|n| {
                client(format!(
                    r#"{{"type":"response.create","stream_id":"{}"}}"#,
                    long(n, 1 << 20)
                ))
            }) as fn(u32) -> Message,
        ),
        ("response", RESPONSES, |n| {
            server(format!(
                r#"{{"type":"response.created","response":{{"id":"{}"}}}}"#,
                long(n, 1 << 20)
            ))
        }),
        ("tool", RESPONSES, |n| {
            server(format!(
                r#"{{"type":"response.output_item.done","response_id":"r","item":{{"type":"function_call","call_id":"{}"}}}}"#,
                long(n, 1 << 20)
            ))
        }),
        ("item", REALTIME, |n| {
            client(format!(
                r#"{{"type":"conversation.item.create","item":{{"id":"{0}","type":"function_call_output","call_id":"{0}"}}}}"#,
                long(n, 1 << 20)
            ))
        }),
        ("turn", REALTIME, |n| {
            server(format!(
                r#"{{"type":"input_audio_buffer.committed","item_id":"{}"}}"#,
                long(n, 1 << 20)
            ))
        }),
        ("function", LIVE, |n| {
            server(format!(
                r#"{{"toolCall":{{"functionCalls":[{{"id":"{}"}}]}}}}"#,
                long(n, 1 << 20)
            ))
        }),
        ("request", MCP, |n| {
            client(format!(
                r#"{{"jsonrpc":"2.0","id":"{}","method":"tools/call","params":{{"name":"n"}}}}"#,
                long(n, 1 << 20)
            ))
        }),
    ] {
        check(name, &Flood::new(target, 8, message).full());
    }
}

#[test]
fn a_million_small_events() {
    for (name, target, count, message) in [
        (
            "deltas",
            RESPONSES,
            1_000_000,
            (|_| server(r#"{"type":"response.output_text.delta","delta":"x"}"#.to_owned()))
                as fn(u32) -> Message,
        ),
        ("pings", RESPONSES, 100_000, |_| server(r#"{"type":"ping"}"#.to_owned())),
        ("types", REALTIME, 100_000, |n| server(format!(r#"{{"type":"t{n}"}}"#))),
        ("turns", LIVE, 100_000, |_| {
            server(r#"{"serverContent":{"turnComplete":true}}"#.to_owned())
        }),
    ] {
        check(name, &Flood::new(target, count, message).full());
    }
}

#[test]
fn what_is_put_in_and_never_used() {
    check(
        "messages",
        &Flood::new(REALTIME, 100_000, |n| {
            client(format!(
                r#"{{"type":"conversation.item.create","item":{{"id":"{n}","type":"message"}}}}"#
            ))
        })
        .full(),
    );
    check(
        "results",
        &Flood::new(REALTIME, 5_000, |n| {
            client(format!(
                r#"{{"type":"conversation.item.create","item":{{"type":"function_call_output","call_id":"{}"}}}}"#,
                long(n, 2000)
            ))
        }),
    );
    check(
        "results taken back",
        &Flood::new(REALTIME, 10_000, |n| {
            let id = long(n / 2, 2000);
            client(if n % 2 == 0 {
                format!(
                    r#"{{"type":"conversation.item.create","item":{{"id":"{id}","type":"function_call_output","call_id":"{id}"}}}}"#,
                )
            } else {
                format!(r#"{{"type":"conversation.item.delete","item_id":"{id}"}}"#)
            })
        })
        .full(),
    );
    check(
        "turns of audio",
        &Flood::new(REALTIME, 10_000, |n| {
            server(format!(r#"{{"type":"input_audio_buffer.committed","item_id":"{n}"}}"#))
        })
        .full(),
    );
    check(
        "transcriptions",
        &Flood::new(REALTIME, 10_000, |n| {
            server(format!(
                r#"{{"type":"conversation.item.input_audio_transcription.delta","item_id":"{n}","delta":"x"}}"#
            ))
        }),
    );
    check(
        "function responses",
        &Flood::new(LIVE, 5_000, |n| {
            client(format!(
                r#"{{"clientContent":{{"turns":[{{"parts":[{{"functionResponse":{{"id":"{}"}}}}]}}]}}}}"#,
                long(n, 2000)
            ))
        }),
    );
}

#[test]
fn tools_without_end() {
    check(
        "of one response",
        &Flood::new(RESPONSES, 5_000, |n| {
            let kind = if n == 0 { "created" } else { "output_item.done" };
            let word = long(n, 2000);
            server(format!(
                r#"{{"type":"response.{kind}","response":{{"id":"r"}},"item":{{"type":"function_call","call_id":"{word}","name":"{word}"}}}}"#
            ))
        }),
    );
    check(
        "of many responses",
        &Flood::new(RESPONSES, 20_000, |n| {
            let lane = n % 250;
            let kind = if n < 250 { "created" } else { "output_item.done" };
            let word = long(n, 2000);
            server(format!(
                r#"{{"type":"response.{kind}","stream_id":"{lane}","response":{{"id":"r{lane}"}},"item":{{"type":"function_call","call_id":"{word}","name":"{word}"}}}}"#
            ))
        }),
    );
    check(
        "one call again and again",
        &Flood::new(RESPONSES, 100_000, |n| {
                let kind = if n == 0 { "created" } else { "output_item.done" };
                server(format!(
                        r#"{{"type":"response.{kind}","response":{{"id":"r"}},"item":{{"type":"function_call","call_id":"c","name":"{n}"}}}}"#
                    ),
                )
            }).full(),
    );
    check(
        "one result again and again",
        &Flood::new(REALTIME, 100_000, |_| {
                client(r#"{"type":"conversation.item.create","item":{"type":"function_call_output","call_id":"c"}}"#.to_owned())
            }).full(),
    );
    check(
        "arguments that go on",
        &Flood::new(RESPONSES, 100_000, |n| {
            server(format!(
                r#"{{"type":"response.function_call_arguments.delta","item_id":"{n}","delta":"x"}}"#
            ))
        })
        .full(),
    );
    check(
        "gemini",
        &Flood::new(LIVE, 5_000, |n| {
            server(format!(
                r#"{{"toolCall":{{"functionCalls":[{{"id":"{0}","name":"{0}"}}]}}}}"#,
                long(n, 2000)
            ))
        }),
    );
    check(
        "mcp",
        &Flood::new(MCP, 5_000, |n| {
            client(format!(
                r#"{{"jsonrpc":"2.0","id":"{0}","method":"tools/call","params":{{"name":"{0}"}}}}"#,
                long(n, 2000)
            ))
        }),
    );
}

#[test]
fn words_on_limits_without_end() {
    check(
        "values",
        &Flood::new(RESPONSES, 10_000, |n| {
            server(format!(
                r#"{{"type":"codex.rate_limits","rate_limits":{{"primary":{{"used_percent":{n}}}}}}}"#
            ))
        }),
    );
    check(
        "names",
        &Flood::new(REALTIME, 10_000, |n| {
            server(format!(
                r#"{{"type":"rate_limits.updated","rate_limits":[{{"name":"{}","limit":1}}]}}"#,
                long(n, 2000)
            ))
        }),
    );
    check(
        "safety",
        &Flood::new(RESPONSES, 10_000, |n| {
            let kind = if n == 0 { "created" } else { "metadata" };
            server(format!(
                r#"{{"type":"response.{kind}","response":{{"id":"r"}},"metadata":{{"openai_verification_recommendation":["{}"]}}}}"#,
                long(n, 2000)
            ))
        }),
    );
}
