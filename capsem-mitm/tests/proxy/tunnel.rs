//! The relay: bytes untouched, violations told to both sides, ends passed on, over any stream.

use crate::support::relay::{Heard, all, masked, unmasked_close};
use capsem_mitm::ws::{Close, CloseKind, Config, Ended, Session, Side, tunnel};
use capsem_ws_codec::{Message, Role, handshake::Accepted};
use std::{
    io,
    pin::Pin,
    sync::mpsc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::UnixStream,
};

/// Remembers what it hears.
struct Ear(mpsc::Sender<Heard>);

impl Session for Ear {
    fn on_message(&mut self, from: Role, message: &Message<'_>) {
        let _ = self.0.send(Heard::Message(from, message.payload.to_vec()));
    }

    fn on_end(&mut self, ended: &Ended) {
        let _ = self.0.send(Heard::Ended(Box::new(ended.clone())));
    }
}

struct Ends<T> {
    client: T,
    upstream: T,
    heard: mpsc::Receiver<Heard>,
    relay: tokio::task::JoinHandle<Ended>,
}

fn relay<T>(client: (T, T), upstream: (T, T), config: &Config) -> Ends<T>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (ear, heard) = mpsc::channel();
    let (client, inner_client) = client;
    let (upstream, inner_upstream) = upstream;
    let relay =
        tokio::spawn(tunnel(inner_client, inner_upstream, &Accepted::default(), Ear(ear), config));
    Ends { client, upstream, heard, relay }
}

fn memory(config: &Config) -> Ends<tokio::io::DuplexStream> {
    relay(tokio::io::duplex(1 << 16), tokio::io::duplex(1 << 16), config)
}

#[tokio::test]
async fn over_unix_sockets() {
    let mut ends =
        relay(UnixStream::pair().unwrap(), UnixStream::pair().unwrap(), &Config::default());
    let hello = masked(0x81, b"hello");
    ends.client.write_all(&hello).await.unwrap();
    let mut got = vec![0; hello.len()];
    ends.upstream.read_exact(&mut got).await.unwrap();
    assert_eq!(got, hello);
    // A fragmented answer with a ping inside, then Close from both.
    let answer = b"\x01\x02he\x89\x00\x80\x03llo\x88\x02\x03\xe8";
    ends.upstream.write_all(answer).await.unwrap();
    let mut got = vec![0; answer.len()];
    ends.client.read_exact(&mut got).await.unwrap();
    assert_eq!(got, answer);
    let close = masked(0x88, &[0x03, 0xe8]);
    ends.client.write_all(&close).await.unwrap();
    assert_eq!(all(&mut ends.upstream).await, close);
    assert_eq!(all(&mut ends.client).await, b"");
    drop((ends.client, ends.upstream));
    let ended = ends.relay.await.unwrap();
    assert_eq!((ended.close.kind, ended.close.by), (CloseKind::Normal, Some(Side::Upstream)));
    assert_eq!(ended.close.code, Some(1000));
    assert_eq!((ended.to_client.frames, ended.to_client.messages), (4, 1));
    let heard: Vec<_> = ends.heard.try_iter().collect();
    assert_eq!(heard[0], Heard::Message(Role::Client, b"hello".to_vec()));
    assert_eq!(heard[1], Heard::Message(Role::Server, b"hello".to_vec()));
    assert_eq!(heard[2], Heard::Ended(Box::new(ended)));
    assert_eq!(heard.len(), 3);
}

/// What a violation says to both sides: frames seen by the client, by upstream, and the record.
#[track_caller]
fn check(from: Role, bytes: &[u8], to_client: &[u8], to_upstream: u16, class: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let (client, upstream, ended) = runtime.block_on(async {
        let mut ends = memory(&Config::default());
        match from {
            Role::Client => ends.client.write_all(bytes).await.unwrap(),
            Role::Server => ends.upstream.write_all(bytes).await.unwrap(),
        }
        let said = tokio::join!(all(&mut ends.client), all(&mut ends.upstream));
        drop((ends.client, ends.upstream));
        (said.0, said.1, ends.relay.await.unwrap())
    });
    assert!(client.starts_with(to_client), "{class}: the client saw {client:02x?}");
    let code = unmasked_close(&upstream);
    assert_eq!(code, to_upstream, "{class}: upstream saw {upstream:02x?}");
    let fault = ended.fault.expect("a fault");
    assert_eq!((fault.side, fault.class), (Side::from(from), class));
    assert_eq!(ended.close.kind, CloseKind::Error);
}

#[test]
fn a_violation_is_told_to_both_sides() {
    use Role::{Client, Server};
    check(Client, b"\x81\x02hi", b"\x88\x06\x03\xeamask", 1001, "mask");
    check(Client, &masked(0x83, b""), b"\x88\x08\x03\xeaopcode", 1001, "opcode");
    check(Client, &masked(0xc1, b""), b"\x88\x05\x03\xearsv", 1001, "rsv");
    check(Client, &masked(0x80, b""), b"\x88\x0c\x03\xeainterleave", 1001, "interleave");
    check(Client, &masked(0x81, b"\xff"), b"\x88\x06\x03\xefutf8", 1001, "utf8");
    check(Client, &masked(0x88, b"\x03"), b"\x88\x0c\x03\xeaclose_code", 1001, "close_code");
    // The innocent client hears 1011, the upstream at fault its code.
    check(Server, b"\x81\x80\0\0\0\0", b"\x88\x06\x03\xf3mask", 1002, "mask");
    check(Server, b"\x81\x01\xff", b"\x88\x06\x03\xf3utf8", 1007, "utf8");
    check(
        Server,
        b"\x82\x7f\x7f\0\0\0\0\0\0\0",
        b"\x88\x0d\x03\xf3frame_limit",
        1009,
        "frame_limit",
    );
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_violation_goes_on() {
    let mut ends = memory(&Config::default());
    let good = masked(0x81, b"good");
    ends.client.write_all(&[good.clone(), masked(0x83, b"")].concat()).await.unwrap();
    let upstream = all(&mut ends.upstream).await;
    assert_eq!(upstream[..good.len()], good);
    assert_eq!(unmasked_close(&upstream[good.len()..]), 1001);
}

/// What the violator `by` sees if the other side, once told to go, says `first`, then `rest`.
async fn last_words(by: Role, first: &[u8], rest: &[u8]) -> Vec<u8> {
    let ends = memory(&Config::default());
    let (mut violator, mut other, violation) = match by {
        Role::Client => (ends.client, ends.upstream, masked(0x83, b"")),
        Role::Server => (ends.upstream, ends.client, b"\x83\0".to_vec()),
    };
    violator.write_all(&violation).await.unwrap();
    let mut told = [0; 2];
    other.read_exact(&mut told).await.unwrap();
    assert_eq!(told[0], 0x88);
    for piece in [first, rest] {
        other.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (seen, _) = tokio::join!(all(&mut violator), all(&mut other));
    seen
}

#[tokio::test(start_paused = true)]
async fn an_answer_under_way_comes_before_the_violators_close() {
    let ours = b"\x88\x08\x03\xeaopcode".to_vec();
    let said = b"\x81\x02hi\x88\x05\x03\xe9bye";
    for at in 0..said.len() {
        let seen = last_words(Role::Client, &said[..at], &said[at..]).await;
        assert_eq!(seen, [&said[..4], &ours].concat(), "cut at {at}");
    }
    let said = [masked(0x81, b"hi"), masked(0x88, b"\x03\xf3")].concat();
    for at in 0..said.len() {
        let seen = last_words(Role::Server, &said[..at], &said[at..]).await;
        assert_eq!(seen[..8], said[..8], "cut at {at}");
        assert_eq!(unmasked_close(&seen[8..]), 1002, "cut at {at}");
    }
    // Without an answer, without an end of it, and with a rule broken there too.
    assert_eq!(last_words(Role::Client, b"", b"").await, ours);
    assert_eq!(last_words(Role::Client, b"\x81\x02h", b"").await, b"\x81\x02h");
    assert_eq!(last_words(Role::Client, b"\x81\x02hi\x83", b"").await[4..], ours);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_has_begun_is_the_only_one() {
    let mut ends = memory(&Config::default());
    ends.upstream.write_all(b"\x88\x02\x03").await.unwrap();
    let mut begun = [0; 3];
    ends.client.read_exact(&mut begun).await.unwrap();
    ends.client.write_all(&masked(0x83, b"")).await.unwrap();
    ends.upstream.write_all(b"\xe9").await.unwrap();
    let (seen, _) = tokio::join!(all(&mut ends.client), all(&mut ends.upstream));
    assert_eq!(seen, b"\xe9");
}

#[tokio::test(start_paused = true)]
async fn an_end_inside_a_frame_is_a_fault() {
    let mut ends = memory(&Config::default());
    let frame = masked(0x82, b"0123456789");
    ends.client.write_all(&frame[..9]).await.unwrap();
    drop(ends.client);
    assert_eq!(all(&mut ends.upstream).await, frame[..9]);
    drop(ends.upstream);
    let ended = ends.relay.await.unwrap();
    assert_eq!(ended.close.kind, CloseKind::Peer);
    assert_eq!(ended.fault.unwrap().class, "eof");
}

/// A socket that was reset, as the system shows it: the first write takes the error, and what is
/// read after that is an end.
struct WasReset(bool);

impl AsyncRead for WasReset {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncWrite for WasReset {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0 = true;
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_a_write_found_is_no_orderly_end() {
    let (mut client, inner) = tokio::io::duplex(1 << 16);
    let (ear, _heard) = mpsc::channel();
    let (config, accepted) = (Config::default(), Accepted::default());
    let relay = tunnel(inner, WasReset(false), &accepted, Ear(ear), &config);
    let speak = async {
        client.write_all(&masked(0x81, b"hi")).await.unwrap();
        let told = all(&mut client).await;
        drop(client);
        told
    };
    let (ended, told) = tokio::join!(relay, speak);
    assert_eq!(told, b"\x88\x0b\x03\xf3peer lost");
    assert_eq!((ended.close.kind, ended.close.by), (CloseKind::Peer, Some(Side::Upstream)));
    assert_eq!(ended.fault.unwrap().class, "reset");
}

#[tokio::test(start_paused = true)]
async fn half_close_is_kept() {
    let mut ends = memory(&Config::default());
    ends.client.shutdown().await.unwrap();
    assert_eq!(all(&mut ends.upstream).await, b"");
    ends.upstream.write_all(b"\x81\x02hi").await.unwrap();
    let mut got = [0; 4];
    ends.client.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"\x81\x02hi");
    drop(ends.upstream);
    assert_eq!(all(&mut ends.client).await, b"");
    drop(ends.client);
    let ended = ends.relay.await.unwrap();
    assert_eq!(ended.close.kind, CloseKind::Normal);
    assert_eq!(ended.close.by, Some(Side::Client));
}

#[tokio::test(start_paused = true)]
async fn silence_inside_a_frame_ends_it_and_silence_between_frames_does_not() {
    let mut ends = memory(&Config::default());
    tokio::time::advance(Duration::from_hours(1)).await;
    ends.client.write_all(&masked(0x81, b"hi")[..7]).await.unwrap();
    let (client, _) = tokio::join!(all(&mut ends.client), all(&mut ends.upstream));
    assert_eq!(client, b"\x88\x07\x03\xf0stall");
    drop((ends.client, ends.upstream));
    let ended = ends.relay.await.unwrap();
    assert_eq!((ended.close.kind, ended.close.by), (CloseKind::Timeout, Some(Side::Proxy)));
    let fault = ended.fault.unwrap();
    assert_eq!((fault.side, fault.class), (Side::Client, "stall"));
}

#[tokio::test(start_paused = true)]
async fn draining_says_going_away_to_both_after_the_message_under_way() {
    let config = Config::default();
    let drain = config.drain.clone();
    let mut ends = memory(&config);
    ends.upstream.write_all(b"\x01\x02he").await.unwrap();
    let mut got = [0; 4];
    ends.client.read_exact(&mut got).await.unwrap();
    drain.begin();
    ends.upstream.write_all(b"\x80\x03llo").await.unwrap();
    let (client, upstream) = tokio::join!(all(&mut ends.client), all(&mut ends.upstream));
    assert_eq!(client, b"\x80\x03llo\x88\x0a\x03\xe9draining");
    assert_eq!(unmasked_close(&upstream), 1001);
    drop((ends.client, ends.upstream));
    let ended = ends.relay.await.unwrap();
    assert_eq!(ended.close.kind, CloseKind::Normal);
    assert_eq!(ended.close.by, Some(Side::Proxy));
    assert!(ended.fault.is_none());
}

#[tokio::test]
async fn a_tunnel_that_is_dropped_still_ends() {
    let ends = memory(&Config::default());
    tokio::task::yield_now().await;
    ends.relay.abort();
    assert!(ends.relay.await.unwrap_err().is_cancelled());
    let Ok(Heard::Ended(ended)) = ends.heard.recv() else { panic!("no end was heard") };
    let Close { kind, by, .. } = ended.close;
    assert_eq!((kind, by), (CloseKind::Error, None));
}
