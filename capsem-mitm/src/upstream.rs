//! From a [`Permit`] to a connected stream: one resolution, every address judged, verified TLS.

mod address;

use crate::{
    authority::{Authority, Host},
    decide::Permit,
    request::Scheme,
    ws::BoxIo,
};
use capsem_telemetry::FaultClass;
use http::StatusCode;
use rustls::pki_types::ServerName;
use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

/// Looks names up. Called only after policy has allowed the request, once per connection made.
pub trait Resolve: Send + Sync + 'static {
    /// Every address of `host`, a canonical DNS name.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// The future of [`Resolve::resolve`].
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Makes connections to upstreams.
pub(crate) struct Upstream {
    pub(crate) resolver: Box<dyn Resolve>,
    pub(crate) pins: HashMap<Authority, SocketAddr>,
    pub(crate) tls: TlsConnector,
    pub(crate) connect_timeout: Duration,
    pub(crate) tls_timeout: Duration,
}

/// A connection made under a permit.
pub(crate) struct Dialed {
    pub(crate) io: BoxIo,
    pub(crate) address: SocketAddr,
}

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("looking {host} up: {error}")]
    Dns { host: String, error: io::Error },
    #[error("{host} has no address")]
    NoAddress { host: String },
    #[error("{host} is at {address}, which is {class}; only `upstream.resolve` can open it")]
    DestinationClass { host: String, address: IpAddr, class: &'static str },
    #[error("connecting to {authority}: {error}")]
    Connect { authority: Authority, error: io::Error },
    #[error("connecting to {authority} took longer than {after:?}")]
    ConnectTimeout { authority: Authority, after: Duration },
    #[error("TLS with {authority}: {error}")]
    Tls { authority: Authority, error: io::Error },
    #[error("TLS with {authority} took longer than {after:?}")]
    TlsTimeout { authority: Authority, after: Duration },
}

impl DialError {
    /// The fault class of the record.
    pub(crate) fn class(&self) -> FaultClass {
        match self {
            Self::Dns { .. } | Self::NoAddress { .. } => FaultClass::Dns,
            Self::DestinationClass { .. } => FaultClass::DestClass,
            Self::Connect { .. } => FaultClass::Connect,
            Self::ConnectTimeout { .. } => FaultClass::ConnectTimeout,
            Self::Tls { .. } | Self::TlsTimeout { .. } => FaultClass::UpstreamTls,
        }
    }

    /// The status of the answer to the client.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::DestinationClass { .. } => StatusCode::FORBIDDEN,
            Self::ConnectTimeout { .. } | Self::TlsTimeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Dns { .. } | Self::NoAddress { .. } | Self::Connect { .. } | Self::Tls { .. } => {
                StatusCode::BAD_GATEWAY
            }
        }
    }
}

impl Upstream {
    /// Connects to the permit's authority: the address that was checked is the one connected to.
    pub(crate) async fn dial(&self, permit: &Permit) -> Result<Dialed, DialError> {
        let deadline = Instant::now() + self.connect_timeout;
        let authority = permit.authority();
        let late = |_| DialError::ConnectTimeout {
            authority: authority.clone(),
            after: self.connect_timeout,
        };
        let addresses = timeout_at(deadline, self.addresses(authority)).await.map_err(late)??;
        let stream = timeout_at(deadline, connect(authority, &addresses)).await.map_err(late)??;
        let address = stream.peer_addr().unwrap_or(addresses[0]);
        let io = match permit.scheme() {
            Scheme::Http => Box::new(stream) as BoxIo,
            Scheme::Https => self.secure(authority, stream).await?,
        };
        Ok(Dialed { io, address })
    }

    /// The addresses that may be connected to. One that may not condemns them all: a name that is
    /// both inside and outside is a name that was rebound.
    async fn addresses(&self, authority: &Authority) -> Result<Vec<SocketAddr>, DialError> {
        if let Some(pin) = self.pins.get(authority) {
            return Ok(vec![*pin]);
        }
        let host = authority.host.to_string();
        let found = match &authority.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => match self.resolver.resolve(name).await {
                Ok(found) => found,
                Err(error) => return Err(DialError::Dns { host, error }),
            },
        };
        if found.is_empty() {
            return Err(DialError::NoAddress { host });
        }
        for &address in &found {
            if let Some(class) = address::closed_class(address) {
                return Err(DialError::DestinationClass { host, address, class });
            }
        }
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, authority.port)).collect())
    }

    async fn secure(&self, authority: &Authority, stream: TcpStream) -> Result<BoxIo, DialError> {
        let fail = |error| DialError::Tls { authority: authority.clone(), error };
        let name = match &authority.host {
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|e| fail(io::Error::other(e)))?
            }
            Host::Address(address) => ServerName::IpAddress((*address).into()),
        };
        let deadline = Instant::now() + self.tls_timeout;
        match timeout_at(deadline, self.tls.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(fail(error)),
            Err(_) => {
                Err(DialError::TlsTimeout { authority: authority.clone(), after: self.tls_timeout })
            }
        }
    }
}

/// The first address that answers.
async fn connect(authority: &Authority, addresses: &[SocketAddr]) -> Result<TcpStream, DialError> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream
                    .set_nodelay(true)
                    .map_err(|error| DialError::Connect { authority: authority.clone(), error })?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(DialError::Connect { authority: authority.clone(), error: last })
}

/// The TLS client for upstreams: verified against the platform's roots, or the web's where the
/// platform has none, and `extra` ones; never against `own`, the CA this proxy signs with.
pub(crate) fn connector(
    extra: Vec<rustls::pki_types::CertificateDer<'static>>,
    own: &rustls::pki_types::CertificateDer<'_>,
) -> Result<TlsConnector, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    let platform = rustls_native_certs::load_native_certs().certs;
    roots.add_parsable_certificates(platform.into_iter().filter(|root| root != own));
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for root in extra {
        roots.add(root)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
