//! `endpoint`: the local endpoint alone, for trying a client or a proxy by hand.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Authority, Endpoint, Log};

/// The arguments of `endpoint`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:18443")]
    listen: SocketAddr,
    /// Where to write the CA certificate its clients (or a proxy's `upstream.extra_roots`) need
    #[arg(long, value_name = "FILE", default_value = "endpoint-ca.pem")]
    ca: PathBuf,
}

/// Serves until Ctrl-C.
pub(crate) fn by_hand(arguments: &Arguments) -> Result<()> {
    let authority = Authority::new()?;
    fs::write(&arguments.ca, authority.pem())
        .with_context(|| format!("cannot write {}", arguments.ca.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let endpoint = Endpoint::start(&authority, arguments.listen, Log::printed()).await?;
        eprintln!("https://{} with the CA in {}", endpoint.address(), arguments.ca.display());
        tokio::signal::ctrl_c().await?;
        endpoint.stop().await.map(drop)
    })
}
