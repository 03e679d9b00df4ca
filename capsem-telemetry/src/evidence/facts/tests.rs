//! The facts of requests and events of every API.

use super::*;

#[track_caller]
fn check(message: &str, model: Option<&str>, tools: &str, calls: &str, results: &str) {
    let facts = MessageFacts::read(message.as_bytes());
    assert_eq!(facts.model.as_deref(), model, "{message}");
    let joined =
        [&facts.tools, &facts.tool_calls, &facts.tool_results].map(|names| names.join(" "));
    assert_eq!(joined, [tools, calls, results], "{message}");
    assert!(facts.readable, "{message}");
}

#[track_caller]
fn unreadable(message: &[u8]) {
    assert!(!MessageFacts::read(message).readable, "{}", String::from_utf8_lossy(message));
}

#[test]
fn requests() {
    check(
        r#"{"type":"response.create","mod\u0065l":"m","tools":[{"type":"function","name":"a"},{"type":"web_search"},
           {"type":"namespace","tools":[{"type":"custom","name":"b"}]}],"input":[{"type":"additional_tools",
           "tools":[{"type":"function","name":"c"}]},{"type":"function_call","call_id":"1","name":"d"},
           {"type":"function_call_output","call_id":"1","output":[{"type":"input_text","text":"x"}]},
           {"type":"local_shell_call","id":"2"},{"type":"local_shell_call_output","id":"2"}]}"#,
        Some("m"),
        "a web_search b c",
        "d local_shell",
        "1 2",
    );
    check(r#"{"type":"response.create","input":"hi"}"#, None, "", "", "");
    check(
        r#"{"model":"m","tools":[{"type":"function","function":{"name":"a"}}],"messages":[
           {"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"b"}}]},
           {"role":"tool","tool_call_id":"1","content":"x"}]}"#,
        Some("m"),
        "a",
        "b",
        "1",
    );
    check(
        r#"{"model":"m","tools":[{"name":"a","input_schema":{}},{"type":"bash_20250124","name":"bash"}],"messages":[
           {"role":"assistant","content":[{"type":"tool_use","id":"1","name":"b","input":{}}]},
           {"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text"}]}]}]}"#,
        Some("m"),
        "a bash bash_20250124",
        "b",
        "1",
    );
    check(
        r#"{"tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"}]}],"contents":[
           {"role":"model","parts":[{"functionCall":{"id":"1","name":"c","args":{}}}]},
           {"role":"user","parts":[{"functionResponse":{"id":"1","name":"c","response":{}}}]}]}"#,
        None,
        "a b",
        "c",
        "1",
    );
    check(
        r#"{"type":"session.update","session":{"model":"m","tools":[{"type":"function","name":"a"}]}}"#,
        Some("m"),
        "a",
        "",
        "",
    );
    check(
        r#"{"setup":{"model":"models/m","tools":[{"functionDeclarations":[{"name":"a"}]}]}}"#,
        Some("models/m"),
        "a",
        "",
        "",
    );
    check(
        r#"{"toolResponse":{"functionResponses":[{"id":"f1","name":"a","response":{}}]}}"#,
        None,
        "",
        "",
        "f1",
    );
}

#[test]
fn a_tool_hides_behind_no_other_name() {
    let tools = |tools: &str, seen: &str| {
        check(&format!(r#"{{"model":"m","tools":[{tools}]}}"#), Some("m"), seen, "", "");
    };
    tools(r#"{"type":"function","function":{"name":"shell"},"name":"x"}"#, "shell x");
    tools(r#"{"type":"function","name":"x","function":{"name":"shell"}}"#, "x shell");
    tools(r#"{"name":"shell","name":"x"}"#, "shell x");
    tools(r#"{"function":{"name":"shell","name":"x"}}"#, "shell x");
    tools(r#"{"type":"shell","name":"x"}"#, "x shell");
    tools(r#"{"type":"shell","tools":[]}"#, "shell");
    tools(r#"{"type":"mcp","server_label":"s","allowed_tools":["shell"]}"#, "shell mcp");
    tools(r#"{"type":"mcp","allowed_tools":{"tool_names":["shell"]}}"#, "shell mcp");
    check(r#"{"model":"m","functions":[{"name":"shell"}]}"#, Some("m"), "shell", "", "");
    unreadable(br#"{"model":"m","tools":[{"type":"shell","type":"function","name":"x"}]}"#);
    unreadable(br#"{"input":[{"type":"function_call","type":"message","name":"shell"}]}"#);
    unreadable(br#"{"input":[{"type":"function_call","name":"shell","name":"x"}]}"#);
}

#[test]
fn every_model_that_is_named() {
    let models = |message: &str, expected: &[&str]| {
        let facts = MessageFacts::read(message.as_bytes());
        assert_eq!(facts.models().collect::<Vec<_>>(), expected, "{message}");
        assert!(facts.readable, "{message}");
    };
    models(r#"{"requests":[{"params":{"model":"a"}},{"params":{"model":"b"}}]}"#, &["a", "b"]);
    models(
        r#"{"batch":{"inputConfig":{"requests":{"requests":[{"request":{"model":"a"}}]}}}}"#,
        &["a"],
    );
    models(r#"{"requests":[{"model":"models/e","content":{}}]}"#, &["models/e"]);
    models(r#"{"custom_id":"1","url":"/v1/responses","body":{"model":"a"}}"#, &["a"]);
    models(r#"{"model":"a","models":["b","a","b"],"fallbacks":[{"model":"c"}]}"#, &["a", "b", "c"]);
    models(r#"{"model":"a","tools":[{"type":"image_generation","model":"b"}]}"#, &["a", "b"]);
    models(
        r#"{"type":"session.update","session":{"audio":{"input":{"transcription":{"model":"a"}}}}}"#,
        &["a"],
    );
    models(r#"{"type":"message_start","message":{"id":"1","model":"a"}}"#, &["a"]);
    // What a tool is given is no request.
    models(r#"{"content":[{"type":"tool_use","name":"t","input":{"model":"a"}}]}"#, &[]);
    let many: Vec<_> = (0..66).map(|n| format!("\"{n}\"")).collect();
    unreadable(format!("{{\"models\":[{}]}}", many.join(",")).as_bytes());
}

#[test]
fn tools_of_batches_and_of_the_model_context_protocol() {
    check(
        r#"{"requests":[{"params":{"tools":[{"name":"a"}],"messages":[{"content":[{"type":"tool_use",
           "name":"b"}]}]}}]}"#,
        None,
        "a",
        "b",
        "",
    );
    let call =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{}}}"#;
    check(call, None, "", "a", "");
    check(&format!("[{call}]"), None, "", "a", "");
    check(&call.replace("tools/call", "prompts/get"), None, "", "", "");
    check(
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","inputSchema":{}}]}}"#,
        None,
        "a",
        "",
        "",
    );
    for (from, to) in [
        ("\"method\"", "\"Method\""),
        ("\"params\"", "\"Params\""),
        ("\"name\"", "\"Name\""),
        ("\"method\":", "\"method\":\"ping\",\"method\":"),
    ] {
        unreadable(call.replace(from, to).as_bytes());
    }
}

#[test]
fn events() {
    check(
        r#"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"1","name":"a","arguments":"{}"}}"#,
        None,
        "",
        "a",
        "",
    );
    check(r#"{"type":"response.output_text.delta","delta":"x"}"#, None, "", "", "");
    check(r#"{"toolCall":{"functionCalls":[{"id":"1","name":"a","args":{}}]}}"#, None, "", "a", "");
    let created =
        br#"{"type":"response.created","stream_id":"s","response":{"id":"resp_1","model":"m"}}"#;
    let facts = MessageFacts::read(created);
    assert_eq!(
        (facts.kind.as_deref(), facts.stream_id.as_deref(), facts.response_id.as_deref()),
        (Some("response.created"), Some("s"), Some("resp_1"))
    );
}

#[test]
fn what_two_readers_could_read_differently_is_not_readable() {
    unreadable(b"");
    unreadable(b"hello");
    unreadable(b"{\"model\":\"m\"");
    unreadable(b"{\"model\":\"m\"} {}");
    unreadable(b"{\"model\":\"\xff\"}");
    unreadable(br#"{"model":"a","model":"b"}"#);
    unreadable(br#"{"model":"a","response":{"model":"b"}}"#);
    for key in ["Model", "MODEL", "Tools", "tool\u{17f}"] {
        unreadable(format!(r#"{{"model":"m","{key}":[]}}"#).as_bytes());
    }
    unreadable(br#"{"Model":"m"}"#);
    unreadable(br#"{"type":"session.update","type":"response.create"}"#);
    unreadable(br#"{"tools":[{"type":"function","function":{"Name":"a"}}]}"#);
    unreadable(br#"{"messages":[{"tool_calls":[{"function":{"NAME":"a"}}]}]}"#);
    unreadable(br#"{"tools":[{"type":"function","Name":"a"}]}"#);
    unreadable(br#"{"input":[{"Type":"function_call","name":"a"}]}"#);
    let deep =
        format!("{}{}{}", r#"{"input":[{"content":"#, "[{\"content\":".repeat(9), "1}]".repeat(9));
    unreadable(deep.as_bytes());
}

#[test]
fn names_that_mean_nothing_may_be_written_in_any_way() {
    check(r#"{"model":"m","Type":"x","Metadata":{"Model":"n"}}"#, Some("m"), "", "", "");
    check("\u{feff}{\"model\":\"m\"}", Some("m"), "", "", "");
}

#[test]
fn what_begins_as_json() {
    for (message, begins) in [
        (&b"{\"a\""[..], true),
        (b" \r\n\t[1", true),
        (b"\xef\xbb\xbf{", true),
        (b"\xff\xfe{\0", true),
        (b"\0{\0\"", true),
        (b"", false),
        (b"hello {", false),
        (b"--boundary", false),
        (b"\x1f\x8b", false),
    ] {
        assert_eq!(MessageFacts::begins_as_json(message), begins, "{message:?}");
    }
}

#[test]
fn bodies() {
    let plain = br#"{"model":"m"}"#;
    let read =
        |coding, most| MessageFacts::of_body(coding, plain, most).map(|(facts, _)| facts.model);
    assert_eq!(read(None, 100), Some(Some("m".to_owned())));
    assert_eq!(read(None, 5), None);
    assert_eq!(read(Some("x-unknown"), 100), None);
    assert_eq!(read(Some("gzip"), 100), None);
    // To a decoder of br it is a stream of nothing; to who does not heed codings it is a request.
    let both = b"\n{\"model\":\"m\"}";
    for coding in ["br", "deflate", "identity,br"] {
        assert_eq!(MessageFacts::of_body(Some(coding), both, 100), None, "{coding}");
    }
}

#[test]
fn json_rpc_and_what_may_be() {
    for (body, expected) in [
        (&br#"{"jsonrpc":"2.0","id":1,"method":"resources/read"}"#[..], true),
        (br#"{"method":"tools/call","params":{},"jsonrpc":"2.0","id":1}"#, true),
        (b"\xef\xbb\xbf {\"jsonrpc\":\"2.0\"}", true),
        (br#"{"JsonRPC":"2\u002e0"}"#, true),
        (br#"{"jsonrpc":"2.0","jsonrpc":"1.0"}"#, true),
        (br#"[{"a":1},{"jsonrpc":"2.0","id":1,"result":{}}]"#, true),
        (br#"{"jsonrpc":"2.0","id":1"#, true),
        (b"{\"a\":1} {\"JSONRPC\":\"2.0\"}", true),
        (b"{\"a\":\"\xff\"}", true),
        (b"{\0\"\0j\0", true),
        (br#"{"json\u0072pc":"2.0",}"#, true),
        (br"{'json\x72pc':'2.0'}", true),
        (b"{'json\\\nrpc':'2.0'}", true),
        (br#"{"json\u{72}pc":"2.0",}"#, true),
        (b"{\"a\":\"\\u003cb\\\\ \\\" \\u00e9 \\n\"}\n{\"a\":1}\n", false),
        (br#"{"jsonrpc":"1.0","id":1}"#, false),
        (br#"{"id":1,"method":"x","params":{"jsonrpc":"2.0"}}"#, false),
        (b"{\"index\":{}}\n{\"a\":1}\n", false),
        (br#"[1,"jsonrpc"]"#, false),
        (b"[]", false),
        (b"", false),
    ] {
        let shown = String::from_utf8_lossy(body);
        assert_eq!(MessageFacts::may_be_json_rpc(body), expected, "{shown}");
    }
}
