//! `ClientHello`s: with no name, another, or one that is none; without HTTP/1.1; and what is no TLS.

use crate::support::{Client, HOST, Path, Rig, Upstream, only, soon};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore,
        client::{ClientSessionMemoryCache, Resumption},
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

/// A client's TLS that trusts the proxy's CA.
fn config(rig: &Rig, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(rig.ca_pem.as_bytes()).unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The bytes of a hello for `host`.
fn hello(config: ClientConfig, host: &str) -> Vec<u8> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

/// Sends these bytes to redirected TLS, or after a CONNECT: the answer is at most an alert, then the
/// end, and there is one fault.
async fn refused(rig: &Rig, path: Path, bytes: &[u8]) -> Vec<u8> {
    let mut client = match path {
        Path::Transparent => Client::tcp(rig.transparent).await,
        Path::Explicit => Client::connect(rig, &format!("{HOST}:443")).await,
    };
    client.send(bytes).await;
    client.rest().await
}

#[tokio::test]
async fn names_that_are_none() {
    let upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    let both = [&rustls::version::TLS13, &rustls::version::TLS12];
    let mut cases = 0;
    // Of one length, so that one can be put in the place of another.
    let real = "aaaaaaaaaaaa.org";
    let bytes = hello(config(&rig, &both), real);
    let at = bytes.windows(real.len()).position(|window| window == real.as_bytes()).unwrap();
    for name in [
        "xn--example-.org",
        "aaaaaaaa..aa.org",
        "-aaaaaaaaaaa.org",
        "aaaaaaaaaaaa/org",
        "aaaaaaaaaaaa\0org",
        "aaaa aaaaaaa.org",
        "aaaaaaaaaaa*.org",
        "[::ffff:7f00:1]]",
        "0x7f000000000001",
        "0000000127.0.0.1",
        "127.000.000.0001",
        "aaaaaaaaaa\u{fc}.org",
        "a@aaaaaaaaaa.org",
        "aaaaaaaaaaaa:443",
    ] {
        assert_eq!(name.len(), real.len());
        let mut bytes = bytes.clone();
        bytes[at..at + real.len()].copy_from_slice(name.as_bytes());
        for path in Path::BOTH {
            let answer = refused(&rig, path, &bytes).await;
            assert_eq!(answer.first(), Some(&0x15), "{name:?}: no alert but {answer:02x?}");
            assert!(answer.len() < 32, "{name:?}: {answer:02x?}");
            cases += 1;
        }
    }
    let records = rig.records(cases).await;
    let faults: Vec<_> = records.iter().filter(|record| record["kind"] == "fault").collect();
    assert_eq!(faults.len(), cases);
    assert!(faults.iter().all(|fault| fault["class"] == "tls" && fault["side"] == "client"));
    assert_eq!(upstream.accepted(), 0);
}

#[tokio::test]
async fn no_name_at_all() {
    let upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    let mut nameless = config(&rig, rustls::ALL_VERSIONS);
    nameless.enable_sni = false;
    let nameless = hello(nameless, HOST);
    // A client asked for an address sends no name either (RFC 6066 section 3).
    let address = hello(config(&rig, rustls::ALL_VERSIONS), "127.0.0.1");
    for bytes in [nameless, address] {
        // An alert: unrecognized_name.
        let answer = refused(&rig, Path::Transparent, &bytes).await;
        assert_eq!(answer, [0x15, 3, 3, 0, 2, 2, 112]);
    }
    let records = rig.records(2).await;
    let named = |record: &&serde_json::Value| record["kind"] == "fault" && record["class"] == "tls";
    assert_eq!(records.iter().filter(named).count(), 2);
    // After a CONNECT its host is the name.
    let mut client = Client::connect(&rig, &format!("{HOST}:443")).await;
    let mut nameless = config(&rig, rustls::ALL_VERSIONS);
    nameless.enable_sni = false;
    let name = ServerName::try_from(HOST).unwrap();
    let tls = TlsConnector::from(Arc::new(nameless)).connect(name, client.io);
    client = Client { io: Box::new(soon("TLS without SNI", tls).await.unwrap()) };
    client.send("GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 421"));
}

#[tokio::test]
async fn another_name_than_the_connects() {
    let upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    let client = Client::connect(&rig, &format!("{HOST}:443")).await;
    assert!(client.secure(&rig, "evil.example").await.is_err());
    let records = rig.records(1).await;
    assert_eq!(only(&records, "fault")["class"], "authority");
    assert_eq!(upstream.accepted(), 0);
}

#[tokio::test]
async fn protocols_that_are_not_http_1() {
    let upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    for (count, protocols) in
        (1..).zip([&[&b"h2"[..]][..], &[b"h3", b"http/1.0"], &[b"acme-tls/1"]])
    {
        for version in rustls::ALL_VERSIONS {
            let mut config = config(&rig, &[*version]);
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            let client = Client::tcp(rig.transparent).await;
            let name = ServerName::try_from(HOST).unwrap();
            let tls = TlsConnector::from(Arc::new(config)).connect(name, client.io);
            let error = soon("an alert", tls).await.err().expect("no agreement").to_string();
            assert!(error.contains("NoApplicationProtocol"), "{protocols:?}: {error}");
        }
        let records = rig.records(2 * count).await;
        let faults = records.iter().filter(|record| record["class"] == "tls").count();
        assert_eq!(faults, 2 * count);
    }
    assert_eq!(upstream.accepted(), 0);
}

#[tokio::test]
async fn what_is_no_tls() {
    let upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    let garbage: [&[u8]; 7] = [
        b"\x00\x01\x02",
        b"\xff\xff\xff\xff",
        // SSH, and a hello of SSL 2.
        b"ssh-2.0-x\r\n",
        b"\x80\x2e\x01\x00\x02\x00\x15",
        // Records of a handshake that hold none, are of no version, or too long.
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
        b"\x16\xff\xff\x00\x05hello",
        b"\x16\x03\x01\xff\xff\x01\x00\x00\x01",
    ];
    for bytes in garbage {
        for path in Path::BOTH {
            let answer = refused(&rig, path, bytes).await;
            assert!(answer.is_empty() || answer[0] == 0x15, "{bytes:02x?}: {answer:02x?}");
        }
    }
    let records = rig.records(2 * garbage.len()).await;
    let faults: Vec<_> = records.iter().filter(|record| record["kind"] == "fault").collect();
    assert_eq!(faults.len(), 2 * garbage.len(), "{faults:?}");
    assert!(faults.iter().all(|fault| fault["class"] == "tls"), "{faults:?}");
}

#[tokio::test]
async fn no_session_is_there_to_be_resumed_under_another_name() {
    let upstream = Upstream::tls(HOST).await;
    let rig = Rig::open(&upstream).await;
    for version in rustls::ALL_VERSIONS {
        let mut config = config(&rig, &[*version]);
        config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(32)));
        let tls = TlsConnector::from(Arc::new(config));
        for name in [HOST, HOST, "evil.example"] {
            let client = Client::tcp(rig.transparent).await;
            let server = ServerName::try_from(name).unwrap();
            let mut stream = soon("TLS", tls.connect(server, client.io)).await.unwrap();
            stream.write_all(b"GET /a HTTP/1.1\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            let _ = soon("an answer", stream.read_to_end(&mut answer)).await;
            let connection = stream.get_ref().1;
            assert_eq!(connection.handshake_kind(), Some(HandshakeKind::Full), "{name}");
            if connection.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
                assert_eq!(connection.tls13_tickets_received(), 0, "{name}");
            }
        }
    }
}
