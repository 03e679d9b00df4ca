//! What a person reads, from records as the ledger gives them.

use super::*;

/// One record from its JSON, numbered by its place and one second after the one before.
fn records(lines: &[&str]) -> Vec<Stamped> {
    let stamp = |(index, line): (usize, &&str)| {
        let at = format!("2026-11-23T10:00:{index:02}.000000Z");
        let text = format!(r#"{{"v":1,"seq":{},"at":"{at}",{line}}}"#, index + 1);
        Stamped::from_json(&text).unwrap_or_else(|error| panic!("{error:?} in {text}"))
    };
    lines.iter().enumerate().map(stamp).collect()
}

const OPENED: &str = r#""kind":"opened","conn":"000000000001","listener":"proxy","peer":null"#;
const SOCKET: &str = r#""kind":"decided","conn":"000000000001","exchange":"0000000000a1",
    "transport":"websocket","method":"GET","scheme":"wss","host":"api.openai.com","port":443,
    "path":"/v1/responses","query":null,"provider":"openai","protocol":"openai",
    "api":"responses","decision":"allowed","action":"allow","rule":"openai","reason":null,
    "process":null,"credential_ref":null,"subprotocols":[]"#;
const DENIED: &str = r#""kind":"decided","conn":"000000000001","exchange":"0000000000a2",
    "transport":"http","method":"POST","scheme":"http","host":"::1","port":8080,
    "path":"/up\u001b[31m","query":"k=[redacted]","provider":"unknown","protocol":null,
    "api":null,"decision":"denied","action":"block","rule":"none","reason":"not here",
    "process":null,"credential_ref":null,"subprotocols":[]"#;
const SWITCHED: &str = r#""kind":"responded","exchange":"0000000000a1","status":101,
    "by":"upstream","extensions":null,"subprotocol":null,"upstream_addr":null"#;
const REFUSED: &str = r#""kind":"responded","exchange":"0000000000a2","status":403,
    "by":"proxy","extensions":null,"subprotocol":null,"upstream_addr":null"#;
const CALL: &str = r#""kind":"model_call","exchange":"0000000000a1","transport":"websocket",
    "call":"0000000000c1","provider":"openai","protocol":"openai","api":"responses",
    "operation":"chat","model_requested":"gpt-x","model":"gpt-x-1","response_id":"resp_1",
    "previous_response_id":null,"stream_id":null,"initiator":"client","warmup":false,
    "status":"completed","stop_reason":null,"error":null,"usage":{"input_tokens":120,
    "output_tokens":30,"cached_input_tokens":null,"cache_write_tokens":null,
    "reasoning_tokens":null,"audio_input_tokens":null,"audio_output_tokens":null},
    "tool_calls":[{"call_id":"c","name":"shell","kind":"function"}],"tool_results":[],
    "request_bytes":1,"response_bytes":1,"time_to_first_token_ms":null,"duration_ms":1234,
    "evidence":{"state":"full","reason":null}"#;
const FAILED: &str = r#""kind":"model_call","exchange":"0000000000a1","transport":"sse",
    "call":"0000000000c2","provider":"openai","protocol":"openai","api":"responses",
    "operation":"chat","model_requested":"gpt-x","model":null,"response_id":null,
    "previous_response_id":null,"stream_id":null,"initiator":"client","warmup":true,
    "status":"failed","stop_reason":null,"error":{"code":"rate_limit","message":null},
    "usage":null,"tool_calls":[],"tool_results":[],"request_bytes":1,"response_bytes":1,
    "time_to_first_token_ms":null,"duration_ms":61000,"evidence":{"state":"full","reason":null}"#;
const FAULT: &str = r#""kind":"fault","conn":"000000000001","exchange":"0000000000a1",
    "side":"client","class":"eof","detail":"gone\nin a frame""#;
const ENDED: &str = r#""kind":"ended","exchange":"0000000000a1","close":{"kind":"normal",
    "by":"client","code":1000,"reason":null},"to_upstream":{"wire_bytes":1,"frames":1,
    "messages":1,"message_bytes":1},"to_client":{"wire_bytes":1,"frames":1,"messages":1,
    "message_bytes":1},"model_calls":2,"duration_ms":2300,"evidence":null"#;

const TOOL: &str = r#""kind":"tool_use","exchange":"0000000000a1","transport":"websocket",
    "call":"0000000000c3","server":"files","request_id":"1","name":"read","status":"completed",
    "is_error":false,"error":null,"request_bytes":1,"response_bytes":1,"duration_ms":7,
    "evidence":{"state":"full","reason":null}"#;
const STOPPED: &str = r#""kind":"refused","exchange":"0000000000a1","direction":"to_upstream",
    "action":"block","rule":"no-pro","reason":"not that model","model":"gpt-x-pro","bytes":9"#;
const QUESTION: &str = r#""kind":"asked","conn":"000000000001","exchange":"0000000000a1",
    "on":"upgrade","rule":null,"answer":"late","duration_ms":1500"#;
const SEEN: &str = r#""kind":"detected","exchange":"0000000000a1","on":"message",
    "rule":"odd","level":"high","reason":null"#;

const LIMITS: &str = r#""kind":"rate_limits","exchange":"0000000000a1","provider":"openai",
    "source":"event","plan":"pro","limits":[{"name":"codex-primary","limit":null,"remaining":null,
    "used_percent":41.5,"window_minutes":300,"resets_at":"2026-11-23T12:00:00.000000Z",
    "resets_in_ms":null,"status":null},{"name":"tokens","limit":150000,"remaining":149984,
    "used_percent":null,"window_minutes":null,"resets_at":null,"resets_in_ms":60000,
    "status":"allowed"}],"evidence":{"state":"full","reason":null}"#;

const ALL: [&str; 9] = [OPENED, SOCKET, SWITCHED, DENIED, REFUSED, CALL, FAILED, FAULT, ENDED];

const HEADLINE: &str = "1 connection, 2 exchanges (1 allowed, 1 denied), 2 model calls, \
                        120 tokens in, 30 tokens out";

#[test]
fn the_tables() {
    let records = records(&ALL);
    let expected = format!(
        "{HEADLINE}\n
Exchanges
  time      decision  rule    request                             status  calls  end
  10:00:01  allowed   openai  GET wss://api.openai.com/v1/responses  101     2      normal by client 1000 after 2.3 s
  10:00:03  denied    none    POST http://[::1]:8080/up\\u{{1b}}[31m?..  403     -      still open

Model calls
  time      exchange      via        provider  model    status                        in   out  tools  took
  10:00:05  0000000000a1  websocket  openai    gpt-x-1  completed                     120  30   shell  1.2 s
  10:00:06  0000000000a1  sse        openai    gpt-x    failed (rate_limit) (warm-up)  -    -    -      1 min 1 s

Faults
  time      exchange      side    class  detail
  10:00:07  0000000000a1  client  eof    gone\\u{{a}}in a frame
"
    );
    let squeezed = |text: &str| {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(words).collect::<Vec<_>>().join("\n")
    };
    let tables = Report::read(&records).tables();
    assert_eq!(squeezed(&tables), squeezed(&expected), "{tables}");
    let column = |line: &str, word: &str| line.find(word);
    let lines: Vec<&str> = tables.lines().collect();
    assert_eq!(column(lines[3], "status"), column(lines[4], "101"), "{tables}");
    assert_eq!(column(lines[3], "status"), column(lines[5], "403"), "{tables}");
}

#[test]
fn the_summary() {
    let records = records(&ALL);
    let expected = format!(
        "capsem-mitm: {HEADLINE}
  gpt-x-1 completed over WebSocket: 120 tokens in, 30 out, 1.2 s, tools: shell
  gpt-x failed (rate_limit) (warm-up) over SSE: ? tokens in, ? out, 1 min 1 s
  denied POST http://[::1]:8080/up\\u{{1b}}[31m?.. with 403 by rule none: not here
  client eof: gone\\u{{a}}in a frame
"
    );
    assert_eq!(Report::read(&records).summary(), expected);
}

#[test]
fn tools_and_judgements() {
    let records = records(&[TOOL, STOPPED, QUESTION, SEEN]);
    let report = Report::read(&records);
    let expected = "
Tool uses
  time      exchange      server  tool  status     error  took
  10:00:00  0000000000a1  files   read  completed  false  7 ms

Refused messages
  time      exchange      way          rule    model      reason
  10:00:01  0000000000a1  to_upstream  no-pro  gpt-x-pro  not that model

Questions
  time      exchange      on       rule  answer  took
  10:00:02  0000000000a1  upgrade  -     late    1.5 s

Detections
  time      exchange      on       rule  level  reason
  10:00:03  0000000000a1  message  odd   high   -
";
    let tables = report.tables();
    assert!(tables.ends_with(expected), "{tables}");
    let expected = "
  refused a message to_upstream by rule no-pro: not that model
  detected high by rule odd
";
    assert!(report.summary().ends_with(expected), "{}", report.summary());
}

#[test]
fn what_was_said_of_rate_limits() {
    let records = records(&[LIMITS]);
    let expected = "
Rate limits
  time      exchange      provider  plan  limit          used    left    of      resets               status
  10:00:00  0000000000a1  openai    pro   codex-primary  41.5 %  -       -       2026-11-23 12:00:00  -
  10:00:00  0000000000a1  openai    pro   tokens         -       149984  150000  in 1 min 0 s         allowed
";
    let tables = Report::read(&records).tables();
    assert!(tables.ends_with(expected), "{tables}");
}

#[test]
fn a_summary_fits_a_screen() {
    let records = records(&[CALL; 40]);
    let summary = Report::read(&records).summary();
    assert_eq!(summary.lines().count(), 1 + SUMMARY_LINES + 1);
    assert!(summary.ends_with("  .. and 28 more model calls\n"), "{summary}");
}

#[test]
fn nothing_happened() {
    let nothing = "0 connections, 0 exchanges, 0 model calls, 0 tokens in, 0 tokens out";
    assert_eq!(Report::read(&[]).tables(), format!("{nothing}\n"));
    assert_eq!(Report::read(&[]).summary(), format!("capsem-mitm: {nothing}\n"));
}

#[test]
fn records_without_their_exchange_are_no_trouble() {
    let records = records(&[SWITCHED, ENDED, FAULT]);
    assert_eq!(Report::read(&records).exchanges.len(), 0);
}

#[test]
fn cells_are_text_and_nothing_else() {
    let check = |text: &str, expected: &str| assert_eq!(table::clean(text), expected);
    check("plain \"quoted\" é", "plain \"quoted\" é");
    check("\u{9b}31m\u{202e}x", "\\u{9b}31m\\u{202e}x");
    check(&"x".repeat(200), &format!("{}..", "x".repeat(100)));
}

#[test]
fn a_request_that_was_refused_unread() {
    let unread = SOCKET
        .replace("\"wss\"", "null")
        .replace("\"api.openai.com\"", "null")
        .replace("443", "null")
        .replace("\"GET\"", "null");
    let records = records(&[&unread]);
    let tables = Report::read(&records).tables();
    assert!(tables.contains("  ? /v1/responses (of no known host)  "), "{tables}");
}
