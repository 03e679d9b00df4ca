//! `capsem-mitm serve`: a proxy as its configuration file says, until a signal.

use super::{
    args::ServeArgs,
    config_file::{self, Listener},
    error::CliError,
    json, policy_file, print,
    session::Session,
    signals::Signals,
};
use capsem_policy::Policy;
use serde_json::Value;
use std::{net::SocketAddr, process::ExitCode};

/// Serves until SIGINT or SIGTERM, then drains.
pub(crate) async fn serve(args: ServeArgs) -> Result<ExitCode, CliError> {
    let config = config_file::load(&args.config, Listener::Required)?;
    let policy = if let Some(path) = &config.policy_file {
        policy_file::load(path)?
    } else {
        tracing::warn!("no [policy] file: everything is blocked");
        Policy::block_all()
    };
    let mut signals = Signals::listen()?;
    let session = Session::start(config, policy, None).await?;
    print(&ready(&session))?;
    let summary = session
        .run(async move {
            signals.next().await;
            tracing::info!("draining; a second signal ends the program at once");
            tokio::spawn(async move {
                signals.next().await;
                std::process::exit(1);
            });
        })
        .await?;
    tracing::info!(written = summary.written, lost = summary.lost, "ended");
    if summary.lost > 0 {
        return Err(CliError::RecordsLost { lost: summary.lost });
    }
    Ok(ExitCode::SUCCESS)
}

fn ready(session: &Session) -> String {
    let text = |address: Option<SocketAddr>| address.map(|address| address.to_string()).into();
    let addresses = session.addresses();
    json::line(&[
        ("kind", "ready".into()),
        ("proxy", text(addresses.proxy)),
        ("transparent", text(addresses.transparent)),
        ("ca", Value::from(session.certificate().display().to_string())),
    ])
}
