//! TLS from a client: the name it asks for decides the leaf it gets, and nothing else.

use super::leaf::Leaves;
use crate::{
    authority::{Authority, Host, HostError},
    ws::BoxIo,
};
use capsem_telemetry::FaultClass;
use std::io;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::LazyConfigAcceptor;

/// A client's connection whose TLS ends here.
pub(crate) struct Terminated {
    pub(crate) io: BoxIo,
    pub(crate) host: Host,
}

/// Why a client's TLS came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TerminateError {
    #[error("the client's TLS: {0}")]
    Tls(#[source] io::Error),
    #[error("the client names no server (SNI)")]
    NoSni,
    #[error("the client's SNI: {0}")]
    Sni(#[source] HostError),
    #[error("the client's SNI is {sni}, but its CONNECT named {connect}")]
    Mismatch { sni: Host, connect: Host },
    #[error("minting a leaf: {0}")]
    Leaf(#[from] super::leaf::LeafError),
}

impl TerminateError {
    pub(crate) fn class(&self) -> FaultClass {
        match self {
            Self::Mismatch { .. } => FaultClass::Authority,
            Self::Tls(_) | Self::NoSni | Self::Sni(_) | Self::Leaf(_) => FaultClass::Tls,
        }
    }
}

/// A fatal `unrecognized_name` alert (RFC 8446 section 6.2, RFC 6066 section 3).
const UNRECOGNIZED_NAME: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 112];

/// Ends the client's TLS. Inside a CONNECT to `settled` its host is the only name there is.
pub(crate) async fn terminate(
    leaves: &Leaves,
    settled: Option<&Authority>,
    io: BoxIo,
) -> Result<Terminated, TerminateError> {
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), io)
        .await
        .map_err(TerminateError::Tls)?;
    let host = match name(start.client_hello().server_name(), settled) {
        Ok(host) => host,
        Err(error) => {
            let mut io = start.io;
            // The refusal stands whether or not the client hears of it.
            let _ = io.write_all(&UNRECOGNIZED_NAME).await;
            let _ = io.shutdown().await;
            return Err(error);
        }
    };
    let config = leaves.config(&host)?;
    let stream = start.into_stream(config).await.map_err(TerminateError::Tls)?;
    Ok(Terminated { io: Box::new(stream), host })
}

fn name(sni: Option<&str>, settled: Option<&Authority>) -> Result<Host, TerminateError> {
    let sni = sni.map(str::parse::<Host>).transpose().map_err(TerminateError::Sni)?;
    match (sni, settled) {
        (Some(sni), Some(settled)) if sni != settled.host => {
            Err(TerminateError::Mismatch { sni, connect: settled.host.clone() })
        }
        (Some(host), _) => Ok(host),
        // SNI carries no addresses (RFC 6066 section 3), and old clients send none at all.
        (None, Some(settled)) => Ok(settled.host.clone()),
        (None, None) => Err(TerminateError::NoSni),
    }
}
