//! The proxy under test, its ledger in memory, and the checks every ledger must pass.

use super::{soon, upstream::Upstream};
use capsem_mitm::{
    Authority, LivePolicy, Proxy, Services,
    config::{Config, Pin},
    tls::ca,
};
use capsem_policy::Policy;
use capsem_telemetry::{
    Ledger, LedgerTask, Mode, Record, Stamped,
    sink::{Memory, MemoryHandle},
};
use serde_json::Value;
use std::net::SocketAddr;

/// The name every test's upstream goes by.
pub(crate) const HOST: &str = "api.openai.com";

/// What a client needs to know of a proxy.
pub(crate) struct Front {
    pub(crate) ca_pem: String,
    pub(crate) proxy: SocketAddr,
    pub(crate) transparent: SocketAddr,
}

pub(crate) struct Rig {
    front: Front,
    records: MemoryHandle,
    /// The policy in force.
    pub(crate) policy: LivePolicy,
    _writer: LedgerTask,
    _served: tokio::task::JoinHandle<()>,
    _files: tempfile::TempDir,
}

impl Rig {
    /// A proxy that allows everything.
    pub(crate) async fn open(upstream: &Upstream) -> Self {
        Self::with(upstream, Policy::allow_all(), |_| {}).await
    }

    /// A proxy with rules.
    pub(crate) async fn ruled(upstream: &Upstream, rules: &str) -> Self {
        let policy = Policy::parse(rules, "rules.toml").unwrap();
        Self::with(upstream, policy, |_| {}).await
    }

    pub(crate) async fn with(
        upstream: &Upstream,
        policy: Policy,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        Self::serviced(upstream, policy, Services::default(), change).await
    }

    /// The same with services of the host's own.
    pub(crate) async fn serviced(
        upstream: &Upstream,
        policy: Policy,
        services: Services,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let files = tempfile::tempdir().unwrap();
        let root = files.path().join("upstream-ca.pem");
        std::fs::write(&root, &upstream.ca_pem).unwrap();
        let ca = ca::Authority::open_or_create(&files.path().join("ca")).unwrap();
        let ca_pem = ca.certificate_pem().to_owned();

        let any = "127.0.0.1:0".parse().ok();
        let mut config = Config::new(files.path().join("ca"));
        (config.listen.proxy, config.listen.transparent) = (any, any);
        config.upstream.extra_roots = vec![root];
        for port in [443, 80] {
            let authority = Authority::parse(HOST, port).unwrap();
            config.upstream.resolve.push(Pin { authority, address: upstream.address });
        }
        change(&mut config);

        let (memory, records) = Memory::new();
        let (ledger, writer) = Ledger::start(vec![Box::new(memory)], Mode::Closed).unwrap();
        let proxy = Proxy::bind_with(config, policy, ca, ledger, services).await.unwrap();
        let (addresses, policy) = (proxy.addresses(), proxy.policy());
        let served = tokio::spawn(proxy.run(std::future::pending(), std::future::pending()));
        Self {
            front: Front {
                ca_pem,
                proxy: addresses.proxy.unwrap(),
                transparent: addresses.transparent.unwrap(),
            },
            records,
            policy,
            _writer: writer,
            _served: served,
            _files: files,
        }
    }

    /// Waits until `count` connections are closed, checks that the ledger is whole, and gives its
    /// records as JSON.
    pub(crate) async fn records(&self, count: usize) -> Vec<Value> {
        let closed = |records: &[Stamped]| {
            records.iter().filter(|r| matches!(r.record, Record::Closed(_))).count()
        };
        soon("closed records", async {
            loop {
                let grown = self.records.grown();
                if closed(&self.records.records()) >= count {
                    return;
                }
                grown.await;
            }
        })
        .await;
        let records: Vec<Value> = self
            .records
            .records()
            .iter()
            .map(|record| serde_json::from_str(&record.to_json()).unwrap())
            .collect();
        check_whole(&records);
        records
    }
}

impl std::ops::Deref for Rig {
    type Target = Front;

    fn deref(&self) -> &Front {
        &self.front
    }
}

/// One `closed` per `opened`, one `ended` per `decided`, no gap.
pub(crate) fn check_whole(records: &[Value]) {
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], n + 1, "{record}");
        assert_eq!(record["v"], 1);
    }
    for (first, last, key) in [("opened", "closed", "conn"), ("decided", "ended", "exchange")] {
        let ids = |kind: &str| {
            let of_kind = records.iter().filter(|r| r["kind"] == kind);
            let mut ids: Vec<_> = of_kind.map(|r| r[key].as_str().unwrap().to_owned()).collect();
            ids.sort();
            ids
        };
        assert_eq!(ids(first), ids(last), "{first} and {last}");
    }
}

/// The only record of a kind.
#[track_caller]
pub(crate) fn only<'r>(records: &'r [Value], kind: &str) -> &'r Value {
    let found: Vec<_> = records.iter().filter(|r| r["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}: {records:#?}");
    found[0]
}
