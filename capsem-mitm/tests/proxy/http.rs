//! Plain HTTP and SSE for the three providers: every byte of both bodies unchanged, nothing held
//! back, one record of each kind and one model call.

use crate::support::{Client, Path, Rig, Upstream, header, only};
use capsem_mitm::{Authority, config::Pin};
use capsem_policy::Policy;
use serde_json::json;

struct Provider {
    name: &'static str,
    host: &'static str,
    path: &'static str,
    request: &'static str,
    /// The SSE events, each sent only once the one before has reached the client.
    events: &'static [&'static str],
    model: &'static str,
    response_id: &'static str,
    tokens: (u64, u64),
}

const PROVIDERS: [Provider; 3] = [
    Provider {
        name: "openai",
        host: "api.openai.com",
        path: "/v1/responses",
        request: r#"{"model":"gpt-5.5","input":"hi","stream":true}"#,
        events: &[
            "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_7\",\"status\":\"in_progress\",\"model\":\"gpt-5.5\",\"output\":[],\"usage\":null}}\n\n",
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"item_id\":\"m\",\"output_index\":0,\"delta\":\"Hel\"}\n\n",
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"id\":\"resp_7\",\"status\":\"completed\",\"model\":\"gpt-5.5\",\"output\":[],\"usage\":{\"input_tokens\":11,\"input_tokens_details\":{\"cached_tokens\":3},\"output_tokens\":5,\"output_tokens_details\":{\"reasoning_tokens\":2},\"total_tokens\":16}}}\n\n",
        ],
        model: "gpt-5.5",
        response_id: "resp_7",
        tokens: (11, 5),
    },
    Provider {
        name: "anthropic",
        host: "api.anthropic.com",
        path: "/v1/messages",
        request: r#"{"model":"claude-x","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
        events: &[
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_7\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":4,\"cache_read_input_tokens\":6,\"cache_creation_input_tokens\":1,\"output_tokens\":1}}}\n\n",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hel\"}}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":8}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ],
        model: "claude-x",
        response_id: "msg_7",
        // Anthropic counts cached input beside its input tokens; the record counts it in.
        tokens: (11, 8),
    },
    Provider {
        name: "google",
        host: "generativelanguage.googleapis.com",
        path: "/v1beta/models/gemini-x:streamGenerateContent?alt=sse&key=AIzaSECRET",
        request: r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
        events: &[
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hel\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":11,\"totalTokenCount\":11},\"modelVersion\":\"gemini-x\",\"responseId\":\"g7\"}\r\n\r\n",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"lo\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":11,\"candidatesTokenCount\":4,\"thoughtsTokenCount\":3,\"totalTokenCount\":18},\"modelVersion\":\"gemini-x\",\"responseId\":\"g7\"}\r\n\r\n",
        ],
        model: "gemini-x",
        response_id: "g7",
        // Gemini counts thoughts beside its candidates; the record counts them in.
        tokens: (11, 7),
    },
];

impl Provider {
    fn head(&self) -> String {
        format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             X-Api-Key: k\r\nAccept: text/event-stream\r\nContent-Length: {}\r\n\r\n",
            self.path,
            self.host,
            self.request.len()
        )
    }

    async fn rig(&self, upstream: &Upstream) -> Rig {
        Rig::with(upstream, Policy::allow_all(), |config| {
            let authority = Authority::parse(self.host, 443).unwrap();
            config.upstream.resolve = vec![Pin { authority, address: upstream.address }];
        })
        .await
    }
}

#[tokio::test]
async fn events_flow_one_by_one_and_unchanged() {
    for provider in &PROVIDERS {
        for path in Path::BOTH {
            let mut upstream = Upstream::tls(provider.host).await;
            let rig = provider.rig(&upstream).await;
            let mut client = Client::tls(&rig, path, provider.host).await;
            client.send(provider.head()).await;
            let mut server = upstream.next().await;
            // The head goes on before the body is there.
            let head = server.head().await;
            assert!(head.starts_with(&format!("POST {} HTTP/1.1\r\n", provider.path)), "{head}");
            assert_eq!(header(&head, "x-api-key"), Some("k"));
            let (first, rest) = provider.request.split_at(9);
            client.send(first).await;
            assert_eq!(server.exact(first.len()).await, first.as_bytes());
            client.send(rest).await;
            assert_eq!(server.exact(rest.len()).await, rest.as_bytes());

            server
                .send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: r\r\n\
                     Transfer-Encoding: chunked\r\n\r\n",
                )
                .await;
            let head = client.head().await;
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert!(head.contains("X-Request-Id: r\r\n"), "{head}");
            for event in provider.events {
                let chunk = format!("{:X}\r\n{event}\r\n", event.len());
                server.send(&chunk).await;
                let got = client.exact(chunk.len()).await;
                assert_eq!(String::from_utf8(got).unwrap(), chunk);
            }
            server.send("0\r\n\r\n").await;
            assert_eq!(client.exact(5).await, b"0\r\n\r\n");
            drop(client);

            let records = rig.records(1).await;
            let decided = only(&records, "decided");
            assert_eq!(decided["provider"], provider.name);
            assert!(!decided.to_string().contains("SECRET"), "{decided}");
            let call = only(&records, "model_call");
            assert_eq!(call["transport"], "sse");
            assert_eq!(call["provider"], provider.name);
            assert_eq!(call["model"], provider.model);
            assert_eq!(call["response_id"], provider.response_id);
            assert_eq!(call["status"], "completed");
            assert_eq!(call["usage"]["input_tokens"], provider.tokens.0);
            assert_eq!(call["usage"]["output_tokens"], provider.tokens.1);
            assert_eq!(call["evidence"], json!({"state": "full", "reason": null}));
            assert_eq!(call["request_bytes"], provider.request.len());
            let ended = only(&records, "ended");
            assert_eq!(ended["close"]["kind"], "normal");
            assert_eq!(ended["model_calls"], 1);
            let sent: usize = provider.events.iter().map(|event| event.len()).sum();
            assert_eq!(ended["to_client"]["wire_bytes"], sent);
            assert_eq!(ended["to_upstream"]["wire_bytes"], provider.request.len());
        }
    }
}

#[tokio::test]
async fn one_connection_many_requests() {
    let mut upstream = Upstream::tls("api.openai.com").await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tls(&rig, Path::Explicit, "api.openai.com").await;
    let get = "GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    client.send(get).await;
    let mut server = upstream.next().await;
    for _ in 0..3 {
        server.head().await;
        server.send(ok).await;
        client.head().await;
        assert_eq!(client.exact(2).await, b"{}");
        client.send(get).await;
    }
    // Upstream closes what it kept; the next request finds a new connection.
    server.head().await;
    server.send(ok).await;
    drop(server);
    client.head().await;
    assert_eq!(client.exact(2).await, b"{}");
    client.send(get).await;
    let mut server = upstream.next().await;
    server.head().await;
    server.send(ok).await;
    client.head().await;
    drop(client);
    let records = rig.records(1).await;
    assert_eq!(only(&records, "closed")["exchanges"], 5);
    assert_eq!(upstream.accepted(), 2);
}

#[tokio::test]
async fn a_kept_connection_that_dies_under_a_request_is_replaced() {
    let mut upstream = Upstream::tls("api.openai.com").await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tls(&rig, Path::Explicit, "api.openai.com").await;
    let get = "GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    client.send(get).await;
    let mut server = upstream.next().await;
    server.head().await;
    server.send(ok).await;
    client.head().await;
    client.exact(2).await;
    client.send(get).await;
    server.head().await;
    drop(server);
    let mut server = upstream.next().await;
    server.head().await;
    server.send(ok).await;
    assert!(client.head().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_response_with_two_lengths_has_one() {
    let mut upstream = Upstream::tls("api.openai.com").await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tls(&rig, Path::Explicit, "api.openai.com").await;
    client.send("GET /a HTTP/1.1\r\nHost: api.openai.com\r\n\r\n").await;
    let mut server = upstream.next().await;
    server.head().await;
    server
        .send(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
             A\r\n0123456789\r\n0\r\n\r\n",
        )
        .await;
    let head = client.head().await;
    assert_eq!(header(&head, "content-length"), None, "{head}");
    assert_eq!(client.exact(20).await, b"A\r\n0123456789\r\n0\r\n\r\n");
}

#[tokio::test]
async fn plain_http_through_absolute_form_and_by_host() {
    for path in Path::BOTH {
        let mut upstream = Upstream::plain().await;
        let rig = Rig::open(&upstream).await;
        let (address, target) = match path {
            Path::Explicit => (rig.proxy, "http://api.openai.com/a?b=c"),
            Path::Transparent => (rig.transparent, "/a?b=c"),
        };
        let mut client = Client::tcp(address).await;
        client
            .send(format!(
                "GET {target} HTTP/1.1\r\nHost: api.openai.com\r\nProxy-Connection: keep-alive\r\n\
                 Proxy-Authorization: Basic eDp5\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n"
            ))
            .await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{head}");
        for gone in ["proxy-connection", "proxy-authorization", "connection", "x-hop"] {
            assert_eq!(header(&head, gone), None, "{head}");
        }
        assert_eq!(header(&head, "x-end"), Some("2"));
        server.send("HTTP/1.1 204 No Content\r\nX-Y: z\r\n\r\n").await;
        assert_eq!(client.head().await, "HTTP/1.1 204 No Content\r\nX-Y: z\r\n\r\n");
        drop(client);
        let records = rig.records(1).await;
        assert_eq!(only(&records, "decided")["scheme"], "http");
    }
}

#[tokio::test]
async fn a_request_body_that_breaks_its_framing_is_the_clients_fault() {
    let mut upstream = Upstream::tls("api.openai.com").await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tls(&rig, Path::Explicit, "api.openai.com").await;
    client
        .send("POST /a HTTP/1.1\r\nHost: api.openai.com\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let mut server = upstream.next().await;
    server.head().await;
    client.send("3\r\nabc\r\nxyz\r\n").await;
    let answer = String::from_utf8(client.rest().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(!server.rest().await.ends_with(b"0\r\n\r\n"), "the body looks whole upstream");
    drop(client);
    let records = rig.records(1).await;
    let fault = only(&records, "fault");
    assert_eq!((&fault["side"], &fault["class"]), (&json!("client"), &json!("framing")));
    let close = &only(&records, "ended")["close"];
    assert_eq!((&close["kind"], &close["by"]), (&json!("error"), &json!("client")));
}

#[tokio::test]
async fn a_response_cut_short_is_recorded_as_that() {
    let mut upstream = Upstream::tls("api.openai.com").await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tls(&rig, Path::Explicit, "api.openai.com").await;
    let provider = &PROVIDERS[0];
    client.send(format!("{}{}", provider.head(), provider.request)).await;
    let mut server = upstream.next().await;
    server.head().await;
    let event = provider.events[0];
    let chunk = format!("{:X}\r\n{event}\r\n", event.len());
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    server.send(format!("{head}{chunk}")).await;
    client.head().await;
    client.exact(chunk.len()).await;
    drop(server);
    client.rest().await;
    drop(client);
    let records = rig.records(1).await;
    let call = only(&records, "model_call");
    assert_eq!((&call["status"], &call["usage"]), (&json!("connection_lost"), &json!(null)));
    assert_eq!(call["response_id"], "resp_7");
    assert_eq!(only(&records, "fault")["class"], "eof");
    assert_eq!(only(&records, "ended")["close"]["kind"], "peer");
}
