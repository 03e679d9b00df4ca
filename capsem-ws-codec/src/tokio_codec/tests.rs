//! The codec under `Framed`, and on bytes by hand: ends, limits, keys, what may follow a Close.

use super::*;
use crate::encode_frame;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncWriteExt as _, duplex};
use tokio_util::codec::Framed;

fn server() -> MessageCodec {
    MessageCodec::server(None, Limits::default())
}

/// A client whose keys are `[0, 0, 0, 1]` and so on.
fn client() -> MessageCodec {
    let mut number = 0_u32;
    MessageCodec::client(None, Limits::default(), move || {
        number += 1;
        number.to_be_bytes()
    })
}

fn text(text: &str) -> OwnedItem {
    OwnedItem::Text(text.to_owned())
}

fn close(code: impl Into<Option<CloseCode>>, reason: &str) -> OwnedItem {
    OwnedItem::Close { code: code.into(), reason: reason.to_owned() }
}

/// All that `codec` makes of `wire` in pieces of `size` and its end.
fn read(mut codec: MessageCodec, wire: &[u8], size: usize) -> (Vec<OwnedItem>, Option<CodecError>) {
    let (mut items, mut src) = (Vec::new(), BytesMut::new());
    for piece in wire.chunks(size) {
        src.extend_from_slice(piece);
        loop {
            match codec.decode(&mut src) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(error)),
            }
        }
        assert!(src.is_empty(), "nothing is left to grow");
    }
    match codec.decode_eof(&mut src) {
        Ok(None) => (items, None),
        Ok(Some(item)) => panic!("{item:?} out of nothing"),
        Err(error) => (items, Some(error)),
    }
}

/// What a server reads of `wire`, the same for every size of pieces.
#[track_caller]
fn check(wire: &[u8], expected: &[OwnedItem], error: Option<&str>) {
    for size in [1, 2, 3, 5, 8, wire.len().max(1)] {
        let (items, found) =
            read(MessageCodec::client(None, Limits::default(), || [0; 4]), wire, size);
        assert_eq!(items, expected, "in pieces of {size}");
        assert_eq!(found.map(|found| format!("{found:?}")).as_deref(), error, "of {size}");
    }
}

#[test]
fn ends() {
    check(b"", &[], None);
    check(b"\x81\x05Hello", &[text("Hello")], None);
    check(b"\x81", &[], Some("Cut"));
    check(b"\x81\x05Hell", &[], Some("Cut"));
    check(b"\x89\x02?", &[], Some("Cut"));
    check(b"\x01\x05Hello", &[], Some("Cut"));
    check(b"\x01\x05Hello\x80\x00", &[text("Hello")], None);
    check(b"\x88\x00", &[close(None, "")], None);
    check(b"\x88\x02\x03\xe8\x83 never read", &[close(CloseCode::NORMAL, "")], None);
    check(b"\x01\x05Hello\x88\x00", &[close(None, "")], None);
}

#[test]
fn violations() {
    let reserved = "Violation(Opcode { opcode: 3 })";
    check(
        b"\x8a\x01!\x83\x00\x81\x00",
        &[OwnedItem::Pong(Bytes::from_static(b"!"))],
        Some(reserved),
    );
    check(b"\x81\x03a\xff!", &[], Some("Violation(Utf8 { at: 1 })"));
    check(b"\x81\x80", &[], Some("Violation(MaskUnexpected)"));

    let (mut codec, mut src) = (client(), BytesMut::from(&b"\x81\x03a\xff!"[..]));
    for _ in 0..2 {
        let error = codec.decode(&mut src).expect_err("not text");
        assert_eq!(error.close_code(), Some(CloseCode::INVALID_DATA));
        assert_eq!(src[..], b"\xff!"[..], "left at its byte");
    }
    assert_eq!(CodecError::Cut.close_code(), None);
}

#[test]
fn a_message_comes_whole_or_not_at_all() {
    let limits = Limits { capture: 5, ..Limits::default() };
    let (items, error) = read(MessageCodec::client(None, limits, || [0; 4]), b"\x82\x05Hello", 3);
    assert_eq!(items, [OwnedItem::Binary(Bytes::from_static(b"Hello"))]);
    assert!(error.is_none());
    let (items, error) = read(MessageCodec::client(None, limits, || [0; 4]), b"\x81\x06Hello!", 9);
    assert!(items.is_empty());
    assert!(matches!(error, Some(CodecError::Violation(Error::MessageLimit { limit: 5 }))));
}

#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_are_read() {
    let head =
        FrameHead { fin: true, rsv1: true, opcode: Opcode::Text, mask: Some([9; 4]), len: 0 };
    let mut wire = Vec::new();
    // RFC 7692 section 7.2.3.2: the second is the first again, by reference.
    encode_frame(head, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], &mut wire);
    encode_frame(head, &[0xf2, 0x00, 0x11, 0x00, 0x00], &mut wire);
    let codec = MessageCodec::server(Some(Deflate::default()), Limits::default());
    let (items, error) = read(codec, &wire, 4);
    assert_eq!(items, [text("Hello"), text("Hello")]);
    assert!(error.is_none());
}

#[test]
fn every_frame_of_a_client_takes_the_next_key() {
    let (mut codec, mut dst) = (client(), BytesMut::new());
    for _ in 0..2 {
        codec.encode(text("\0\0\0\0\0"), &mut dst).expect("fits");
    }
    codec.encode(close(CloseCode::NORMAL, ""), &mut dst).expect("fits");
    assert_eq!(
        dst[..],
        b"\x81\x85\0\0\0\x01\0\0\0\x01\0\x81\x85\0\0\0\x02\0\0\0\x02\0\x88\x82\0\0\0\x03\x03\xe8"[..]
    );
}

#[test]
fn what_is_not_sent() {
    let (mut codec, mut dst) = (server(), BytesMut::new());
    let long = Bytes::from(vec![0; 126]);
    for item in [OwnedItem::Ping(long.clone()), OwnedItem::Pong(long)] {
        let error = codec.encode(item, &mut dst).expect_err("too long");
        assert!(matches!(error, CodecError::Violation(Error::ControlLength { .. })));
    }
    assert!(dst.is_empty());
    codec.encode(close(CloseCode::from(1005), "needs a code"), &mut dst).expect("sent as none");
    assert!(matches!(codec.encode(text("late"), &mut dst), Err(CodecError::Closed)));
    assert_eq!(dst[..], b"\x88\x00"[..]);
}

/// Items of every kind and of every form of length, both ways through pipes of any width.
#[tokio::test]
async fn framed() {
    let (long, euros) = if cfg!(miri) { (65_536, 100) } else { (70_000, 3000) };
    let items = [
        text(""),
        text("caf\u{e9}"),
        OwnedItem::Ping(Bytes::from(vec![7; 125])),
        OwnedItem::Binary(Bytes::from(vec![1; 126])),
        OwnedItem::Pong(Bytes::new()),
        OwnedItem::Binary(Bytes::from(vec![2; long])),
        text(&"\u{20ac}".repeat(euros)),
        close(CloseCode::GOING_AWAY, "bye"),
    ];
    let widths: &[usize] = if cfg!(miri) { &[5000] } else { &[16, 1000, 1 << 20] };
    for &width in widths {
        for (ours, theirs) in [(server(), client()), (client(), server())] {
            let (near, far) = duplex(width);
            let (mut near, mut far) = (Framed::new(near, ours), Framed::new(far, theirs));
            let send = async {
                for item in &items {
                    near.send(item.clone()).await.expect("sent");
                }
                near.get_mut().shutdown().await.expect("ends");
            };
            let receive = async {
                let mut received = Vec::new();
                while let Some(item) = far.next().await {
                    received.push(item.expect("well formed"));
                }
                received
            };
            let ((), received) = tokio::join!(send, receive);
            assert_eq!(received, items, "through a pipe of {width} bytes");
            assert_eq!(far.codec().reader().counters().frames, items.len() as u64);
        }
    }
}
