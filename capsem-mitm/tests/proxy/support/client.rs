//! A client that writes raw bytes through the proxy and trusts only the proxy's CA.

use super::{
    rig::{Front, HOST},
    soon,
    upstream::read_head,
};
use capsem_mitm::ws::BoxIo;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

/// The two ways in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path {
    Explicit,
    Transparent,
}

impl Path {
    pub(crate) const BOTH: [Self; 2] = [Self::Explicit, Self::Transparent];
}

pub(crate) struct Client {
    pub(crate) io: BoxIo,
}

impl Client {
    /// A TCP connection to a listener, and nothing more.
    pub(crate) async fn tcp(address: SocketAddr) -> Self {
        Self { io: Box::new(TcpStream::connect(address).await.unwrap()) }
    }

    /// The inside of a CONNECT to `authority`.
    pub(crate) async fn connect(front: &Front, authority: &str) -> Self {
        let mut client = Self::tcp(front.proxy).await;
        client.send(format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n")).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        client
    }

    /// TLS to `host` by either way in.
    pub(crate) async fn tls(front: &Front, path: Path, host: &str) -> Self {
        let client = match path {
            Path::Transparent => Self::tcp(front.transparent).await,
            Path::Explicit => Self::connect(front, &format!("{host}:443")).await,
        };
        Self { io: client.secure(front, host).await.expect("TLS with the proxy") }
    }

    /// A TLS handshake on this connection.
    pub(crate) async fn secure(self, front: &Front, host: &str) -> std::io::Result<BoxIo> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(front.ca_pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, self.io);
        Ok(Box::new(soon("TLS with the proxy", handshake).await?))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.unwrap();
        self.io.flush().await.unwrap();
    }

    pub(crate) async fn head(&mut self) -> String {
        String::from_utf8(soon("a head for the client", read_head(&mut self.io)).await).unwrap()
    }

    pub(crate) async fn exact(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        soon("bytes for the client", self.io.read_exact(&mut bytes)).await.unwrap();
        bytes
    }

    /// Everything until the end, however it comes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = soon("the end for the client", self.io.read_to_end(&mut bytes)).await;
        bytes
    }
}

/// A head that upgrades `path`, as a client with nothing special to say sends it; the key is the
/// example of RFC 6455 section 1.3.
pub(crate) fn upgrade(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}
