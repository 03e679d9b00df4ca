//! MCP over plain HTTP, on a host of no known provider: its tool calls are recorded as those of a socket
//! are, and what is said and answered meets the same rules.

use crate::support::{Client, NO_SHELL, Path, Rig, Upstream, only, rules};
use capsem_mitm::{Authority, config::Pin};
use capsem_policy::Policy;
use serde_json::{Value, json};

const TOOLS: &str = "tools.test";
const JSON: &str = "application/json";
const RESULT: &str = r#"{"jsonrpc":"2.0","id":2,"result":{"content":[]}}"#;
const CALL: &str = r#"{"method":"tools/call","params":{"name":"sql"},"jsonrpc":"2.0","id":2}"#;
const LIST: &str = r#"{"method":"tools/list","jsonrpc":"2.0","id":2}"#;

/// The answer of a server with a body of this type.
fn answer(status: &str, media: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// What a client hears that says `body`, and the records of it; `answer` is nothing where its words
/// must not come to the server.
async fn say(
    policy: Policy,
    media: &str,
    body: &str,
    answer: Option<&str>,
) -> (String, Vec<Value>) {
    let mut upstream = Upstream::tls(TOOLS).await;
    let rig = Rig::with(&upstream, policy, |config| {
        let authority = Authority::parse(TOOLS, 443).unwrap();
        config.upstream.resolve = vec![Pin { authority, address: upstream.address }];
    })
    .await;
    let mut client = Client::tls(&rig, Path::Explicit, TOOLS).await;
    let length = body.len();
    client
        .send(format!(
            "POST /any HTTP/1.1\r\nHost: {TOOLS}\r\nContent-Type: {media}\r\n\
             Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await;
    if let Some(answer) = answer {
        let mut server = upstream.next().await;
        server.head().await;
        assert_eq!(server.exact(length).await, body.as_bytes());
        server.send(answer).await;
        drop(server);
    }
    let heard = String::from_utf8(client.rest().await).unwrap();
    assert_eq!(upstream.accepted(), usize::from(answer.is_some()), "{heard}");
    drop(client);
    (heard, rig.records(1).await)
}

#[tokio::test]
async fn a_tool_called_over_http() {
    let events = format!("id: 1\ndata:\n\nevent: message\ndata: {RESULT}\n\n");
    for (transport, answer) in [
        ("http", answer("200 OK", JSON, RESULT)),
        ("sse", answer("200 OK", "text/event-stream", &events)),
    ] {
        let (heard, records) = say(Policy::allow_all(), JSON, CALL, Some(&answer)).await;
        assert!(heard.starts_with("HTTP/1.1 200") && heard.contains(RESULT), "{heard}");
        let tool = only(&records, "tool_use");
        assert_eq!((&tool["name"], &tool["transport"]), (&json!("sql"), &json!(transport)));
        assert_eq!((&tool["status"], &tool["is_error"]), (&json!("completed"), &json!(false)));
        assert_eq!(only(&records, "ended")["evidence"]["state"], "full");
    }
}

#[tokio::test]
async fn what_is_said_over_http_meets_the_rules_of_messages() {
    let shell = CALL.replace("sql", "shell");
    let batch = format!("[{LIST},{shell}]");
    let twice = CALL.replace(r#""name":"sql""#, r#""name":"sql","name":"shell""#);
    let misspelt = CALL.replace(r#""name":"sql""#, r#""name":"sql","Name":"ls""#);
    let bare = shell.replace(r#""jsonrpc":"2.0","#, "");
    // As a server reads it that guesses UTF-16, and one that takes a comma too many.
    let wide: String = shell.chars().flat_map(|letter| [letter, '\0']).collect();
    let hidden = shell.replace("jsonrpc", r"json\u0072pc").replace(r#""id":2}"#, r#""id":2,}"#);
    for (media, body, refused) in [
        (JSON, &*wide, "cannot be judged"),
        (JSON, &hidden, "cannot be judged"),
        (JSON, &shell, "no-shell"),
        ("application/json; charset=utf-8", &shell, "no-shell"),
        (JSON, &batch, "no-shell"),
        (JSON, &twice, "no-shell"),
        (JSON, &misspelt, "cannot be judged"),
        (JSON, CALL, ""),
        (JSON, &bare, ""),
        ("text/plain", &shell, ""),
        (JSON, r#"{"tools":["shell"],"name":"shell","type":"function_call"}"#, ""),
        (JSON, "{\"index\":{}}\n{\"a\":1}\n", ""),
        (JSON, "shell", ""),
    ] {
        let policy = rules(&NO_SHELL.replace("to_client", "to_upstream"));
        let answer = answer("200 OK", JSON, RESULT);
        let (heard, records) =
            say(policy, media, body, refused.is_empty().then_some(&*answer)).await;
        let status = if refused.is_empty() { "HTTP/1.1 200" } else { "HTTP/1.1 403" };
        assert!(heard.starts_with(status) && heard.contains(refused), "{body}: {heard}");
        let told = records.iter().any(|it| it["kind"] == "refused");
        assert_eq!(told, !refused.is_empty(), "{body}: {records:#?}");
        let denied = records.iter().filter(|it| it["kind"] == "tool_use").map(|it| &it["status"]);
        let called = media != "text/plain" && (body.contains("tools/call") && body != bare);
        let status = if refused.is_empty() { "completed" } else { "denied" };
        assert_eq!(denied.collect::<Vec<_>>(), vec![status; usize::from(called)], "{body}");
    }
}

#[tokio::test]
async fn what_is_answered_over_http_meets_them_too() {
    let offer = |tool: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":2,"result":{{"tools":[{{"name":"{tool}"}}]}}}}"#)
    };
    let stream = |tool: &str| {
        let first = r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#;
        let events = format!("id: 1\ndata:\n\ndata: {first}\n\ndata: {}\n\n", offer(tool));
        answer("200 OK", "text/event-stream", &events)
    };
    let other = r#"{"id":2,"method":"list"}"#;
    for (body, answer, status, refused) in [
        (LIST, answer("200 OK", JSON, &offer("shell")), "403", true),
        (LIST, answer("200 OK", "text/plain", &offer("shell")), "403", true),
        (LIST, stream("shell"), "200", true),
        (LIST, stream("sql"), "200", false),
        (LIST, answer("200 OK", JSON, &offer("sql")), "200", false),
        (LIST, answer("401 Unauthorized", "text/plain", "who are you?"), "401", false),
        (LIST, answer("404 Not Found", JSON, ""), "404", false),
        (other, answer("200 OK", JSON, &offer("shell")), "200", false),
    ] {
        let (heard, records) = say(rules(NO_SHELL), JSON, body, Some(&answer)).await;
        assert!(heard.starts_with(&format!("HTTP/1.1 {status}")), "{answer}: {heard}");
        assert_eq!(heard.contains("no shell here"), refused, "{answer}: {heard}");
        assert_eq!(heard.contains(r#""name":"shell""#), answer.contains("shell") && !refused);
        assert_eq!(records.iter().any(|it| it["kind"] == "refused"), refused, "{records:#?}");
        let progress = "notifications/progress";
        assert_eq!(heard.contains(progress), answer.contains(progress), "{answer}: {heard}");
    }
}
