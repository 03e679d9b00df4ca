//! What a host does with the messages of a tunnel: holds them, refuses them, lets them wait, looks.

use crate::support::relay::{Heard, all, masked, unmasked_close};
use capsem_mitm::ws::{CloseKind, Config, Ended, Gate, Refusal, Session, tunnel};
use capsem_ws_codec::{FrameHead, Message, Opcode, Role, encode_frame, handshake::Accepted};
use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream as Socket,
    sync::mpsc,
    thread,
    time::Duration,
};
use tokio::{io::AsyncWriteExt as _, net::UnixStream, runtime::Builder};

/// A host that holds what is said and goes by its first letter.
struct Letters(mpsc::Sender<Heard>);

fn refusal(word: &str) -> Refusal {
    Refusal { word: word.to_owned(), reason: format!("{word} it was") }
}

impl Session for Letters {
    fn on_message(&mut self, from: Role, message: &Message<'_>) {
        let _ = self.0.send(Heard::Message(from, message.payload.to_vec()));
    }

    fn hold(&mut self, _: Role) -> Option<usize> {
        Some(64)
    }

    fn judge(&mut self, _: Role, message: &Message<'_>) -> Gate {
        match message.payload.first() {
            Some(b'n') => Gate::Refuse { refusal: refusal("no"), answer: "no".to_owned() },
            Some(b's') => Gate::Refuse { refusal: refusal("silent"), answer: String::new() },
            Some(b'c') => Gate::Close(refusal("closed")),
            Some(b'w') => Gate::Wait(Box::pin(async {
                tokio::time::sleep(Duration::from_hours(1)).await;
                Gate::Forward
            })),
            _ => Gate::Forward,
        }
    }

    fn unjudged(&mut self, _: Role, _: u64) -> Gate {
        Gate::Refuse { refusal: refusal("long"), answer: "long".to_owned() }
    }

    fn on_end(&mut self, ended: &Ended) {
        let _ = self.0.send(Heard::Ended(Box::new(ended.clone())));
    }
}

/// What both ends see when `from` says these frames and leaves, one byte at a time or all at once.
#[track_caller]
fn judged(from: Role, frames: &[&[u8]], to_client: &[u8], to_upstream: &[u8]) {
    for size in [1, 7, usize::MAX] {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let seen = runtime.block_on(async {
            let (letters, _heard) = mpsc::channel();
            let (mut client, inner_client) = tokio::io::duplex(1 << 20);
            let (mut upstream, inner_upstream) = tokio::io::duplex(1 << 20);
            let (config, accepted) = (Config::default(), Accepted::default());
            let relay = tunnel(inner_client, inner_upstream, &accepted, Letters(letters), &config);
            let speak = async {
                let speaker = match from {
                    Role::Client => &mut client,
                    Role::Server => &mut upstream,
                };
                let bytes = frames.concat();
                for chunk in bytes.chunks(size.min(bytes.len())) {
                    let _ = speaker.write_all(chunk).await;
                    tokio::task::yield_now().await;
                }
                // A day later all that waits has been decided.
                tokio::time::sleep(Duration::from_hours(24)).await;
                let _ = speaker.shutdown().await;
                let told = tokio::join!(all(&mut client), all(&mut upstream));
                drop((client, upstream));
                told
            };
            tokio::join!(relay, speak).1
        });
        assert_eq!(seen.0, to_client, "{from:?}: to the client, in pieces of {size}");
        assert_eq!(seen.1, to_upstream, "{from:?}: to upstream, in pieces of {size}");
    }
}

#[test]
fn a_host_holds_refuses_and_lets_wait() {
    use Role::{Client, Server};
    let say = |text: &[u8]| masked(0x81, text);
    let ping = masked(0x89, b"!");
    // What is refused goes no further and is answered, or not; the rest is as it came.
    judged(
        Client,
        &[&say(b"yes"), &say(b"no"), &say(b"silent"), &say(b"yes again")],
        b"\x81\x02no",
        &[say(b"yes"), say(b"yes again")].concat(),
    );
    judged(Server, &[b"\x81\x01y\x81\x01n\x81\x01y"], b"\x81\x01y\x81\x02no\x81\x01y", b"");
    // Fragments wait for the last one; a ping among them does not.
    let (begin, end) = (masked(0x01, b"y"), masked(0x80, b"es"));
    judged(Client, &[&begin, &ping, &end], b"", &[&ping[..], &begin, &end].concat());
    // Behind a message that waits only pings and pongs pass.
    judged(
        Client,
        &[&say(b"wait"), &ping, &say(b"yes"), &say(b"no")],
        b"\x81\x02no",
        &[&ping[..], &say(b"wait"), &say(b"yes")].concat(),
    );
    // One that is too long to be held is dropped to its end, pings among it apart.
    let long = vec![b'x'; 60_000];
    let mut fragments: Vec<Vec<u8>> = vec![long_frame(0x01, &long), long_frame(0x00, &long)];
    fragments.push(long_frame(0x00, &long));
    fragments.push(ping.clone());
    fragments.push(long_frame(0x80, &long));
    fragments.push(say(b"yes"));
    let frames: Vec<&[u8]> = fragments.iter().map(Vec::as_slice).collect();
    judged(Client, &frames, b"\x81\x04long", &[&ping[..], &say(b"yes")].concat());
    // A Close inside a message that is held: the message never was one.
    let close = masked(0x88, &[0x03, 0xe8]);
    judged(Client, &[&begin, &close], b"", &close);
}

#[tokio::test(start_paused = true)]
async fn a_host_closes_for_a_message() {
    let (letters, heard) = mpsc::channel();
    let (mut client, inner_client) = tokio::io::duplex(1 << 16);
    let (mut upstream, inner_upstream) = tokio::io::duplex(1 << 16);
    let (config, accepted) = (Config::default(), Accepted::default());
    let relay = tunnel(inner_client, inner_upstream, &accepted, Letters(letters), &config);
    let relay = tokio::spawn(relay);
    client.write_all(&[masked(0x81, b"yes"), masked(0x81, b"close")].concat()).await.unwrap();
    let said = tokio::join!(all(&mut client), all(&mut upstream));
    assert_eq!(said.0, b"\x88\x08\x03\xf0closed");
    let yes = masked(0x81, b"yes");
    assert_eq!(said.1[..yes.len()], yes);
    assert_eq!(unmasked_close(&said.1[yes.len()..]), 1001);
    drop((client, upstream));
    let ended = relay.await.unwrap();
    assert_eq!((ended.close.kind, ended.close.code), (CloseKind::Policy, Some(1008)));
    assert_eq!(ended.close.reason, "closed it was");
    let shown: Vec<_> = heard.try_iter().collect();
    assert_eq!(shown[0], Heard::Message(Role::Client, b"yes".to_vec()));
    assert_eq!(shown.len(), 2);
}

/// A frame of the client's of up to 65535 bytes, masked with zeros.
fn long_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![first, 0xfe, len[0], len[1], 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

/// Looks at a message for as long as its bytes are not there yet.
struct Patient {
    arrived: mpsc::Receiver<()>,
    shown: mpsc::Sender<(usize, bool)>,
}

impl Session for Patient {
    fn on_message(&mut self, _: Role, message: &Message<'_>) {
        let arrived = self.arrived.recv_timeout(Duration::from_secs(20));
        let _ = self.shown.send((message.payload.len(), arrived.is_ok()));
    }

    fn on_end(&mut self, _: &Ended) {}
}

/// Whoever looks at a large message delays none of its bytes. The ends are threads, as the look
/// blocks the runtime that the relay is on.
#[test]
fn a_large_message_has_gone_on_before_it_is_shown() {
    const LEN: usize = 1 << 20;
    for from in [Role::Client, Role::Server] {
        let (client, inner_client) = Socket::pair().unwrap();
        let (upstream, inner_upstream) = Socket::pair().unwrap();
        let (arrive, arrived) = mpsc::channel();
        let (show, shown) = mpsc::channel();
        let relay = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let [client, upstream] = [inner_client, inner_upstream].map(|socket| {
                    socket.set_nonblocking(true).unwrap();
                    UnixStream::from_std(socket).unwrap()
                });
                let session = Patient { arrived, shown: show };
                tunnel(client, upstream, &Accepted::default(), session, &Config::default()).await
            })
        });
        let (mut sends, mut reads, mask) = match from {
            Role::Client => (client, upstream, Some([1, 2, 3, 4])),
            Role::Server => (upstream, client, None),
        };
        let mut frame = Vec::new();
        let head = FrameHead { fin: true, rsv1: false, opcode: Opcode::Text, mask, len: 0 };
        encode_frame(head, &vec![b'x'; LEN], &mut frame);
        let mut got = vec![0; frame.len()];
        thread::scope(|scope| {
            scope.spawn(|| sends.write_all(&frame).unwrap());
            reads.read_exact(&mut got).unwrap();
        });
        assert!(got == frame, "{from:?}");
        arrive.send(()).unwrap();
        drop((sends, reads));
        relay.join().unwrap();
        assert_eq!(shown.try_iter().collect::<Vec<_>>(), [(LEN, true)], "{from:?}");
    }
}
