//! The way inside: addresses that no guest may reach, by any spelling, any answer of DNS, any way in;
//! and names that are looked up only for what is allowed.

use crate::support::{Client, HOST, Names, Rig, UPGRADE, Upstream, Way, only};
use capsem_mitm::config::Config;
use capsem_policy::Policy;

/// A proxy whose only way to the upstream is by name: no pin, its port open.
async fn unpinned(upstream: &Upstream, names: &Names, policy: Policy) -> Rig {
    let port = upstream.address.port();
    Rig::serviced(upstream, policy, names.services(), |config: &mut Config| {
        config.upstream.resolve.clear();
        config.upstream.connect_ports.push(port);
    })
    .await
}

/// Asks for `authority` by absolute form, by Host and inside a CONNECT, as a request and as an
/// upgrade: each is refused for the class of the address, and nobody is dialled.
async fn closed(rig: &Rig, authority: &str) {
    for upgrade in ["", UPGRADE] {
        let fields = format!("Host: {authority}\r\n{upgrade}\r\n");
        for way in [Way::Absolute, Way::Plain, Way::ConnectPlain] {
            let mut client = match way {
                Way::ConnectPlain => Client::connect(rig, authority).await,
                _ => way.open(rig).await,
            };
            let before = if way == Way::Absolute { "http://" } else { "" };
            let target = if way == Way::Absolute { authority } else { "" };
            client.send(format!("GET {before}{target}/ HTTP/1.1\r\n{fields}")).await;
            let head = client.head().await;
            assert!(head.starts_with("HTTP/1.1 403"), "{way:?} {authority}: {head}");
        }
    }
}

fn classes(records: &[serde_json::Value]) -> Vec<&str> {
    let faults = records.iter().filter(|record| record["kind"] == "fault");
    faults.map(|fault| fault["class"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_spelling_of_an_address_inside() {
    let (upstream, names) = (Upstream::plain().await, Names::default());
    let rig = unpinned(&upstream, &names, Policy::allow_all()).await;
    let port = upstream.address.port();
    let spellings = [
        "127.0.0.1",
        "127.0.0.1.",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
    ];
    for host in spellings {
        closed(&rig, &format!("{host}:{port}")).await;
    }
    let records = rig.records(6 * spellings.len()).await;
    assert_eq!(classes(&records), vec!["dest_class"; 6 * spellings.len()]);
    assert_eq!((names.asked(), upstream.accepted()), (vec![], 0));
}

#[tokio::test]
async fn a_name_with_an_address_inside() {
    let (upstream, names) = (Upstream::plain().await, Names::default());
    let rig = unpinned(&upstream, &names, Policy::allow_all()).await;
    let port = upstream.address.port();
    let answers: [&[&str]; 6] = [
        &["127.0.0.1"],
        &["1.1.1.1", "127.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["2002:7f00:1::", "1.1.1.1"],
        &["100.64.0.1"],
    ];
    for addresses in answers {
        names.are_at(addresses);
        for name in ["a.example", "localhost", "LOCALHOST."] {
            closed(&rig, &format!("{name}:{port}")).await;
        }
    }
    let dials = 6 * 3 * answers.len();
    let records = rig.records(dials).await;
    assert_eq!(classes(&records), vec!["dest_class"; dials]);
    assert_eq!(upstream.accepted(), 0);
    assert_eq!(names.asked().len(), dials, "one lookup for one dial");
    assert!(names.asked().iter().all(|name| ["a.example", "localhost"].contains(&name.as_str())));
}

#[tokio::test]
async fn no_name_is_looked_up_before_it_is_allowed() {
    const RULES: &str = "version = 1\n[[rule]]\nid = \"a\"\naction = \"allow\"\npaths = [\"/a\"]\n\
                         [[rule]]\nid = \"b\"\naction = \"ask\"\npaths = [\"/b\"]\n";
    let (upstream, names) = (Upstream::plain().await, Names::default());
    let rig = unpinned(&upstream, &names, Policy::parse(RULES, "rules.toml").unwrap()).await;
    for way in Way::ALL {
        for upgrade in ["", UPGRADE] {
            let asked = names.asked().len();
            for (path, status, lookups) in [("/c", 403, 0), ("/b", 403, 0), ("/a", 502, 1)] {
                let mut client = way.open(&rig).await;
                let target = format!("{}{path}", way.prefix());
                client
                    .send(format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n{upgrade}\r\n"))
                    .await;
                let head = client.head().await;
                assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{way:?} {path}: {head}");
                assert_eq!(names.asked().len(), asked + lookups, "{way:?} {path}");
            }
        }
    }
    assert!(names.asked().iter().all(|name| name == HOST));
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let (upstream, names) = (Upstream::plain().await, Names::default());
    let rig = unpinned(&upstream, &names, Policy::allow_all()).await;
    let mut client = Way::Tls.open(&rig).await;
    client.send(format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    assert!(client.head().await.starts_with("HTTP/1.1 502"));
    drop(client);
    assert_eq!(only(&rig.records(1).await, "fault")["class"], "dns");
}
