//! The examples, driven as the modules they are: what they print and what they answer.

#[path = "../examples/dump.rs"]
#[expect(dead_code, reason = "its `main` is the program's")]
mod dump;
#[path = "../examples/echo.rs"]
#[expect(dead_code, reason = "its `main` is the program's")]
mod echo;

use std::{fmt::Write as _, io};

use capsem_ws_codec::{Deflate, FrameHead, Opcode, Role, encode_frame, handshake::request_headers};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

/// What the server answers to `wire` after its head, given in pieces of `size`.
async fn exchange(head: &str, wire: &[u8], size: usize) -> (String, Vec<u8>) {
    let (client, server) = duplex(1 << 20);
    let (mut from, mut to) = tokio::io::split(client);
    let send = async {
        to.write_all(head.as_bytes()).await.expect("a pipe");
        for piece in wire.chunks(size) {
            to.write_all(piece).await.expect("a pipe");
            tokio::task::yield_now().await;
        }
        to.shutdown().await.expect("a pipe");
    };
    let receive = async {
        let mut answer = Vec::new();
        from.read_to_end(&mut answer).await.expect("a pipe");
        answer
    };
    let (result, (), mut answer) = tokio::join!(echo::serve(server), send, receive);
    result.expect("served");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let frames = answer.split_off(end);
    (String::from_utf8(answer).expect("text"), frames)
}

/// An upgrade that offers permessage-deflate.
fn upgrade() -> String {
    let mut head = "GET / HTTP/1.1\r\nhost: localhost\r\n".to_owned();
    for (name, value) in &request_headers([7; 16], &[], Some("permessage-deflate")) {
        let value = value.to_str().expect("text");
        write!(head, "{name}: {value}\r\n").expect("a string");
    }
    head + "\r\n"
}

fn frame(fin: bool, rsv1: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    encode_frame(
        FrameHead { fin, rsv1, opcode, mask: Some([1, 2, 3, 4]), len: 0 },
        payload,
        &mut wire,
    );
    wire
}

/// RFC 7692 section 7.2.3.1: "Hello" compressed.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

#[tokio::test]
async fn echo_answers() {
    use Opcode::{Binary, Close, Continuation, Ping, Text};
    let table: [(&[Vec<u8>], &[u8]); 7] = [
        (&[], b""),
        (&[frame(true, false, Text, b"Hello")], b"\x81\x05Hello"),
        (&[frame(true, true, Text, &HELLO)], b"\x81\x05Hello"),
        (
            &[
                frame(false, false, Binary, b"He"),
                frame(true, false, Ping, b"?"),
                frame(true, false, Continuation, b"llo"),
            ],
            b"\x8a\x01?\x82\x05Hello",
        ),
        (&[frame(true, false, Close, b"\x0f\xa0bye")], b"\x88\x02\x0f\xa0"),
        (&[frame(true, false, Text, b"\xff")], b"\x88\x21\x03\xefbyte 0 of the text is not UTF-8"),
        (&[vec![0x83], vec![0; 9]], b"\x88\x18\x03\xeaopcode 0x3 is reserved"),
    ];
    for (frames, expected) in table {
        for size in [1, 4, usize::MAX] {
            let (head, answer) = exchange(&upgrade(), &frames.concat(), size).await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
            assert!(head.contains("sec-websocket-extensions: permessage-deflate\r\n"), "{head}");
            assert_eq!(answer.escape_ascii().to_string(), expected.escape_ascii().to_string());
        }
    }
}

#[tokio::test]
async fn echo_refuses() {
    for (head, status) in [
        ("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(), "426"),
        (upgrade().replace("version: 13", "version: 12"), "426"),
        (upgrade().replace("GET", "PUT"), "400"),
    ] {
        let (answer, frames) = exchange(&head, b"", 1).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(frames, b"");
    }
}

/// The lines, the last of them the error.
#[track_caller]
fn check_dump(wire: &[u8], sender: Role, deflate: Option<Deflate>, expected: &str) {
    let mut out = Vec::new();
    let dumped = dump::dump(wire, sender, deflate, &mut out);
    if let Err(error) = dumped {
        io::Write::write_fmt(&mut out, format_args!("{error}\n")).expect("a vector");
    }
    assert_eq!(String::from_utf8(out).expect("text"), expected);
}

#[test]
fn dump_prints() {
    check_dump(b"", Role::Server, None, "");
    check_dump(
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x01\x03Hel\x89\x00\x80\x02lo\x88\x02\x03\xe8??",
        Role::Server,
        None,
        "      36  Text len=3\n      \
               41  Ping fin len=0\n      \
               43  Continuation fin len=2\n          \
                   = Text message, 5 bytes; 9 in 2 frames\n      \
               47  Close fin len=2\n          \
                   = Close code 1000\n          \
                   = 2 bytes after the Close\n",
    );
    check_dump(
        &frame(true, true, Opcode::Text, &HELLO),
        Role::Client,
        Some(Deflate::default()),
        "       0  Text fin rsv1 masked len=7\n          = Text message, 5 bytes; 13 in 1 frame\n",
    );
}

#[test]
fn dump_names_what_is_wrong() {
    let check = |wire: &[u8], expected| check_dump(wire, Role::Server, None, expected);
    check(
        b"\x82\x05He",
        "       0  Binary fin len=5, cut\n          = ends 4 bytes into a frame\n",
    );
    check(b"\x82", "          = ends 1 bytes into a frame\n");
    check(b"\x02\x01a", "       0  Binary len=1\n          = ends inside a message\n");
    check(
        b"\x8a\x00\x82\x80",
        "       0  Pong fin len=0\nbyte 3: a server's frame is masked (Close code 1002)\n",
    );
    check(
        b"\x81\x03a\xffb",
        "       0  Text fin len=3\nbyte 3: byte 1 of the text is not UTF-8 (Close code 1007)\n",
    );
}
