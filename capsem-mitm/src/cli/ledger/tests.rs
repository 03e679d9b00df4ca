//! The JSON document of a ledger.

use super::*;

fn records(lines: &[&str]) -> Contents {
    let stamp = |(index, line): (usize, &&str)| {
        let text = format!(
            r#"{{"v":1,"seq":{},"at":"2026-11-23T10:00:{index:02}.000000Z",{line}}}"#,
            index + 1
        );
        Stamped::from_json(&text).unwrap()
    };
    let records = lines.iter().enumerate().map(stamp).collect();
    Contents { records, ..Contents::default() }
}

const DECIDED: &str = r#""kind":"decided","conn":"000000000001","exchange":"0000000000a1",
    "transport":"http","method":"GET","scheme":"https","host":"a.test","port":443,"path":"/",
    "query":null,"provider":"unknown","protocol":null,"api":null,"decision":"allowed",
    "action":"allow","rule":null,"reason":null,"process":null,"credential_ref":null,
    "subprotocols":[]"#;
const RESPONDED: &str = r#""kind":"responded","exchange":"0000000000a1","status":200,
    "by":"upstream","extensions":null,"subprotocol":null,"upstream_addr":"1.2.3.4:443""#;
const FAULT: &str = r#""kind":"fault","conn":"000000000001","exchange":"0000000000a1",
    "side":"client","class":"eof","detail":null"#;

#[test]
fn the_records_of_an_exchange_are_one_object() {
    let document: Value = serde_json::from_str(&document(&records(&[DECIDED, RESPONDED]))).unwrap();
    let exchange = &document["exchanges"][0];
    assert_eq!(exchange["seq"], 1);
    assert_eq!(exchange["at"], "2026-11-23T10:00:00.000000Z");
    assert_eq!(exchange["host"], "a.test");
    assert_eq!(exchange["status"], 200);
    assert_eq!(exchange["upstream_addr"], "1.2.3.4:443");
    assert!(exchange["close"].is_null() && exchange.get("close").is_some());
    assert!(exchange.get("kind").is_none() && exchange.get("v").is_none());
}

#[test]
fn an_empty_ledger() {
    let empty = "{\"exchanges\":[],\"model_calls\":[],\"tool_uses\":[],\
                 \"rate_limits\":[],\"faults\":[]}\n";
    assert_eq!(document(&records(&[])), empty);
}

const LIMITS: &str = r#""kind":"rate_limits","exchange":"0000000000a1","provider":"openai",
    "source":"headers","plan":null,"limits":[],"evidence":{"state":"full","reason":null}"#;

#[test]
fn what_was_said_of_rate_limits() {
    let document: Value = serde_json::from_str(&document(&records(&[LIMITS]))).unwrap();
    assert_eq!(document["rate_limits"][0]["source"], "headers");
}

#[test]
fn records_without_their_exchange() {
    let document: Value = serde_json::from_str(&document(&records(&[RESPONDED, FAULT]))).unwrap();
    assert_eq!(document["exchanges"].as_array().map(Vec::len), Some(0));
    assert_eq!(document["faults"][0]["class"], "eof");
}
