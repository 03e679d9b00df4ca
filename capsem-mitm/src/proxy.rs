//! The whole proxy: what a configuration, a policy, a CA and a ledger make together.

use crate::{
    accept::accept,
    ask::{Asker, Desk},
    config::{Config, Limits},
    connection::Door,
    credential::{CredentialSource, LiveCredentials, Table, TableError},
    decide::Reach,
    guard::Bounds,
    process::Processes,
    record::Visit,
    rules::LivePolicy,
    tls::{ca, leaf::Leaves},
    upstream::{self, Resolve, RootsError, SystemResolver, Upstream},
    ws::{self, Drain, Takeover},
};
use capsem_policy::Decide;
use capsem_telemetry::{
    Attribution, Id, Ledger,
    evidence::{Settings, ToolMemory},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use std::{collections::HashMap, future::Future, io, net::SocketAddr, path::PathBuf, sync::Arc};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Bytes recorded of a call's request, and as many of its response, where content is recorded: as
/// much as Capsem keeps of a text.
const CONTENT: usize = 256 * 1024;

/// Connections that wait to be accepted, as far as the kernel allows: what past it comes in a burst
/// is dropped, and a good client among it waits a second or more for its next try.
const QUEUE: u32 = 4096;

/// What every connection shares.
pub(crate) struct Context {
    pub(crate) policy: LivePolicy,
    pub(crate) reach: Reach,
    pub(crate) upstream: Upstream,
    pub(crate) credentials: Arc<Table>,
    pub(crate) desk: Desk,
    pub(crate) processes: Option<Arc<dyn Processes>>,
    pub(crate) leaves: Leaves,
    pub(crate) ledger: Ledger,
    pub(crate) limits: Limits,
    pub(crate) ws: ws::Config,
    /// Tool calls known on any connection.
    tools: ToolMemory,
    /// Bytes of each call's content that are recorded.
    content: usize,
    tasks: TaskTracker,
    /// Drops every task where it stands.
    cut: CancellationToken,
}

impl Context {
    /// Runs a part of a connection beside the others. A panic in it ends that connection alone.
    pub(crate) fn spawn_for(
        &self,
        visit: &Arc<Visit>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let watch = visit.watch();
        // What is moved into a future is in it twice; in a box, once.
        let task = Box::pin(task);
        self.spawn(async move {
            // Dropped after the task, in whichever way it ends.
            let _watch = watch;
            task.await;
        });
    }

    /// Runs a task beside the others. What it owes the ledger is paid by its guards, also when it is
    /// cut off.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        let task = Box::pin(task);
        self.tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                () = cut.cancelled() => {}
            }
        });
    }

    /// How the model calls of an exchange are read.
    pub(crate) fn evidence(&self, exchange: Id, attribution: Attribution) -> Settings {
        Settings {
            tools: self.tools.clone(),
            content: self.content,
            ..Settings::new(exchange, attribution, self.ws.limits.capture)
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let Limits { head, head_timeout: head_time, stall_timeout: stall, .. } = self.limits;
        Bounds { head, head_time, stall }
    }
}

/// A proxy whose listeners are bound.
#[must_use = "a proxy serves while `run` is polled"]
pub struct Proxy {
    cx: Arc<Context>,
    doors: Vec<(Door, TcpListener)>,
    addresses: Addresses,
}

/// Where the listeners are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// The explicit proxy.
    pub proxy: Option<SocketAddr>,
    /// The one for redirected traffic.
    pub transparent: Option<SocketAddr>,
}

/// Why a proxy could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// A listener's address is not to be had.
    #[error("listen.{listener} cannot bind {address}: {error}")]
    Bind {
        /// Its key in the configuration.
        listener: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// A file of `upstream.extra_roots` is no certificate.
    #[error("upstream.extra_roots has {}: {error}", path.display())]
    Root {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: rustls::pki_types::pem::Error,
    },
    /// A root certificate cannot be used.
    #[error("a certificate of upstream.extra_roots cannot be a root: {0}")]
    Tls(#[from] rustls::Error),
    /// The proxy's own authority is among the roots.
    #[error("upstream.extra_roots has this proxy's own authority, which no upstream may be of")]
    OwnRoot,
    /// The value of a credential could not be read.
    #[error("the credential of {host}: {error}")]
    Credential {
        /// The host it belongs to.
        host: String,
        /// Why.
        error: TableError,
    },
}

impl From<RootsError> for ProxyError {
    fn from(error: RootsError) -> Self {
        match error {
            RootsError::Tls(error) => Self::Tls(error),
            RootsError::Own => Self::OwnRoot,
        }
    }
}

/// What a host of the proxy provides itself.
#[non_exhaustive]
pub struct Services {
    /// Looks names up. Default: the operating system's resolver.
    pub resolver: Box<dyn Resolve>,
    /// Asked for what is no placeholder of the configuration. Default: nobody.
    pub credentials: Option<Box<dyn CredentialSource>>,
    /// Asked where a rule says `ask`. Default: nobody, which makes it a block.
    pub asker: Option<Box<dyn Asker>>,
    /// Asked for the process behind a connection, where a rule asks for its name. Default: nobody,
    /// so that no such rule matches.
    pub processes: Option<Arc<dyn Processes>>,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            resolver: Box::<SystemResolver>::default(),
            credentials: None,
            asker: None,
            processes: None,
        }
    }
}

impl Proxy {
    /// Binds the listeners and readies everything else. Nothing is accepted before [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// See [`ProxyError`]; nothing is left bound then.
    pub async fn bind(
        config: Config,
        policy: impl Decide + 'static,
        ca: ca::Authority,
        ledger: Ledger,
    ) -> Result<Self, ProxyError> {
        Self::bind_with(config, policy, ca, ledger, Services::default()).await
    }

    /// The same with services of the host's own.
    ///
    /// # Errors
    ///
    /// See [`ProxyError`].
    #[expect(clippy::unused_async, reason = "a listener is bound inside the runtime it serves in")]
    pub async fn bind_with(
        config: Config,
        policy: impl Decide + 'static,
        ca: ca::Authority,
        ledger: Ledger,
        services: Services,
    ) -> Result<Self, ProxyError> {
        let limits = config.limits;
        let pins: HashMap<_, _> = config
            .upstream
            .resolve
            .iter()
            .map(|pin| (pin.authority.clone(), pin.address))
            .collect();
        let extra = extra_roots(&config.upstream.extra_roots)?;
        let tls = upstream::connector(extra, ca.certificate_der())?;
        let reach =
            Reach { ports: config.upstream.connect_ports, pinned: pins.keys().cloned().collect() };
        let credentials = Table::read(config.credentials, services.credentials)
            .map_err(|(host, error)| ProxyError::Credential { host, error })?;
        let (doors, addresses) = open(config.listen.proxy, config.listen.transparent)?;
        let cx = Context {
            policy: LivePolicy::new(policy),
            reach,
            upstream: Upstream {
                resolver: services.resolver,
                pins,
                tls,
                open: Box::new(upstream::tcp),
                timeout: limits.connect_timeout,
            },
            credentials: Arc::new(credentials),
            desk: Desk { asker: services.asker, patience: config.ask_timeout },
            processes: services.processes,
            leaves: Leaves::new(ca),
            ledger,
            ws: tunnels(&limits),
            limits,
            tools: ToolMemory::default(),
            content: if config.telemetry.capture_bodies { CONTENT } else { 0 },
            tasks: TaskTracker::new(),
            cut: CancellationToken::new(),
        };
        Ok(Self { doors, addresses, cx: Arc::new(cx) })
    }

    /// Where the listeners are: the ports, where port 0 was asked for.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The policy in force, for whoever may replace it.
    pub fn policy(&self) -> LivePolicy {
        self.cx.policy.clone()
    }

    /// The credentials in force, for whoever may have their files read anew.
    pub fn credentials(&self) -> LiveCredentials {
        LiveCredentials::of(&self.cx.credentials)
    }

    /// Serves until `drain` resolves, then closes the listeners and lets what is under way finish.
    ///
    /// It returns when all has ended: at the latest after `drain_timeout`, or as soon as `now`
    /// resolves, when what is left is cut off. Every record is with the ledger
    /// then, which is the caller's to finish.
    pub async fn run(self, drain: impl Future<Output = ()>, now: impl Future<Output = ()>) {
        let Self { cx, doors, .. } = self;
        let slots = Arc::new(Semaphore::new(cx.limits.connections));
        for (door, listener) in doors {
            cx.spawn(accept(Arc::clone(&cx), door, listener, Arc::clone(&slots)));
        }
        drain.await;
        cx.ws.drain.begin();
        cx.tasks.close();
        tokio::select! {
            () = cx.tasks.wait() => return,
            () = sleep(cx.limits.drain_timeout) => tracing::warn!(left = cx.tasks.len(), "the drain is over"),
            () = now => tracing::warn!(left = cx.tasks.len(), "stopping at once"),
        }
        cx.cut.cancel();
        cx.tasks.wait().await;
    }
}

fn open(
    proxy: Option<SocketAddr>,
    transparent: Option<SocketAddr>,
) -> Result<(Vec<(Door, TcpListener)>, Addresses), ProxyError> {
    let mut doors = Vec::new();
    let mut addresses = Addresses { proxy: None, transparent: None };
    for (listener, door, address, bound) in [
        ("proxy", Door::Proxy, proxy, &mut addresses.proxy),
        ("transparent", Door::Transparent, transparent, &mut addresses.transparent),
    ] {
        let Some(address) = address else { continue };
        let fail = |error| ProxyError::Bind { listener, address, error };
        let socket = listen(address).map_err(fail)?;
        *bound = Some(socket.local_addr().map_err(fail)?);
        doors.push((door, socket));
    }
    Ok((doors, addresses))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A port that a proxy has just left has connections of its own for a minute.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

fn extra_roots(paths: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, ProxyError> {
    let mut roots = Vec::new();
    for path in paths {
        let fail = |error| ProxyError::Root { path: path.clone(), error };
        let before = roots.len();
        for root in CertificateDer::pem_file_iter(path).map_err(fail)? {
            roots.push(root.map_err(fail)?);
        }
        if roots.len() == before {
            return Err(fail(rustls::pki_types::pem::Error::NoItemsFound));
        }
    }
    Ok(roots)
}

fn tunnels(limits: &Limits) -> ws::Config {
    ws::Config {
        limits: limits.frames(),
        handshake_timeout: limits.handshake_timeout,
        stall_timeout: limits.stall_timeout,
        idle_timeout: limits.idle_timeout,
        close_timeout: limits.close_timeout,
        // What is left of the drain is for the close.
        drain_timeout: limits.drain_timeout.saturating_sub(limits.close_timeout),
        takeover: Takeover::Agreed,
        drain: Drain::default(),
    }
}
