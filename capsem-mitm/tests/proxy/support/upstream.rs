//! A scripted server with a certificate authority of its own: it says what the test says, and
//! remembers who came.

use super::soon;
use capsem_mitm::ws::BoxIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) ca_pem: String,
    accepted: Arc<AtomicUsize>,
    connections: mpsc::UnboundedReceiver<Connection>,
}

impl Upstream {
    /// Listens with TLS for `host`.
    pub(crate) async fn tls(host: &str) -> Self {
        let (ca_pem, config) = identity(host);
        Self::start(ca_pem, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    /// Listens without TLS.
    pub(crate) async fn plain() -> Self {
        Self::start(identity("unused.example").0, None).await
    }

    async fn start(ca_pem: String, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (sender, connections) = mpsc::unbounded_channel();
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (tls, sender) = (tls.clone(), sender.clone());
                tokio::spawn(async move {
                    let io: BoxIo = match tls {
                        // A handshake that fails is the proxy's to report.
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                        None => Box::new(stream),
                    };
                    let _ = sender.send(Connection { io });
                });
            }
        });
        Self { address, ca_pem, accepted, connections }
    }

    /// TCP connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The next connection.
    pub(crate) async fn next(&mut self) -> Connection {
        soon("a connection upstream", self.connections.recv()).await.unwrap()
    }
}

/// One connection, seen from the server.
pub(crate) struct Connection {
    pub(crate) io: BoxIo,
}

impl Connection {
    /// Reads a request head, through its empty line.
    pub(crate) async fn head(&mut self) -> String {
        String::from_utf8(soon("a head upstream", read_head(&mut self.io)).await).unwrap()
    }

    pub(crate) async fn exact(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        soon("bytes upstream", self.io.read_exact(&mut bytes)).await.unwrap();
        bytes
    }

    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A TLS end without close_notify is an end as well.
        let _ = soon("the end upstream", self.io.read_to_end(&mut bytes)).await;
        bytes
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.unwrap();
        self.io.flush().await.unwrap();
    }

    /// Answers an upgrade whose head was read.
    pub(crate) async fn switch(&mut self, head: &str, more: &str) {
        let key = header(head, "sec-websocket-key").expect("a key");
        let accept = capsem_ws_codec::handshake::accept_for(key);
        self.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
        ))
        .await;
    }
}

pub(crate) async fn read_head(io: &mut BoxIo) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match io.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) => {
                panic!("{error} after {:?}", String::from_utf8_lossy(&head));
            }
        }
    }
    head
}

/// The value of a header in a raw head.
pub(crate) fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A CA made for this test and a server of it.
fn identity(host: &str) -> (String, ServerConfig) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    (ca_pem, config)
}
