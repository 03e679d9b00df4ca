//! What is read of a socket, in the ledger: a tool called over MCP, with and without its content.

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
