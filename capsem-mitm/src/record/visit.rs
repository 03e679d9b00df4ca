//! One connection, and what its tasks record of it.

use super::{action, millis};
use crate::{
    connection::Door,
    credential::{Masks, Table},
    decide::Ruling,
    proxy::Context,
    ws::Drain,
};
use capsem_policy::Detection;
use capsem_telemetry::{
    Asked, Closed, Detected, Direction, Event, Fault, FaultClass, Id, Ledger, Listener, Opened,
    Record, Refused, Side,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit},
    task::spawn_blocking,
};

/// One accepted connection. `closed` is recorded when the last share of it is dropped.
pub(crate) struct Visit {
    id: Id,
    pub(super) ledger: Ledger,
    /// Whether the ledger took records when it began. If not, the connection leaves none, and every
    /// exchange on it is refused.
    pub(super) recorded: bool,
    began: Instant,
    pub(super) exchanges: AtomicU64,
    /// A task of it panicked.
    broke: AtomicBool,
    pub(super) drain: Drain,
    /// The values of the configuration's credentials, which no record may hold.
    credentials: Arc<Table>,
    /// Others that exchanges of this connection were given.
    given: Mutex<Masks>,
    /// The two ends of its socket, where both are known.
    ends: Option<(SocketAddr, SocketAddr)>,
    /// The name of the client's process, once it was asked for.
    process: OnceCell<Option<String>>,
    _slot: OwnedSemaphorePermit,
}

impl Visit {
    /// Records `opened`.
    pub(crate) fn open(
        cx: &Context,
        door: Door,
        peer: SocketAddr,
        local: Option<SocketAddr>,
        slot: OwnedSemaphorePermit,
    ) -> Arc<Self> {
        let id = Id::fresh();
        let listener = match door {
            Door::Proxy => Listener::Proxy,
            Door::Transparent => Listener::Transparent,
        };
        let visit = Self {
            id,
            ledger: cx.ledger.clone(),
            recorded: cx.ledger.is_ready(),
            began: Instant::now(),
            exchanges: AtomicU64::new(0),
            broke: AtomicBool::new(false),
            drain: cx.ws.drain.clone(),
            credentials: Arc::clone(&cx.credentials),
            given: Mutex::default(),
            ends: local.map(|local| (peer, local)),
            process: OnceCell::new(),
            _slot: slot,
        };
        if visit.recorded {
            let peer = Some(peer.to_string());
            visit.record(Record::Opened(Opened { conn: id, listener, peer }));
        }
        Arc::new(visit)
    }

    /// The name of the client's process, asked for when it is wanted first.
    pub(crate) async fn process(&self, cx: &Context) -> Option<String> {
        let ask = async {
            let (processes, (client, proxy)) = (Arc::clone(cx.processes.as_ref()?), self.ends?);
            let name = spawn_blocking(move || processes.name(client, proxy));
            name.await.ok().flatten()
        };
        self.process.get_or_init(|| ask).await.clone()
    }

    /// No record from here on holds one of these values either.
    pub(crate) fn hide(&self, masks: &Masks) {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).extend(masks);
    }

    pub(super) fn record(&self, record: Record) {
        self.ledger.record(self.clean(record));
    }

    /// The record without the values of credentials, whoever put them into its words.
    pub(super) fn clean(&self, record: Record) -> Record {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.credentials.masks();
        if all.is_empty() && given.is_empty() {
            return record;
        }
        record.edit_texts(|text| match all.text(text) {
            Some(hidden) => Some(given.text(&hidden).unwrap_or(hidden)),
            None => given.text(text),
        })
    }

    pub(crate) fn id(&self) -> Id {
        self.id
    }

    /// Records a message that was not let through.
    pub(crate) fn refused(
        &self,
        exchange: Id,
        direction: Direction,
        ruling: &Ruling,
        model: Option<String>,
        bytes: u64,
    ) {
        self.record(Record::Refused(Box::new(Refused {
            exchange,
            direction,
            action: action(ruling.action),
            rule: ruling.rule.clone(),
            reason: ruling.reason.clone(),
            model,
            bytes,
        })));
    }

    /// Records rules that matched and only watch.
    pub(crate) fn detected(&self, exchange: Id, on: Event, detections: &[Detection<'_>]) {
        for detection in detections {
            self.record(Record::Detected(Box::new(Detected {
                exchange,
                on,
                rule: detection.rule.to_string(),
                level: detection.level.as_str().to_owned(),
                reason: detection.reason.as_deref().map(str::to_owned),
            })));
        }
    }

    /// Records a question and its answer.
    pub(crate) fn asked(&self, asked: Asked) {
        if self.recorded {
            self.record(Record::Asked(Box::new(asked)));
        }
    }

    /// To be held by each task of the connection: sees it panic.
    pub(crate) fn watch(self: &Arc<Self>) -> Unwinding {
        Unwinding(Arc::clone(self))
    }

    /// Records, once, that a task of this connection panicked. The message may hold anything and is
    /// nobody's to read.
    pub(super) fn panicked(&self, exchange: Option<Id>) {
        if !self.broke.swap(true, Ordering::Relaxed) {
            let detail = "a task of the connection panicked";
            self.record_fault(exchange, Side::Proxy, FaultClass::Panic, detail);
        }
    }

    /// Whether a task of this connection panicked, or is now.
    pub(super) fn broke(&self, exchange: Option<Id>) -> bool {
        if std::thread::panicking() {
            self.panicked(exchange);
        }
        self.broke.load(Ordering::Relaxed)
    }

    /// Records a fault that belongs to no exchange.
    pub(crate) fn fault(&self, side: Side, class: FaultClass, detail: &str) {
        self.record_fault(None, side, class, detail);
    }

    pub(super) fn record_fault(
        &self,
        exchange: Option<Id>,
        side: Side,
        class: FaultClass,
        detail: &str,
    ) {
        if !self.recorded {
            return;
        }
        let (conn, detail) = (Some(self.id), Some(detail.to_owned()));
        self.record(Record::Fault(Fault { conn, exchange, side, class, detail }));
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if !self.recorded {
            return;
        }
        self.record(Record::Closed(Closed {
            conn: self.id,
            exchanges: self.exchanges.load(Ordering::Relaxed),
            duration_ms: millis(self.began.elapsed()),
        }));
    }
}

/// See [`Visit::watch`].
pub(crate) struct Unwinding(Arc<Visit>);

impl Drop for Unwinding {
    fn drop(&mut self) {
        self.0.broke(None);
    }
}
