//! Records as JSON: every field, every word, whatever the strings hold.

use proptest::prelude::*;

use super::*;
use crate::record::samples::{decided, id, judgements, model_call, session};

const AT: &str = "2026-11-23T10:00:00.000042Z";

fn stamped(seq: u64, record: Record) -> Stamped {
    Stamped { seq, at: AT.parse().expect("a time"), record }
}

#[track_caller]
fn check(record: Record, fields: &str) {
    let kind = record.kind();
    let stamped = stamped(7, record);
    let line = stamped.to_json();
    assert_eq!(line, format!(r#"{{"v":1,"seq":7,"at":"{AT}","kind":"{kind}",{fields}}}"#));
    assert_eq!(Stamped::from_json(&line).expect("reads back"), stamped);
}

#[test]
fn each_kind_has_its_fields_in_full() {
    let fields = [
        r#""conn":"000000000001","listener":"proxy","peer":"127.0.0.1:5000""#,
        concat!(
            r#""conn":"000000000001","exchange":"000000000002","transport":"websocket","#,
            r#""method":"GET","scheme":"wss","host":"api.openai.com","port":443,"#,
            r#""path":"/v1/responses","query":null,"provider":"openai","protocol":"openai","#,
            r#""api":"responses","decision":"allowed","action":"allow","rule":"openai","#,
            r#""reason":null,"process":"codex","credential_ref":null,"#,
            r#""subprotocols":["realtime"]"#
        ),
        concat!(
            r#""exchange":"000000000002","status":101,"by":"upstream","#,
            r#""extensions":"permessage-deflate","subprotocol":null,"#,
            r#""upstream_addr":"192.0.2.7:443""#
        ),
        concat!(
            r#""exchange":"000000000002","transport":"websocket","call":"000000000003","#,
            r#""provider":"openai","protocol":"openai","api":"responses","operation":"chat","#,
            r#""model_requested":"gpt-5","model":"gpt-5-2026","response_id":"resp_1","#,
            r#""previous_response_id":null,"stream_id":null,"initiator":"client","#,
            r#""warmup":false,"status":"completed","stop_reason":null,"error":null,"#,
            r#""usage":{"input_tokens":120,"output_tokens":30,"cached_input_tokens":0,"#,
            r#""cache_write_tokens":null,"reasoning_tokens":null,"audio_input_tokens":null,"#,
            r#""audio_output_tokens":null,"time_ms":null},"#,
            r#""tool_calls":[{"call_id":"call_1","name":"shell","kind":"function_call","#,
            r#""cancelled":false}],"#,
            r#""tool_results":[{"call_id":"call_0","is_error":null,"name":"shell","#,
            r#""answers":"000000000009"}],"#,
            r#""request_bytes":780,"response_bytes":6800,"time_to_first_token_ms":210,"#,
            r#""duration_ms":600,"server_timing":{"time_to_first_token_ms":null,"#,
            r#""engine_ms":580,"overhead_ms":null,"processing_ms":null},"#,
            r#""safety":["trusted_access_for_cyber"],"content":null,"evidence":{"state":"full","reason":null}"#
        ),
        concat!(
            r#""exchange":"000000000002","transport":"websocket","call":"000000000004","#,
            r#""server":"tickets","request_id":"7","name":"find","status":"completed","#,
            r#""is_error":false,"error":null,"request_bytes":90,"response_bytes":60,"#,
            r#""duration_ms":12,"content":{"request":"{}","response":"","cut":false},"#,
            r#""evidence":{"state":"full","reason":null}"#
        ),
        concat!(
            r#""exchange":"000000000002","provider":"openai","source":"event","plan":"pro","#,
            r#""limits":[{"name":"codex-primary","limit":null,"remaining":null,"#,
            r#""used_percent":41.5,"window_minutes":300,"#,
            r#""resets_at":"2026-11-23T12:00:00.000000Z","resets_in_ms":null,"status":null},"#,
            r#"{"name":"tokens","limit":150000,"remaining":149984,"used_percent":null,"#,
            r#""window_minutes":null,"resets_at":null,"resets_in_ms":6,"status":"allowed"}],"#,
            r#""evidence":{"state":"full","reason":null}"#
        ),
        concat!(
            r#""conn":"000000000001","exchange":"000000000002","side":"upstream","#,
            r#""class":"eof","detail":null"#
        ),
        concat!(
            r#""exchange":"000000000002","#,
            r#""close":{"kind":"normal","by":"client","code":1000,"reason":"bye"},"#,
            r#""to_upstream":{"wire_bytes":900,"frames":3,"messages":2,"message_bytes":800},"#,
            r#""to_client":{"wire_bytes":7000,"frames":9,"messages":8,"message_bytes":6900},"#,
            r#""model_calls":1,"duration_ms":650,"evidence":{"state":"full","reason":null}"#
        ),
        r#""conn":"000000000001","exchanges":1,"duration_ms":700"#,
    ];
    let session = session();
    assert_eq!(session.len(), fields.len());
    for (record, fields) in session.into_iter().zip(fields) {
        check(record, fields);
    }
}

#[test]
fn judgements_have_their_fields_in_full() {
    let fields = [
        concat!(
            r#""exchange":"000000000002","direction":"to_upstream","action":"block","#,
            r#""rule":"no-large-models","reason":"too dear","model":"gpt-5-pro","bytes":90"#
        ),
        concat!(
            r#""conn":"000000000001","exchange":"000000000002","on":"message","#,
            r#""rule":"ask-first","answer":"allow","duration_ms":1500"#
        ),
        concat!(
            r#""exchange":"000000000002","on":"upgrade","rule":"watch","level":"low","#,
            r#""reason":null"#
        ),
    ];
    for (record, fields) in judgements().into_iter().zip(fields) {
        check(record, fields);
    }
}

#[test]
fn what_is_unknown_is_null() {
    let call = ModelCall { usage: None, error: None, ..model_call() };
    let line = stamped(1, Record::ModelCall(Box::new(call))).to_json();
    assert!(line.contains(r#""usage":null"#), "{line}");
    assert_eq!(Evidence::none(EvidenceReason::Binary).reason(), Some(EvidenceReason::Binary));
}

#[test]
fn fault_classes_are_those_of_the_contract() {
    let words = "tls tls_timeout head head_timeout framing early_data authority dest_class dns \
                 connect connect_timeout upstream_tls bad_101 handshake_timeout mask rsv opcode \
                 control length interleave utf8 close_code frame_limit message_limit \
                 fragment_limit inflate inflate_limit stall reset eof conn_limit sink credential policy \
                 uninspectable";
    for word in words.split_whitespace() {
        let class: FaultClass =
            serde_json::from_str(&format!("\"{word}\"")).unwrap_or_else(|e| panic!("{word}: {e}"));
        assert_eq!(class.as_str(), word);
        assert_eq!(format!("{class:>20}"), format!("{word:>20}"));
    }
}

#[test]
fn a_reader_leaves_aside_what_it_does_not_know_and_refuses_what_is_not_whole() {
    let line = stamped(7, samples::numbered(3)).to_json();
    let later = line.replace("{\"v\":1", "{\"later\":[1],\"v\":1");
    assert_eq!(Stamped::from_json(&later).expect("one more key"), stamped(7, samples::numbered(3)));
    for bad in ["", "{}", "[]", "null", &line.replace("\"v\":1", "\"v\":2")] {
        assert!(matches!(Stamped::from_json(bad), Err(Error::BadRecord { .. })), "{bad}");
    }
    for cut in 0..line.len() {
        assert!(Stamped::from_json(&line[..cut]).is_err(), "cut at {cut}");
    }
}

/// What some reader takes for the end of a line, or a terminal for a command.
fn splits(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Any text, with more than its share of what is hard to write down.
fn text() -> impl Strategy<Value = String> {
    let hard = "[\"\\\\\u{0}-\u{1f}\u{7f}-\u{9f}\u{2028}\u{2029}\u{feff}\u{fffd}a]{0,8}";
    prop_oneof![any::<String>(), hard]
}

proptest! {
    #[test]
    fn whatever_the_strings_hold_a_record_is_one_line_that_reads_back(
        path in text(),
        reason in proptest::option::of(text()),
        subprotocols in proptest::collection::vec(text(), 0..3),
        number in any::<u64>(),
    ) {
        let decided = Decided { path: Some(path), reason, subprotocols, ..decided() };
        let ended = Closed { conn: id(1), exchanges: number, duration_ms: number };
        for record in [Record::Decided(Box::new(decided)), Record::Closed(ended)] {
            let stamped = stamped(number, record);
            let line = stamped.to_json();
            prop_assert!(!line.contains(splits), "{}", line);
            prop_assert_eq!(Stamped::from_json(&line).expect("reads back"), stamped);
        }
    }
}
