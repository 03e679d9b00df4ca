//! Two ends of one socket, in memory.

use capsem_ws_codec::{CloseCode, Deflate, Limits, Opcode, Role};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    let mut client = Socket::new(near, Role::Client, deflate, Limits::default()).expect("a client");
    let mut server = Socket::new(far, Role::Server, deflate, Limits::default()).expect("a server");
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

/// What a server answers to `wire` from a client before it ends.
async fn answer(wire: &[u8]) -> Vec<u8> {
    let (mut near, far) = tokio::io::duplex(1000);
    near.write_all(wire).await.expect("room");
    let mut server =
        Socket::new(far, Role::Server, None, Limits::default()).expect("without compression");
    assert!(server.receive().await.is_err());
    drop(server);
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.expect("the end");
    answer
}

#[tokio::test]
async fn who_breaks_the_protocol_is_told_so() {
    assert_eq!(answer(b"\xc1\x80\0\0\0\0").await, b"\x88\x02\x03\xea", "RSV1: 1002");
    assert_eq!(answer(b"\x81\x81\0\0\0\0\xff").await, b"\x88\x02\x03\xef", "not UTF-8: 1007");
}

#[tokio::test]
async fn messages_come_back_with_and_without_compression() {
    let plain = check(None).await;
    let compressed = check(Some(BOTH_TAKE_OVER)).await;
    let forgetful = Deflate { client_no_context_takeover: true, ..BOTH_TAKE_OVER };
    let forgetful = check(Some(forgetful)).await;
    assert!(compressed < forgetful && forgetful < plain, "{compressed} < {forgetful} < {plain}");
}
