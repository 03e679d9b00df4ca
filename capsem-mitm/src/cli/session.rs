//! A proxy and its ledger, from start to end: what `serve` and `run` have in common.

#[cfg(feature = "otlp")]
use super::spans;
use super::{asker::CommandAsker, descriptors, error::CliError, processes::Local, reload::Reload};
use crate::{
    Addresses, Asker, Processes, Proxy, Services,
    config::{Config, JsonlTarget},
    tls::ca::Authority,
};
use capsem_policy::Policy;
use capsem_telemetry::{
    Ledger, LedgerTask, Summary,
    sink::{Jsonl, Sink, Sqlite},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How long the ledger gets to write what it holds once all traffic has ended. A disk that takes
/// longer will not take it at all.
const LEDGER_TIME: Duration = Duration::from_secs(10);

/// A proxy that is bound and not yet serving, with its ledger open.
pub(crate) struct Session {
    proxy: Proxy,
    ledger: LedgerTask,
    certificate: PathBuf,
    certificate_pem: String,
    records: Ledger,
    #[cfg(feature = "otlp")]
    exporter: Option<crate::otlp::Exporter>,
}

impl Session {
    /// Opens authority and ledger, and binds the listeners. Records go to `also` as well.
    pub(crate) async fn start(
        mut config: Config,
        policy: Policy,
        also: Option<Box<dyn Sink>>,
    ) -> Result<Self, CliError> {
        descriptors::fit(&mut config.limits);
        let authority = Authority::open_or_create(&config.ca_dir)?;
        // Absolute: who reads it may be in another folder. It fails only where there is none.
        let certificate = std::path::absolute(authority.pem_path())
            .unwrap_or_else(|_| authority.pem_path().to_owned());
        let certificate_pem = authority.certificate_pem().to_owned();
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if let Some(path) = &config.telemetry.ledger {
            sinks.push(Box::new(Sqlite::open(path)?));
        }
        match &config.telemetry.jsonl {
            Some(JsonlTarget::Stdout) => sinks.push(Box::new(Jsonl::stdout()?)),
            Some(JsonlTarget::File(path)) => sinks.push(Box::new(Jsonl::open(path)?)),
            None => {}
        }
        sinks.extend(also);
        #[cfg(feature = "otlp")]
        let (exporter, watch) = spans::start(config.telemetry.otlp.take());
        #[cfg(not(feature = "otlp"))]
        let watch = |_, _: &_| {};
        let (ledger, task) = Ledger::start_watched(sinks, config.telemetry.mode, watch)?;
        let asker = CommandAsker::new(&config.asker).map(|it| Box::new(it) as Box<dyn Asker>);
        let processes = Some(Arc::new(Local) as Arc<dyn Processes>);
        let services = Services { asker, processes, ..Services::default() };
        let proxy = Proxy::bind_with(config, policy, authority, ledger.clone(), services).await?;
        Ok(Self {
            proxy,
            ledger: task,
            certificate,
            certificate_pem,
            records: ledger,
            #[cfg(feature = "otlp")]
            exporter,
        })
    }

    /// Where the listeners are.
    pub(crate) fn addresses(&self) -> Addresses {
        self.proxy.addresses()
    }

    /// What reads the rule file, and those of credentials, again; for a session that has just begun.
    pub(crate) fn reload(&self, rules: Option<&Path>) -> Reload {
        let (policy, credentials) = (self.proxy.policy(), self.proxy.credentials());
        Reload::new(rules, policy, credentials, self.records.clone())
    }

    /// The file of the certificate that clients are to trust.
    pub(crate) fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// What is in it.
    pub(crate) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Serves until `drain` resolves, lets what is under way finish unless `now` resolves, and ends
    /// the ledger and what stands beside it.
    pub(crate) async fn run(
        self,
        drain: impl Future<Output = ()> + Send,
        now: impl Future<Output = ()> + Send,
    ) -> Result<Summary, CliError> {
        self.proxy.run(drain, now).await;
        let ledger = self.ledger;
        let finished = tokio::task::spawn_blocking(move || ledger.finish(LEDGER_TIME)).await;
        #[cfg(feature = "otlp")]
        if let Some(exporter) = self.exporter {
            spans::finish(exporter).await;
        }
        Ok(finished.map_err(|error| CliError::Runtime(error.into()))??)
    }
}
