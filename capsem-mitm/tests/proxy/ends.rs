//! Ends that TCP cannot tell of: amid a fragmented message, inside the close handshake, and
//! while the proxy is still on its way upstream.

use crate::support::{Client, Rig, UPGRADE, Upstream, Way, frame, only, soon};
use capsem_mitm::{Resolve, Resolving, Services};
use capsem_policy::Policy;
use capsem_ws_codec::{Opcode, Role};
use serde_json::{Value, json};
use std::{future::pending, sync::Arc, time::Duration};
use tokio::{io::AsyncWriteExt as _, sync::Notify};

/// Short for a deadline, long for everything that must happen before it on a busy machine.
const SHORT: Duration = Duration::from_secs(1);

use Role::{Client as C, Server as U};

/// What one side does.
enum Step {
    /// It says this, and the other side hears it as it is.
    Passes(Role, Vec<u8>),
    /// It says this.
    Says(Role, Vec<u8>),
    /// It says nothing more and hears on.
    Ends(Role),
}
use Step::{Ends, Passes, Says};

/// What becomes of a socket.
struct End<'e> {
    /// What the client hears after the last step: frames, of which a Close of the proxy's own is its
    /// code alone.
    client: &'e [u8],
    upstream: &'e [u8],
    /// Kind, by whom, the code.
    close: (&'e str, &'e str, Option<u16>),
    /// Side and class.
    fault: Option<(&'e str, &'e str)>,
}

fn text(from: Role, fin: bool) -> Vec<u8> {
    frame(from, Opcode::Text, fin, false, b"hello")
}

fn close(from: Role, code: u16) -> Vec<u8> {
    frame(from, Opcode::Close, true, false, &code.to_be_bytes())
}

/// The first `len` bytes of a frame.
fn part(mut frame: Vec<u8>, len: usize) -> Vec<u8> {
    frame.truncate(len);
    frame
}

/// A Close of the proxy's own has words after its code, and towards upstream a mask of its own.
#[track_caller]
fn check_heard(what: &str, own: Role, heard: &[u8], expected: &[u8]) {
    let Some(code) = expected.strip_prefix(b"own") else {
        assert_eq!(heard, expected, "{what}");
        return;
    };
    let (len, rest) = match (own, heard) {
        (C, [0x88, len, rest @ ..]) => (len & 0x7f, rest.to_vec()),
        (U, [0x88, len, rest @ ..]) => (*len, rest.to_vec()),
        _ => panic!("{what}: {heard:02x?}"),
    };
    let payload: Vec<u8> = match own {
        C => rest[4..].iter().zip(rest[..4].iter().cycle()).map(|(byte, key)| byte ^ key).collect(),
        U => rest,
    };
    assert_eq!(payload.len(), usize::from(len), "{what}: one frame: {heard:02x?}");
    assert_eq!(&payload[..2], code, "{what}");
}

/// The proxy's own Close with this code.
fn own(code: u16) -> Vec<u8> {
    [b"own".as_slice(), &code.to_be_bytes()].concat()
}

async fn check(what: &str, steps: Vec<Step>, end: End<'_>) {
    let mut upstream = Upstream::plain().await;
    let rig = Rig::with(&upstream, Policy::allow_all(), |config| {
        config.limits.close_timeout = SHORT;
        config.limits.stall_timeout = SHORT;
    })
    .await;
    let mut client = Way::Plain.open(&rig).await;
    client.send(format!("GET /a HTTP/1.1\r\nHost: api.openai.com\r\n{UPGRADE}\r\n")).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    server.switch(&head, "").await;
    assert!(client.head().await.starts_with("HTTP/1.1 101"), "{what}");
    for step in steps {
        match step {
            Passes(C, bytes) => {
                client.send(&bytes).await;
                assert_eq!(server.exact(bytes.len()).await, bytes, "{what}");
            }
            Passes(U, bytes) => {
                server.send(&bytes).await;
                assert_eq!(client.exact(bytes.len()).await, bytes, "{what}");
            }
            Says(C, bytes) => client.send(&bytes).await,
            Says(U, bytes) => server.send(&bytes).await,
            Ends(C) => client.io.shutdown().await.unwrap(),
            Ends(U) => server.io.shutdown().await.unwrap(),
        }
    }
    let (to_client, to_upstream) = tokio::join!(client.rest(), server.rest());
    check_heard(&format!("{what}: the client"), U, &to_client, end.client);
    check_heard(&format!("{what}: upstream"), C, &to_upstream, end.upstream);
    drop((client, server));
    let records = rig.records(1).await;
    let (kind, by, code) = end.close;
    let ended = &only(&records, "ended")["close"];
    let words = json!([kind, by, code]);
    assert_eq!(json!([ended["kind"], ended["by"], ended["code"]]), words, "{what}");
    let faults: Vec<Value> = records
        .iter()
        .filter(|record| record["kind"] == "fault")
        .map(|fault| json!([fault["side"], fault["class"]]))
        .collect();
    let expected: Vec<Value> = end.fault.iter().map(|(side, class)| json!([side, class])).collect();
    assert_eq!(faults, expected, "{what}");
}

#[tokio::test]
async fn an_end_inside_a_fragmented_message() {
    for (by, word) in [(C, "client"), (U, "upstream")] {
        check(
            &format!("{word} ends between fragments"),
            vec![Passes(by, text(by, false)), Ends(by)],
            End {
                client: b"",
                upstream: b"",
                close: ("peer", word, None),
                fault: Some((word, "eof")),
            },
        )
        .await;
        // A Close may stand between fragments (RFC 6455 section 5.4); the message never was one.
        check(
            &format!("{word} closes between fragments"),
            vec![
                Passes(by, text(by, false)),
                Passes(by, close(by, 1000)),
                Passes(by.peer(), close(by.peer(), 1000)),
            ],
            End { client: b"", upstream: b"", close: ("normal", word, Some(1000)), fault: None },
        )
        .await;
    }
}

#[tokio::test]
async fn inside_the_close_handshake() {
    for (by, word) in [(C, "client"), (U, "upstream")] {
        let other = by.peer();
        let first = || Passes(by, close(by, 1000));
        let end =
            || End { client: b"", upstream: b"", close: ("normal", word, Some(1000)), fault: None };
        for (what, steps) in [
            ("is not answered", vec![first()]),
            ("is answered by an end", vec![first(), Ends(other)]),
            ("is followed by an end", vec![first(), Ends(by)]),
            (
                "is answered after an end",
                vec![first(), Ends(by), Passes(other, close(other, 1000))],
            ),
            ("is answered by another code", vec![first(), Passes(other, close(other, 4000))]),
            // RFC 6455 section 5.5.1: what was under way may be said to its end.
            (
                "is answered after a message",
                vec![first(), Passes(other, text(other, true)), Passes(other, close(other, 1000))],
            ),
            ("is followed by a message", vec![first(), Says(by, text(by, true)), Ends(other)]),
            (
                "is answered by half a Close",
                vec![first(), Passes(other, part(close(other, 1000), 3)), Ends(other)],
            ),
            (
                "is answered by half a message",
                vec![first(), Passes(other, part(text(other, true), 4)), Ends(other)],
            ),
        ] {
            check(&format!("a Close of {word} {what}"), steps, end()).await;
        }
    }
}

#[tokio::test]
async fn a_violation_after_a_message() {
    for (by, word, code) in [(C, "client", 1001), (U, "upstream", 1011)] {
        let other = by.peer();
        let bad = frame(by, Opcode::Text, true, false, b"\xff");
        let (to_by, to_other) = (own(1007), own(code));
        let (client, upstream): (&[u8], &[u8]) =
            if by == C { (&to_by, &to_other) } else { (&to_other, &to_by) };
        check(
            &format!("{word} breaks a rule"),
            vec![Passes(other, text(other, true)), Says(by, bad)],
            End {
                client,
                upstream,
                close: ("error", word, Some(1007)),
                fault: Some((word, "utf8")),
            },
        )
        .await;
    }
}

/// Asked, it says so and never answers.
struct Silent(Arc<Notify>);

impl Resolve for Silent {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        self.0.notify_one();
        Box::pin(pending())
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_a_name_is_looked_up() {
    for fields in [UPGRADE, ""] {
        let asked = Arc::new(Notify::new());
        let mut services = Services::default();
        services.resolver = Box::new(Silent(Arc::clone(&asked)));
        let upstream = Upstream::plain().await;
        let rig = Rig::serviced(&upstream, Policy::allow_all(), services, |_| {}).await;
        let mut client = Client::tcp(rig.transparent).await;
        client.send(format!("GET /a HTTP/1.1\r\nHost: slow.example\r\n{fields}\r\n")).await;
        soon("the resolver", asked.notified()).await;
        drop(client);
        let records = rig.records(1).await;
        let close = &only(&records, "ended")["close"];
        assert_eq!(json!([close["kind"], close["by"]]), json!(["peer", "client"]), "{fields:?}");
        assert!(!records.iter().any(|record| record["kind"] == "fault"), "{records:#?}");
        assert_eq!(upstream.accepted(), 0);
    }
}
