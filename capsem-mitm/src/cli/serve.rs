//! `capsem-mitm serve`: a proxy as its configuration file says, until a signal.

use super::{
    args::ServeArgs,
    config_file::{self, Listener},
    descriptors,
    error::CliError,
    json, policy_file, print,
    session::Session,
    signals::Signals,
};
use capsem_policy::Policy;
use serde_json::Value;
use std::{convert::Infallible, net::SocketAddr, process::ExitCode};
use tokio::sync::Notify;

/// Serves until SIGINT or SIGTERM, then drains.
pub(crate) async fn serve(args: ServeArgs) -> Result<ExitCode, CliError> {
    let config = config_file::load(&args.config, Listener::Required)?;
    let policy = if let Some(path) = &config.policy_file {
        policy_file::load(path)?
    } else {
        tracing::warn!("no [policy] file: everything is blocked");
        Policy::block_all()
    };
    descriptors::raise();
    let mut signals = Signals::listen()?;
    let hang_up = Signals::hang_up()?;
    let rule_file = config.policy_file.clone();
    let session = Session::start(config, policy, None).await?;
    let follow = session.reload(rule_file.as_deref()).follow(Some(hang_up));
    print(&ready(&session))?;
    let (drain, now) = (Notify::new(), Notify::new());
    let heed = async {
        signals.next().await;
        tracing::info!("draining; a second signal ends what is under way at once");
        drain.notify_one();
        signals.next().await;
        now.notify_one();
        std::future::pending::<Infallible>().await
    };
    let summary = tokio::select! {
        summary = session.run(drain.notified(), now.notified()) => summary?,
        never = heed => match never {},
        never = follow => match never {},
    };
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
