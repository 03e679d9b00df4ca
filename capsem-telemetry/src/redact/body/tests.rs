//! What a payload shows and what it does not.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(json: &str, shown: &str) {
    assert_eq!(body(json, 4096), (shown.to_owned(), true));
}

#[test]
fn secrets_are_masked_wherever_they_stand() {
    check(
        r#"{"tools":[{"type":"mcp","authorization":"t","headers":{"X-A":"1","n":[2]}}],"a":1}"#,
        r#"{"tools":[{"type":"mcp","authorization":"[redacted]","headers":{"X-A":"[redacted]","n":["[redacted]"]}}],"a":1}"#,
    );
    check(
        r#"{"domain_secrets":[{"name":"n","value":"v"}],"value":"open"}"#,
        r#"{"domain_secrets":[{"name":"n","value":"[redacted]"}],"value":"open"}"#,
    );
    check(
        r#"{"client_metadata":{"x-codex-turn-state":"s","x-codex-turn-metadata":"{}","turn_id":"t"}}"#,
        r#"{"client_metadata":{"x-codex-turn-state":"[redacted]","x-codex-turn-metadata":"[redacted]","turn_id":"t"}}"#,
    );
    check(
        r#"{"setup":{"sessionResumption":{"handle":"h"}},"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}"#,
        r#"{"setup":{"sessionResumption":{"handle":"[redacted]"}},"sessionResumptionUpdate":{"newHandle":"[redacted]","resumable":true}}"#,
    );
    check(
        r#"{"type":"universal.create","headers":{"Authorization":"Bearer k"}}"#,
        r#"{"type":"universal.create","headers":{"Authorization":"[redacted]"}}"#,
    );
    check(
        r#"{"api_key":"k","apiKey":7,"x":"is Bearer abc"}"#,
        r#"{"api_key":"[redacted]","apiKey":"[redacted]","x":"is Bearer [redacted]"}"#,
    );
    check(
        r#"{"arguments":"{\"q\": 1, \"password\": \"p\"}","text":"[a note] and  more"}"#,
        r#"{"arguments":"{\"q\":1,\"password\":\"[redacted]\"}","text":"[a note] and  more"}"#,
    );
    check(r#"{"au\u0074horization":"k"}"#, r#"{"authorization":"[redacted]"}"#);
    check(r#""a\nsk-secret1 b""#, r#""a\n[redacted] b""#);
}

#[test]
fn bulk_becomes_its_size() {
    let audio = "QUJD".repeat(200);
    check(&format!(r#"{{"audio":"{audio}"}}"#), r#"{"audio":"[800 bytes]"}"#);
    check(&format!(r#"{{"url":"data:image/png;base64,{audio}"}}"#), r#"{"url":"[822 bytes]"}"#);
    check(r#"{"encrypted_content":"abc"}"#, r#"{"encrypted_content":"[3 bytes]"}"#);
    check(r#"{"text":"QUJD and more"}"#, r#"{"text":"QUJD and more"}"#);
}

#[test]
fn other_values_stay() {
    check(
        r#" { "a" : [ 1 , -2.5e3 , true , null , "\"\\\u0001ä" ] , "code" : "c" } "#,
        r#"{"a":[1,-2.5e3,true,null,"\"\\\u0001ä"],"code":"c"}"#,
    );
    check("[]", "[]");
    check("", "");
}

#[track_caller]
fn check_cut(json: &str, limit: usize, shown: &str) {
    assert_eq!(body(json, limit), (shown.to_owned(), false));
}

#[test]
fn what_is_cut_says_so() {
    check_cut(r#"{"a":"hello world","b":1}"#, 10, r#"{"a":"hello""#);
    check_cut(r#"{"a":"hel"#, 100, r#"{"a":"hel""#);
    check_cut(r#"{"a":"hel\u00"#, 100, r#"{"a":"hel""#);
    check_cut(r#"{"a":1"#, 100, r#"{"a":1"#);
    check_cut(r#"{"a":"{\"token\":\"hel"#, 100, r#"{"a":"{\"token\":\"[redacted]\"""#);
    check_cut(r#"{"token":"hel"#, 100, r#"{"token":"[redacted]""#);
    let deep = "[".repeat(1_000_000);
    let (shown, whole) = body(&deep, 1_000_000);
    assert_eq!((shown.len(), whole), (128, false));
}

proptest! {
    #[test]
    fn any_text_stays_within_its_limit(json: String, limit in 0..200usize) {
        let (shown, _) = body(&json, limit);
        // Escapes may make six bytes of one; quotes and a mask come on top.
        prop_assert!(shown.len() <= limit * 6 + 32, "{}", shown.len());
    }

    #[test]
    fn no_secret_is_shown_however_it_is_cut(cut in 0..80usize, limit in 0..80usize) {
        let json = r#"{"a":[{"authorization":"SECRET"}],"headers":{"b":["SECRET"]},"key":1}"#;
        let (shown, _) = body(&json[..cut.min(json.len())], limit);
        prop_assert!(!shown.contains("SE"), "{}", shown);
    }
}
