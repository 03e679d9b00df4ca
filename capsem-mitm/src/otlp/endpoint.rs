//! Where a collector is: a URL in, a host, a port and a path out. Refuses to know DNS.

use crate::authority::{Authority, HostError};
use http::Uri;
use std::{fmt, str::FromStr};

/// The base URL of a collector, such as `http://127.0.0.1:4318`; spans go to `/v1/traces` beneath it.
///
/// Only `http` is spoken: a collector stands on the same machine or beside it, and has the TLS and the
/// credentials for what is further away.
///
/// ```
/// # use capsem_mitm::otlp::Endpoint;
/// let endpoint: Endpoint = "http://Collector.internal:4318/otlp/".parse()?;
/// assert_eq!(endpoint.to_string(), "http://collector.internal:4318/otlp/v1/traces");
/// # Ok::<(), capsem_mitm::otlp::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) authority: Authority,
    /// With the signal's own part.
    pub(super) path: String,
}

/// Why a text is no collector's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Nothing of a URL, or no host in it.
    #[error("it has no scheme and host")]
    Form,
    /// Another scheme than `http`.
    #[error("only http is spoken; for https put a collector beside the proxy")]
    Scheme,
    /// What stands for the host is none.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A user, or a password.
    #[error("a user or password in it would not be sent")]
    User,
    /// A query or fragment.
    #[error("a collector's URL has no query and no fragment")]
    Query,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let uri: Uri = text.parse().map_err(|_| EndpointError::Form)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(EndpointError::Form);
        };
        if scheme != "http" {
            return Err(EndpointError::Scheme);
        }
        if authority.as_str().contains('@') {
            return Err(EndpointError::User);
        }
        if text.contains(['?', '#']) {
            return Err(EndpointError::Query);
        }
        let authority = Authority::parse(authority.as_str(), 80)?;
        let path = format!("{}/v1/traces", uri.path().trim_end_matches('/'));
        Ok(Self { authority, path })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests;
