//! The ways a request for [`HOST`] can come in.

use super::{
    client::{Client, Path},
    rig::{Front, HOST},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// TLS inside a CONNECT.
    Connect,
    /// Plain HTTP inside a CONNECT.
    ConnectPlain,
    /// A request to the proxy itself, its target absolute.
    Absolute,
    /// Redirected TLS.
    Tls,
    /// Redirected plain HTTP.
    Plain,
}

impl Way {
    pub(crate) const ALL: [Self; 5] =
        [Self::Connect, Self::ConnectPlain, Self::Absolute, Self::Tls, Self::Plain];

    /// A connection that is ready for a request.
    pub(crate) async fn open(self, front: &Front) -> Client {
        match self {
            Self::Connect => Client::tls(front, Path::Explicit, HOST).await,
            Self::ConnectPlain => Client::connect(front, &format!("{HOST}:80")).await,
            Self::Absolute => Client::tcp(front.proxy).await,
            Self::Tls => Client::tls(front, Path::Transparent, HOST).await,
            Self::Plain => Client::tcp(front.transparent).await,
        }
    }

    /// What stands before the path in a request's target.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Absolute => "http://api.openai.com",
            _ => "",
        }
    }

    /// Whether upstream is reached over TLS.
    pub(crate) fn is_secure(self) -> bool {
        matches!(self, Self::Connect | Self::Tls)
    }
}
