//! Ways to say past a rule on messages what it forbids: in JSON that two readers read differently, in
//! HTTP that names its content in other words, in places that only some APIs know.

mod events;
mod messages;

use crate::support::{Client, HOST, NO_PRO, Path, Rig, Upstream, rules};

/// A request without its `Host`, `@` for the length of its body.
struct Row {
    head: &'static str,
    body: Vec<u8>,
}

fn row(head: &'static str, body: impl Into<Vec<u8>>) -> Row {
    Row { head, body: body.into() }
}

/// Whatever names the model must not go on, all else must.
async fn check(rows: Vec<Row>, goes_on: bool) {
    sent(NO_PRO, rows, goes_on).await;
}

/// Sends each on a connection of its own.
async fn sent(rule: &str, rows: Vec<Row>, goes_on: bool) {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::with(&upstream, rules(rule), |_| {}).await;
    let count = rows.len();
    for Row { head, body } in rows {
        let mut client = Client::tls(&rig, Path::Explicit, HOST).await;
        let (line, fields) = head.split_once("\r\n").unwrap();
        let fields = fields.replace('@', &body.len().to_string());
        let shown = format!("{head:?} {:?}", String::from_utf8_lossy(&body));
        let head = format!("{line} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n\r\n");
        client.send([head.as_bytes(), &body].concat()).await;
        tokio::select! {
            answer = client.head() => {
                let refused = answer.starts_with("HTTP/1.1 403") || answer.starts_with("HTTP/1.1 400");
                assert!(refused && !goes_on, "{shown}: {answer}");
            }
            mut server = upstream.next() => {
                let head = server.head().await;
                assert!(goes_on, "{shown} went on: {head}");
                server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
                client.head().await;
            }
        }
    }
    rig.records(count).await;
}

fn utf16(text: &str, mark: bool) -> Vec<u8> {
    let letters = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    letters.flat_map(u16::to_le_bytes).collect()
}

const PRO: &str = r#"{"model":"gpt-5-pro","input":"x"}"#;

fn tricks() -> Vec<Vec<u8>> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        text(PRO),
        text(r#"{"mod\u0065l":"gpt-5-pro"}"#),
        text(r#"{"model":"gpt\u002d5-pro"}"#),
        text(r#"{"model":"GPT-5-PRO"}"#),
        text(r#"{"Model":"gpt-5-pro"}"#),
        text(r#"{"model":"gpt-5","model":"gpt-5-pro"}"#),
        text(r#"{"model":"gpt-5-pro","model":"gpt-5"}"#),
        text(r#"{"model":"gpt-5-pro","model":null}"#),
        text(r#"{"model":null,"model":"gpt-5-pro"}"#),
        text(r#"{"model":"gpt-5","mod\u0065l":"gpt-5-pro"}"#),
        text(r#"{"model":"gpt-5","response":{"model":"gpt-5-pro"}}"#),
        text(r#"{"response":{"response":{"model":"gpt-5-pro"}}}"#),
        text(r#"{"model":"gpt-5","models":["gpt-5-pro"]}"#),
        text(r#"{"model":"gpt-5","fallbacks":[{"model":"gpt-5-pro"}]}"#),
        text(r#"{"model":"gpt-5-pro","temperature":NaN}"#),
        text(r#"{"model":"gpt-5-pro",}"#),
        text(r"{'model':'gpt-5-pro'}"),
        text(r#"/**/{"model":"gpt-5-pro"}"#),
        text(r#"[{"model":"gpt-5-pro"}]"#),
        text(r#"[{"model":"gpt-5"},{"model":"gpt-5-pro"}]"#),
        text(&format!("\u{feff}{PRO}")),
        text(&format!(" \r\n\t{PRO}")),
        text(&format!("\u{a0}{PRO}")),
        text(&format!("\u{c}{PRO}")),
        text(&format!("{PRO}\0")),
        text(&format!("{PRO}{PRO}")),
        text(&format!("{{}}\n{PRO}")),
        text(&format!("{PRO} trailing")),
        utf16(PRO, true),
        utf16(PRO, false),
        [&b"\xff"[..], PRO.as_bytes()].concat(),
    ]
}

#[tokio::test]
async fn json_that_is_read_in_more_than_one_way() {
    for head in [
        "POST /v1/responses\r\nContent-Type: application/json\r\nContent-Length: @",
        // A path that is not known, of a provider.
        "POST /v1/Responses\r\nContent-Type: application/json\r\nContent-Length: @",
    ] {
        check(tricks().into_iter().map(|body| row(head, body)).collect(), false).await;
    }
}

#[tokio::test]
async fn http_that_calls_it_by_other_names() {
    let chunked = format!("{:x};a=\"b\"\r\n{PRO}\r\n0\r\nModel: gpt-5\r\n\r\n", PRO.len());
    let polyglot = format!("\n{PRO}");
    let rows = vec![
        row("PUT /v1/responses\r\nContent-Type: application/json\r\nContent-Length: @", PRO),
        row("PATCH /v1/responses\r\nContent-Type: application/json\r\nContent-Length: @", PRO),
        row("GET /v1/responses\r\nContent-Type: application/json\r\nContent-Length: @", PRO),
        row("DELETE /v1/Responses\r\nContent-Type: application/json\r\nContent-Length: @", PRO),
        row("MODEL /v1/responses\r\nContent-Length: @", PRO),
        row("POST /v1/Responses\r\nContent-Length: @", PRO),
        row("POST /v1/responses\r\nContent-Type: text/plain\r\nContent-Length: @", PRO),
        row("POST /v1/Responses\r\nContent-Type: text/plain\r\nContent-Length: @", PRO),
        row(
            "POST /v1/Responses\r\nContent-Type: text/plain\r\nContent-Length: @",
            utf16(PRO, true),
        ),
        row(
            "POST /v1/Responses\r\nContent-Type: application/octet-stream\r\nContent-Length: @",
            format!("\r\n\t {PRO}"),
        ),
        row(
            "POST /v1/Responses\r\nContent-Type: text/plain\r\nContent-Type: application/json\r\n\
             Content-Length: @",
            PRO,
        ),
        row(
            "POST /v1/Responses\r\nContent-Type: application/json; charset=utf-16\r\nContent-Length: @",
            utf16(PRO, false),
        ),
        row(
            "POST /v1/Responses\r\nContent-Type: APPLICATION/VND.API+JSON\r\nContent-Length: @",
            PRO,
        ),
        row(
            "POST /v1/Responses\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: @",
            PRO,
        ),
        row(
            "POST /v1/Responses\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: @",
            "input=x&mod%65l=gpt-5-pro",
        ),
        row(
            "POST /v1/responses\r\nContent-Encoding: identity, br\r\nContent-Length: @",
            &*polyglot,
        ),
        row("POST /v1/responses\r\nContent-Encoding: br\r\nContent-Length: @", &*polyglot),
        row("POST /v1/responses\r\nContent-Encoding: DEFLATE\r\nContent-Length: @", PRO),
        row("POST /v1/responses\r\nContent-Encoding: gzip, gzip\r\nContent-Length: @", PRO),
        row(
            "POST /v1/Responses\r\nContent-Type: text/plain\r\nContent-Encoding: x\r\nContent-Length: @",
            PRO,
        ),
        row("POST /v1/responses\r\nTransfer-Encoding: chunked", chunked),
        // What names the model is the path.
        row("POST /v1/engines/gpt-5-pro/completions\r\nContent-Length: @", "{}"),
        row("POST /v1beta/models/gpt-5-pro:generateContent\r\nContent-Length: @", "{}"),
        row("POST /v1beta/models/gpt%2d5-pro%3AgenerateContent\r\nContent-Length: @", "{}"),
        row("POST /openai/deployments/gpt-5-pro/images/generations\r\nContent-Length: @", "{}"),
        row("POST /v1/realtime/Calls?model=gpt-5&model=gpt-5-pro\r\nContent-Length: @", "{}"),
    ];
    check(rows, false).await;
}

#[tokio::test]
async fn requests_within_requests() {
    let part = |head: &str, content: &str| {
        format!("--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n--x--\r\n")
    };
    const FORM: &str =
        "POST /v1/files\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: @";
    const BATCH: &str =
        "POST /v1/messages/batches\r\nContent-Type: application/json\r\nContent-Length: @";
    let line =
        r#"{"custom_id":"1","method":"POST","url":"/v1/responses","body":{"model":"gpt-5-pro"}}"#;
    let lines = format!("{}\n{line}\n", line.replace("-pro", ""));
    let rows = vec![
        row(BATCH, r#"{"requests":[{"custom_id":"1","params":{"model":"gpt-5-pro"}}]}"#),
        row(
            BATCH,
            r#"{"requests":[{"params":{"model":"gpt-5"}},{"params":{"model":"gpt-5-pro"}}]}"#,
        ),
        row(BATCH, r#"{"requests":[{"Params":{"model":"gpt-5-pro"}}]}"#),
        row(FORM, part("name=\"model\"", "gpt-5-pro")),
        row(FORM, part("name=\"session\"", r#"{"type":"realtime","model":"gpt-5-pro"}"#)),
        row(FORM, part("name=\"file\"; filename=\"b.jsonl\"", &lines)),
        row(FORM, part("name=\"file\"; filename=\"b.png\"", &lines)),
        row(FORM, part("name=\"n\"; name=\"model\"", "gpt-5-pro")),
        row(
            FORM,
            part(
                "name=\"n\"",
                "a\n--x\nContent-Disposition: form-data; name=\"model\"\n\ngpt-5-pro",
            ),
        ),
        row("POST /v1/Files\r\nContent-Type: application/jsonl\r\nContent-Length: @", &*lines),
        row(
            "POST /v1/realtime/client_secrets\r\nContent-Type: application/json\r\nContent-Length: @",
            r#"{"session":{"type":"realtime","model":"gpt-5-pro"}}"#,
        ),
    ];
    check(rows, false).await;
}

#[tokio::test]
async fn methods_that_a_server_may_take_for_the_one_that_is_written() {
    let rule = "[[rule]]\nid = \"keep\"\naction = \"block\"\nmethods = [\"DELETE\"]\n";
    let refused = vec![
        row("DELETE /a\r\nX: y", ""),
        row("POST /a\r\nX-HTTP-Method-Override: DELETE\r\nContent-Length: @", "{}"),
        row("GET /a\r\nx-http-method: delete", ""),
        row("GET /a\r\nX-Method-Override: GET\r\nX-Method-Override:  DELETE ", ""),
        row("POST /a?%24httpMethod=DELETE\r\nContent-Length: @", "{}"),
        row("POST /a?a=b&_method=d%65lete\r\nContent-Length: @", "{}"),
        row(
            "POST /a?_method=a&_method=b&_method=c&_method=e&_method=f&_method=g&_method=h&_method=i\
             &_method=DELETE\r\nContent-Length: @",
            "{}",
        ),
    ];
    sent(rule, refused, false).await;
    let allowed = vec![
        row("POST /a\r\nX-HTTP-Method-Override: PATCH\r\nContent-Length: @", "{}"),
        row("POST /a?method=DELETE\r\nContent-Length: @", "{}"),
    ];
    sent(rule, allowed, true).await;
}

#[tokio::test]
async fn what_names_another_model_goes_on() {
    let form = "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-5\r\n\
        --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.md\"\r\n\r\n[a](b)\r\n--x--\r\n";
    let rows = vec![
        row(
            "POST /v1/responses\r\nContent-Type: application/json\r\nContent-Length: @",
            r#"{"model":"gpt-5","input":"gpt-5-pro"}"#,
        ),
        row(
            "POST /v1/files\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: @",
            form,
        ),
        row(
            "POST /v1/Files\r\nContent-Type: application/jsonl\r\nContent-Length: @",
            "{\"model\":\"a\"}\n{}\n",
        ),
        row("POST /v1/Files\r\nContent-Type: text/plain\r\nContent-Length: @", "gpt-5-pro"),
        row("POST /v1/Files\r\nContent-Type: image/png\r\nContent-Length: @", "\u{1}"),
        row("POST /v1/Files\r\nContent-Type: text/plain\r\nContent-Length: @", ""),
    ];
    check(rows, true).await;
}
