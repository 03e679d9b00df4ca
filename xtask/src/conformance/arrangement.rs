//! The four arrangements.

use capsem_ws_codec::Role;
use serde::Serialize;

/// What faces the suite, in which role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Arrangement {
    /// fuzzing client, server on the codec
    CodecServer,
    /// client on the codec, fuzzing server
    CodecClient,
    /// fuzzing client, proxy, server on the codec
    ProxyServer,
    /// client on the codec, proxy, fuzzing server
    ProxyClient,
}

impl Arrangement {
    pub(super) const ALL: [Self; 4] =
        [Self::CodecServer, Self::CodecClient, Self::ProxyServer, Self::ProxyClient];

    /// Its name on the command line and in the report.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::CodecServer => "codec-server",
            Self::CodecClient => "codec-client",
            Self::ProxyServer => "proxy-server",
            Self::ProxyClient => "proxy-client",
        }
    }

    /// The role that is judged.
    pub(super) fn role(self) -> Role {
        match self {
            Self::CodecServer | Self::ProxyServer => Role::Server,
            Self::CodecClient | Self::ProxyClient => Role::Client,
        }
    }

    /// Whether the built program stands between.
    pub(super) fn is_proxied(self) -> bool {
        match self {
            Self::CodecServer | Self::CodecClient => false,
            Self::ProxyServer | Self::ProxyClient => true,
        }
    }
}
