//! The guard on its own: what it hands on of a byte stream, however the stream is cut.

use super::{Bounds, Guard, STAND_IN};
use crate::answer::Refusal;
use capsem_telemetry::FaultClass;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const BOUNDS: Bounds =
    Bounds { head: 1024, head_time: Duration::from_secs(15), stall: Duration::from_mins(1) };
const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/// What comes out of a guard into which `pieces` go one by one, and what it found wrong.
async fn pass(pieces: &[&[u8]]) -> (Vec<u8>, Option<Refusal>) {
    let (mut peer, inner) = tokio::io::duplex(1 << 16);
    let (mut guard, watch) = Guard::new(Box::new(inner), BOUNDS);
    let mut out = Vec::new();
    for piece in pieces {
        peer.write_all(piece).await.unwrap();
        // Whatever can be had of it now.
        while let Ok(read) =
            tokio::time::timeout(Duration::from_millis(1), guard.read_buf(&mut out)).await
        {
            if !matches!(read, Ok(n) if n > 0) {
                break;
            }
        }
    }
    let wrong = watch.take_refusal().or_else(|| watch.take_violation());
    (out, wrong)
}

/// Runs a stream whole and cut at every byte: the same comes out, for the same reason.
#[track_caller]
fn check(stream: &str, expect: &str, wrong: Option<FaultClass>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let bytes = stream.as_bytes();
    for cut in 0..bytes.len() {
        let (out, found) = runtime.block_on(pass(&[&bytes[..cut], &bytes[cut..]]));
        assert_eq!(String::from_utf8_lossy(&out), expect, "{stream:?} cut at {cut}");
        assert_eq!(found.map(|refusal| refusal.class), wrong, "{stream:?} cut at {cut}");
    }
}

#[track_caller]
fn passes(stream: &str) {
    check(stream, stream, None);
}

/// The first `good` bytes go on, the stand-in takes the place of what follows.
#[track_caller]
fn refuses(good: &str, bad: &str, class: FaultClass) {
    let expect = format!("{good}{}", std::str::from_utf8(STAND_IN).unwrap());
    check(&format!("{good}{bad}"), &expect, Some(class));
}

#[test]
fn whole_messages_pass_one_after_the_other() {
    passes(GET);
    passes(&GET.repeat(3));
    passes("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n");
    passes(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
         3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    );
    check(&format!("\r\n\r\n{GET}"), GET, None);
}

#[tokio::test]
async fn a_head_that_breaks_off_is_a_fault_and_silence_before_one_is_none() {
    for (cut, expect) in
        [(0, None), (1, Some(FaultClass::Eof)), (GET.len() - 1, Some(FaultClass::Eof))]
    {
        let (mut peer, inner) = tokio::io::duplex(1 << 16);
        let (mut guard, watch) = Guard::new(Box::new(inner), BOUNDS);
        peer.write_all(&GET.as_bytes()[..cut]).await.unwrap();
        drop(peer);
        let read = guard.read_buf(&mut Vec::new()).await;
        assert_eq!(read.is_err(), expect.is_some(), "after {cut} bytes: {read:?}");
        assert_eq!(watch.take_violation().map(|wrong| wrong.class), expect, "after {cut} bytes");
    }
}

#[test]
fn a_bad_head_is_replaced_and_nothing_after_it_is_read() {
    refuses(GET, "GET / HTTP/1.1\nHost: h\r\n\r\nrest", FaultClass::Head);
    refuses(GET, "GET / HTTP/1.1\r\nHost : h\r\n\r\n", FaultClass::Head);
    refuses("", &format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(1024)), FaultClass::Head);
    refuses("", &"\r\n".repeat(9), FaultClass::Head);
    refuses(
        "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\na",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        FaultClass::Framing,
    );
}

#[test]
fn a_body_that_breaks_its_framing_breaks_the_connection() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in
        ["g\r\n", "\r\n", "1\n", "1\r\nab", "11111111111111111\r\n", "0\r\n \r\n", "1;\x01\r\n"]
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let stream = format!("{head}{body}");
        let (out, found) = runtime.block_on(pass(&[stream.as_bytes()]));
        assert!(out.starts_with(head.as_bytes()), "{body:?}");
        assert_eq!(found.map(|refusal| refusal.class), Some(FaultClass::Framing), "{body:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_between_an_upgrade_and_its_switch() {
    let upgrade = b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket,\r\n\r\n";
    let (out, found) = pass(&[upgrade, b"early"]).await;
    assert_eq!((&out[..], found), (&upgrade[..], Some(Refusal::early_data())));

    let (mut peer, inner) = tokio::io::duplex(1 << 16);
    let (mut guard, watch) = Guard::new(Box::new(inner), BOUNDS);
    peer.write_all(upgrade).await.unwrap();
    let mut out = vec![0; upgrade.len()];
    guard.read_exact(&mut out).await.unwrap();
    watch.switch();
    peer.write_all(b"frames\n").await.unwrap();
    let mut out = [0; 7];
    guard.read_exact(&mut out).await.unwrap();
    assert_eq!(&out, b"frames\n");
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_is_refused_and_an_idle_connection_ended() {
    let (mut peer, inner) = tokio::io::duplex(1 << 16);
    let (mut guard, watch) = Guard::new(Box::new(inner), BOUNDS);
    peer.write_all(b"GET /").await.unwrap();
    let mut out = vec![0; STAND_IN.len()];
    guard.read_exact(&mut out).await.unwrap();
    assert_eq!(out, STAND_IN);
    assert_eq!(watch.take_refusal().unwrap().class, FaultClass::HeadTimeout);

    let (_peer, inner) = tokio::io::duplex(1 << 16);
    let (mut guard, watch) = Guard::new(Box::new(inner), BOUNDS);
    assert_eq!(guard.read(&mut out).await.unwrap(), 0);
    assert_eq!(watch.take_refusal(), None);
}

#[tokio::test(start_paused = true)]
async fn no_more_of_a_head_is_read_than_may_be() {
    const ROOM: usize = 1 << 14;
    let (mut peer, inner) = tokio::io::duplex(ROOM);
    let (mut guard, _watch) = Guard::new(Box::new(inner), BOUNDS);
    peer.write_all("GET / HTTP/1.1\r\nX: ".as_bytes()).await.unwrap();
    peer.write_all(&[b'y'; ROOM - 19]).await.unwrap();
    let mut out = [0; STAND_IN.len()];
    guard.read_exact(&mut out).await.unwrap();
    assert_eq!(out, STAND_IN);
    // The pipe was full: what can be written now was read.
    assert_eq!(peer.write(&[b'y'; ROOM]).await.unwrap(), BOUNDS.head + 1);
}
