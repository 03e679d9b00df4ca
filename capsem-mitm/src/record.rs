//! The records a connection and its exchanges owe, and the guards that see they are written.
//!
//! A [`Visit`] owes one `closed` for its `opened`; an [`ExchangeLog`] owes one `ended` for its
//! `decided`. Both pay when dropped, so a cancelled task or a panic leaves whole records behind.

mod visit;

pub(crate) use self::visit::Visit;
use crate::{
    decide::{Decision, Ruling},
    request::{Intent, Kind},
};
use capsem_policy::Action;
use capsem_telemetry::{
    self as telemetry, Attribution, Close, CloseKind, Decided, Direction, Ended, Event, Evidence,
    FaultClass, Flow, Id, Ledger, ModelCall, RateLimits, Record, Responded, Side, ToolUse,
    Transport, redact,
};
use http::{StatusCode, header};
use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// One exchange that has yet to be decided.
pub(crate) struct Undecided {
    visit: Arc<Visit>,
    id: Id,
}

impl Undecided {
    pub(crate) fn new(visit: &Arc<Visit>) -> Self {
        Self { visit: Arc::clone(visit), id: Id::fresh() }
    }

    pub(crate) fn id(&self) -> Id {
        self.id
    }

    /// Records the verdict on an intent. It is with the sinks when this returns.
    ///
    /// # Errors
    ///
    /// When the ledger takes no more: the exchange must not go on.
    pub(crate) async fn decided(
        self,
        intent: &Intent,
        attribution: &Attribution,
        decision: &Decision,
        credential_ref: Option<String>,
    ) -> Result<ExchangeLog, telemetry::Error> {
        let transport = match intent.kind {
            Kind::WebSocket(_) => Transport::Websocket,
            Kind::Http | Kind::Connect => Transport::Http,
        };
        let subprotocols = match &intent.kind {
            Kind::WebSocket(offer) => redact::subprotocols(&offer.subprotocols().join(", ")),
            Kind::Http | Kind::Connect => Vec::new(),
        };
        let decided = Decided {
            conn: self.visit.id(),
            exchange: self.id,
            transport,
            method: Some(method_of(intent.method.as_str())),
            scheme: Some(intent.scheme.name(&intent.kind).to_owned()),
            host: Some(intent.authority.host.to_string()),
            port: Some(intent.authority.port),
            path: Some(intent.path.clone()),
            query: intent.query.as_deref().map(redact::query),
            provider: attribution.provider,
            protocol: attribution.protocol,
            api: attribution.api,
            decision: match (&decision.outcome, decision.action) {
                (Ok(_), _) => telemetry::Decision::Allowed,
                // The rules would let it through; something else will not.
                (Err(_), Action::Allow) => telemetry::Decision::Error,
                (Err(_), Action::Ask | Action::Block) => telemetry::Decision::Denied,
            },
            action: Some(action(decision.action)),
            rule: decision.rule.clone(),
            reason: decision.reason.clone(),
            process: intent.process.clone(),
            credential_ref,
            subprotocols,
        };
        let on = match transport {
            Transport::Websocket => Event::Upgrade,
            Transport::Http | Transport::Sse => Event::Http,
        };
        let log = self.commit(decided).await?;
        log.visit.detected(log.id, on, &decision.detections);
        Ok(log)
    }

    /// Records a request that was refused before policy could be asked.
    ///
    /// # Errors
    ///
    /// When the ledger takes no more.
    pub(crate) async fn refused(
        self,
        seen: Glimpse<'_>,
        class: FaultClass,
        reason: &str,
    ) -> Result<ExchangeLog, telemetry::Error> {
        let (visit, exchange) = (Arc::clone(&self.visit), self.id);
        let decided = Decided {
            conn: visit.id(),
            exchange,
            transport: if seen.upgrade { Transport::Websocket } else { Transport::Http },
            method: seen.method.map(method_of),
            scheme: None,
            host: None,
            port: None,
            path: seen.path.map(str::to_owned),
            query: None,
            provider: telemetry::Provider::Unknown,
            protocol: None,
            api: None,
            decision: telemetry::Decision::Denied,
            action: Some(telemetry::Action::Block),
            rule: None,
            reason: Some(reason.to_owned()),
            process: None,
            credential_ref: None,
            subprotocols: Vec::new(),
        };
        let log = self.commit(decided).await?;
        log.fault(Side::Client, class, reason);
        Ok(log)
    }

    async fn commit(self, decided: Decided) -> Result<ExchangeLog, telemetry::Error> {
        let Self { visit, id } = self;
        if !visit.recorded {
            return Err(telemetry::Error::Refused);
        }
        visit.exchanges.fetch_add(1, Ordering::Relaxed);
        // From here the record may be in the queue, and `ended` is owed with it.
        let record = visit.clean(Record::Decided(Box::new(decided)));
        let log = ExchangeLog { visit, id, began: Instant::now(), model_calls: 0, owed: true };
        match log.visit.ledger.commit(record).await {
            Ok(()) => Ok(log),
            Err(error) => {
                log.forget_unless_queued(&error);
                Err(error)
            }
        }
    }
}

/// What is known of a request that could not be read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Glimpse<'a> {
    pub(crate) method: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) upgrade: bool,
}

/// One decided exchange.
pub(crate) struct ExchangeLog {
    visit: Arc<Visit>,
    id: Id,
    began: Instant,
    model_calls: u64,
    owed: bool,
}

/// What an exchange ends with.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) close: Close,
    pub(crate) to_upstream: Flow,
    pub(crate) to_client: Flow,
    pub(crate) evidence: Option<Evidence>,
}

impl ExchangeLog {
    pub(crate) fn id(&self) -> Id {
        self.id
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.visit.ledger
    }

    pub(crate) fn visit(&self) -> Arc<Visit> {
        Arc::clone(&self.visit)
    }

    /// Records a message that was not let through.
    pub(crate) fn refused(
        &self,
        direction: Direction,
        ruling: &Ruling,
        model: Option<String>,
        bytes: u64,
    ) {
        self.visit.refused(self.id, direction, ruling, model, bytes);
    }

    /// Time since the verdict.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Records what broke.
    pub(crate) fn fault(&self, side: Side, class: FaultClass, detail: &str) {
        self.visit.record_fault(Some(self.id), side, class, detail);
    }

    /// Records a response head that goes to the client.
    pub(crate) fn responded<B>(
        &self,
        response: &http::Response<B>,
        by: Side,
        upstream_addr: Option<SocketAddr>,
    ) {
        let text = |name| {
            let value = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let subprotocol = text(header::SEC_WEBSOCKET_PROTOCOL).filter(|_| switched);
        self.visit.record(Record::Responded(Responded {
            exchange: self.id,
            status: response.status().as_u16(),
            by,
            extensions: text(header::SEC_WEBSOCKET_EXTENSIONS).filter(|_| switched),
            subprotocol: subprotocol.and_then(|name| redact::subprotocols(&name).pop()),
            upstream_addr,
        }));
    }

    /// Records model calls that ended.
    pub(crate) fn model_calls(&mut self, calls: impl IntoIterator<Item = ModelCall>) {
        for call in calls {
            self.model_calls += 1;
            self.visit.record(Record::ModelCall(Box::new(call)));
        }
    }

    /// Records tool uses that ended.
    pub(crate) fn tool_uses(&self, uses: impl IntoIterator<Item = ToolUse>) {
        for tool in uses {
            self.visit.record(Record::ToolUse(Box::new(tool)));
        }
    }

    /// Records what was said of rate limits.
    pub(crate) fn rate_limits(&self, said: impl IntoIterator<Item = RateLimits>) {
        for said in said {
            self.visit.record(Record::RateLimits(Box::new(said)));
        }
    }

    /// Records the end.
    pub(crate) fn end(mut self, end: End) {
        self.pay(end);
    }

    /// The end of an exchange whose connection a panic ended, if one did.
    pub(crate) fn broke(&self) -> Option<Close> {
        let reason = "a fault of the proxy's own";
        let close = || closed(CloseKind::Error, Some(Side::Proxy), None, Some(reason));
        self.visit.broke(Some(self.id)).then(close)
    }

    /// Does what may panic at the end of an exchange, which must be recorded all the same: it may
    /// end because of a panic, and a second one would end the process.
    pub(crate) fn contain<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self))).ok();
        if done.is_none() {
            self.visit.panicked(Some(self.id));
        }
        done
    }

    /// The end of an exchange that the proxy cut off, by a panic or at the end of a drain.
    pub(crate) fn cut(&self) -> Option<Close> {
        let reason = "cut off at the end of the drain";
        let drained = || closed(CloseKind::Timeout, Some(Side::Proxy), None, Some(reason));
        self.broke().or_else(|| self.visit.drain.begun().then(drained))
    }

    /// Why an exchange was let go of: the proxy cut it off, or the client left it where `reason`
    /// says.
    pub(crate) fn let_go(&self, reason: &str) -> Close {
        let left = || closed(CloseKind::Peer, Some(Side::Client), None, Some(reason));
        self.cut().unwrap_or_else(left)
    }

    fn pay(&mut self, end: End) {
        self.owed = false;
        self.visit.record(Record::Ended(Box::new(Ended {
            exchange: self.id,
            close: end.close,
            to_upstream: Some(end.to_upstream),
            to_client: Some(end.to_client),
            model_calls: self.model_calls,
            duration_ms: millis(self.began.elapsed()),
            evidence: end.evidence,
        })));
    }

    /// A `decided` that was never taken owes nothing.
    fn forget_unless_queued(mut self, error: &telemetry::Error) {
        self.owed = matches!(error, telemetry::Error::Late);
    }
}

impl Drop for ExchangeLog {
    fn drop(&mut self) {
        if self.owed {
            let close = self.let_go("the connection ended before the answer");
            self.pay(End {
                close,
                to_upstream: Flow::default(),
                to_client: Flow::default(),
                evidence: None,
            });
        }
    }
}

fn action(action: Action) -> telemetry::Action {
    match action {
        Action::Allow => telemetry::Action::Allow,
        Action::Ask => telemetry::Action::Ask,
        Action::Block => telemetry::Action::Block,
    }
}

/// A close in the record's words.
pub(crate) fn closed(
    kind: CloseKind,
    by: Option<Side>,
    code: Option<u16>,
    reason: Option<&str>,
) -> Close {
    Close { kind, by, code, reason: reason.map(str::to_owned) }
}

/// A method as it is recorded: a client may make one up, of any length.
fn method_of(method: &str) -> String {
    /// Longer than any registered method.
    const METHOD: usize = 32;
    method.chars().take(METHOD).collect()
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
