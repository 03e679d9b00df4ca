//! From a [`Permit`] to a connected stream: one resolution, every address judged, verified TLS.

mod address;
mod resolve;

pub use self::resolve::{Resolve, Resolving, SystemResolver};

use crate::{
    authority::{Authority, Host},
    decide::Permit,
    request::Scheme,
    ws::BoxIo,
};
use capsem_telemetry::FaultClass;
use http::StatusCode;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
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

/// Makes connections to upstreams.
pub(crate) struct Upstream {
    pub(crate) resolver: Box<dyn Resolve>,
    pub(crate) pins: HashMap<Authority, SocketAddr>,
    pub(crate) tls: TlsConnector,
    pub(crate) open: Open,
    /// For all of it: looking up, connecting, TLS.
    pub(crate) timeout: Duration,
}

/// Opens a TCP connection to an address that was judged.
pub(crate) type Open = Box<dyn Fn(SocketAddr) -> Opening + Send + Sync>;

/// The future of an [`Open`].
pub(crate) type Opening = Pin<Box<dyn Future<Output = io::Result<BoxIo>> + Send>>;

/// An [`Open`] by way of the operating system.
pub(crate) fn tcp(address: SocketAddr) -> Opening {
    Box::pin(async move {
        let stream = TcpStream::connect(address).await?;
        // Without it a small frame would wait for the acknowledgement of the one before.
        stream.set_nodelay(true)?;
        Ok(Box::new(stream) as BoxIo)
    })
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
    #[error("looking {host} up took longer than {after:?}")]
    DnsTimeout { host: String, after: Duration },
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
    #[error("connecting to {authority} and TLS with it took longer than {after:?}")]
    TlsTimeout { authority: Authority, after: Duration },
}

impl DialError {
    /// The fault class of the record.
    pub(crate) fn class(&self) -> FaultClass {
        match self {
            Self::Dns { .. } | Self::DnsTimeout { .. } | Self::NoAddress { .. } => FaultClass::Dns,
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
            Self::DnsTimeout { .. } | Self::ConnectTimeout { .. } | Self::TlsTimeout { .. } => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::Dns { .. } | Self::NoAddress { .. } | Self::Connect { .. } | Self::Tls { .. } => {
                StatusCode::BAD_GATEWAY
            }
        }
    }
}

impl Upstream {
    /// Connects to the permit's authority: the address that was judged is the one connected to.
    pub(crate) async fn dial(&self, permit: &Permit) -> Result<Dialed, DialError> {
        let (authority, deadline) = (permit.authority(), Instant::now() + self.timeout);
        let addresses = self.addresses(authority, deadline).await?;
        let (io, address) = self.connect(authority, &addresses, deadline).await?;
        let io = match permit.scheme() {
            Scheme::Http => io,
            Scheme::Https => self.secure(authority, io, deadline).await?,
        };
        Ok(Dialed { io, address })
    }

    /// The addresses that may be connected to. One that may not condemns them all: a name that is
    /// both inside and outside is a name that was rebound.
    async fn addresses(
        &self,
        authority: &Authority,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, DialError> {
        if let Some(pin) = self.pins.get(authority) {
            return Ok(vec![*pin]);
        }
        let host = authority.host.to_string();
        let found = match &authority.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => match timeout_at(deadline, self.resolver.resolve(name)).await {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => return Err(DialError::Dns { host, error }),
                Err(_) => return Err(DialError::DnsTimeout { host, after: self.timeout }),
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

    /// The first address that answers. Each has an even share of the time that is left, so that one
    /// that swallows packets does not keep the next from being tried.
    async fn connect(
        &self,
        authority: &Authority,
        addresses: &[SocketAddr],
        deadline: Instant,
    ) -> Result<(BoxIo, SocketAddr), DialError> {
        let late =
            || DialError::ConnectTimeout { authority: authority.clone(), after: self.timeout };
        let mut last = late();
        for (&address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
            let now = Instant::now();
            let share =
                deadline.saturating_duration_since(now) / u32::try_from(left).unwrap_or(u32::MAX);
            last = match timeout_at(now + share, (self.open)(address)).await {
                Ok(Ok(io)) => return Ok((io, address)),
                Ok(Err(error)) => DialError::Connect { authority: authority.clone(), error },
                Err(_) => late(),
            };
        }
        Err(last)
    }

    async fn secure(
        &self,
        authority: &Authority,
        io: BoxIo,
        deadline: Instant,
    ) -> Result<BoxIo, DialError> {
        let fail = |error| DialError::Tls { authority: authority.clone(), error };
        let name = match &authority.host {
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|e| fail(io::Error::other(e)))?
            }
            Host::Address(address) => ServerName::IpAddress((*address).into()),
        };
        match timeout_at(deadline, self.tls.connect(name, io)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(fail(error)),
            Err(_) => {
                Err(DialError::TlsTimeout { authority: authority.clone(), after: self.timeout })
            }
        }
    }
}

/// Why there are no roots to verify upstreams with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootsError {
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error("the authority this proxy signs with is among them")]
    Own,
}

/// The TLS client for upstreams: verified against the platform's roots, or the web's where the
/// platform has none, and `extra` ones; never against `own`, the CA this proxy signs with, or another
/// certificate of its key.
pub(crate) fn connector(
    extra: Vec<CertificateDer<'static>>,
    own: &CertificateDer<'_>,
) -> Result<TlsConnector, RootsError> {
    let own = &store([own.clone().into_owned()])?.roots[0].subject_public_key_info;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.roots.retain(|root| root.subject_public_key_info != *own);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let extra = store(extra)?.roots;
    if extra.iter().any(|root| root.subject_public_key_info == *own) {
        return Err(RootsError::Own);
    }
    roots.extend(extra);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn store(
    certificates: impl IntoIterator<Item = CertificateDer<'static>>,
) -> Result<RootCertStore, rustls::Error> {
    let mut store = RootCertStore::empty();
    certificates.into_iter().try_for_each(|certificate| store.add(certificate))?;
    Ok(store)
}

#[cfg(test)]
mod tests;
