//! What is read of the traffic, in the ledger: a tool called over MCP, with and without its content;
//! what services say beside their answers.

use crate::support::{Client, HOST, Path, Rig, Upstream, only};
use capsem_policy::Policy;
use capsem_ws_codec::{Opcode, Role, encode_data};
use serde_json::{Value, json};

fn frame(role: Role, message: &Value) -> Vec<u8> {
    let mask = (role == Role::Client).then_some([5, 6, 7, 8]);
    let mut frame = Vec::new();
    encode_data(role, Opcode::Text, message.to_string().as_bytes(), mask, &mut frame);
    frame
}

#[tokio::test]
async fn a_tool_called_over_mcp() {
    for capture in [false, true] {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::with(&upstream, Policy::allow_all(), |config| {
            config.telemetry.capture_bodies = capture;
        })
        .await;
        let mut client = Client::tls(&rig, Path::Transparent, HOST).await;
        client
            .send(format!(
                "GET /mcp HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ))
            .await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        server.switch(&head, "").await;
        client.head().await;

        let arguments = json!({"q": "open", "api_key": "hunter2"});
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call",
            "params": {"name": "find", "arguments": arguments}});
        let result = json!({"jsonrpc": "2.0", "id": 7, "result": {"content": []}});
        let request = frame(Role::Client, &call);
        client.send(request.clone()).await;
        assert_eq!(server.exact(request.len()).await, request);
        let answer = frame(Role::Server, &result);
        server.send(answer.clone()).await;
        assert_eq!(client.exact(answer.len()).await, answer);
        drop(client);

        let records = rig.records(1).await;
        let tool = only(&records, "tool_use");
        assert_eq!((&tool["name"], &tool["request_id"]), (&json!("find"), &json!("7")));
        assert_eq!((&tool["status"], &tool["is_error"]), (&json!("completed"), &json!(false)));
        assert_eq!(tool["request_bytes"], call.to_string().len());
        assert_eq!(only(&records, "ended")["model_calls"], 0);
        assert_eq!(tool["content"].is_null(), !capture);
        if capture {
            let shown = tool["content"]["request"].as_str().unwrap();
            assert!(shown.contains("open") && !shown.contains("hunter2"), "{shown}");
            assert_eq!(tool["content"]["response"], result.to_string());
        }
    }
}

const UPGRADE: &str = "GET /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nConnection: Upgrade\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const SAID: &str = "x-codex-primary-used-percent: 41\r\nx-codex-primary-window-minutes: 300\r\n";

/// Each word on limits, as where it was said and how much is used.
fn limits(records: &[Value]) -> Vec<(&str, f64)> {
    let said = records.iter().filter(|record| record["kind"] == "rate_limits");
    said.map(|it| {
        (it["source"].as_str().unwrap(), it["limits"][0]["used_percent"].as_f64().unwrap())
    })
    .collect()
}

#[tokio::test]
async fn rate_limits_of_a_socket_timing_and_the_model() {
    let mut upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    let mut client = Client::tls(&rig, Path::Transparent, HOST).await;
    client.send(UPGRADE).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    server.switch(&head, &format!("{SAID}openai-model: m-served\r\n")).await;
    client.head().await;
    let create = frame(Role::Client, &json!({"type": "response.create", "model": "m"}));
    client.send(create.clone()).await;
    server.exact(create.len()).await;
    let used = |percent: u32| {
        json!({"type": "codex.rate_limits",
            "rate_limits": {"primary": {"used_percent": percent, "window_minutes": 300}}})
    };
    let response = json!({"id": "resp_1", "status": "in_progress"});
    for message in [
        used(41),
        json!({"type": "response.created", "response": response}),
        used(42),
        json!({"type": "responsesapi.websocket_timing",
            "timing_metrics": {"engine_service_total_ms": 7}}),
        json!({"type": "response.metadata", "response_id": "resp_1",
            "metadata": {"openai_verification_recommendation": ["trusted_access_for_cyber"]}}),
        json!({"type": "response.completed", "response": {"id": "resp_1", "status": "completed"}}),
    ] {
        let message = frame(Role::Server, &message);
        server.send(message.clone()).await;
        assert_eq!(client.exact(message.len()).await, message);
    }
    drop(client);
    let records = rig.records(1).await;
    assert_eq!(limits(&records), [("headers", 41.0), ("event", 42.0)]);
    let call = only(&records, "model_call");
    assert_eq!((&call["model_requested"], &call["model"]), (&json!("m"), &json!("m-served")));
    assert_eq!(call["server_timing"]["engine_ms"], 7);
    assert_eq!(call["safety"], json!(["trusted_access_for_cyber"]));
}

#[tokio::test]
async fn rate_limits_of_a_refused_upgrade_and_of_a_response() {
    let post = "POST /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: 2\r\n\r\n{}";
    for (request, status) in [(UPGRADE, "429 Too Many Requests"), (post, "429 Too Many Requests")] {
        let mut upstream = Upstream::tls(HOST).await;
        let rig = Rig::open(&upstream).await;
        let mut client = Client::tls(&rig, Path::Transparent, HOST).await;
        client.send(request).await;
        let mut server = upstream.next().await;
        server.head().await;
        let answer = format!(
            "HTTP/1.1 {status}\r\n{SAID}Retry-After: 7\r\nopenai-processing-ms: 9\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        server.send(answer).await;
        client.head().await;
        drop(client);
        let records = rig.records(1).await;
        assert_eq!(limits(&records), [("headers", 41.0)], "{request}");
        let later = &only(&records, "rate_limits")["limits"][1];
        assert_eq!((&later["name"], &later["resets_in_ms"]), (&json!("retry-after"), &json!(7000)));
        if request == post {
            assert_eq!(only(&records, "model_call")["server_timing"]["processing_ms"], 9);
        }
    }
}
