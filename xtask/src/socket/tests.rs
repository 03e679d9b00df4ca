//! Two ends of one socket, in memory.

use capsem_ws_codec::{CloseCode, Deflate, Opcode, Role};

use super::Socket;

const BOTH_TAKE_OVER: Deflate = Deflate {
    client_no_context_takeover: false,
    server_no_context_takeover: false,
    client_max_window_bits: 15,
    server_max_window_bits: 15,
};

/// Every message comes back equal, and both ends counted the same; returns the bytes on the wire.
async fn check(deflate: Option<Deflate>) -> u64 {
    let (near, far) = tokio::io::duplex(1000);
    let mut client = Socket::new(near, Role::Client, deflate);
    let mut server = Socket::new(far, Role::Server, deflate);
    let echo = tokio::spawn(async move {
        while let Some(message) = server.receive().await.expect("a message") {
            server.send(message.opcode, &message.payload).await.expect("sent");
        }
        server
    });
    let line = "the same words in every line, ".repeat(300);
    let binary: Vec<u8> = (0..40_000_u32).map(|i| (i * i % 251) as u8).collect();
    let messages: [(Opcode, &[u8]); 6] = [
        (Opcode::Text, b"short"),
        (Opcode::Text, b""),
        (Opcode::Text, line.as_bytes()),
        (Opcode::Text, line.as_bytes()),
        (Opcode::Binary, &binary),
        (Opcode::Binary, b""),
    ];
    for (opcode, payload) in messages {
        client.send(opcode, payload).await.expect("sent");
        let back = client.receive().await.expect("a message").expect("an echo");
        assert_eq!(back.opcode, opcode);
        assert!(back.payload == payload, "{} bytes came back different", payload.len());
    }
    client.close(Some(CloseCode::NORMAL)).await.expect("sent");
    assert!(client.receive().await.expect("a close").is_none());
    let server = echo.await.expect("the server's end");
    assert_eq!(client.sent(), server.received());
    assert_eq!(server.sent(), client.received());
    assert_eq!(client.sent().messages, 6);
    assert_eq!(client.sent().frames, 7);
    client.sent().wire_bytes
}

#[tokio::test]
async fn messages_come_back_with_and_without_compression() {
    let plain = check(None).await;
    let compressed = check(Some(BOTH_TAKE_OVER)).await;
    let forgetful = Deflate { client_no_context_takeover: true, ..BOTH_TAKE_OVER };
    let forgetful = check(Some(forgetful)).await;
    assert!(compressed < forgetful && forgetful < plain, "{compressed} < {forgetful} < {plain}");
}
