//! What a tunnel tells the ledger: its messages as evidence, its end as `ended`.

use crate::{
    decide::Ruling,
    judge::{Judge, Standing},
    proxy::Context,
    record::{End, ExchangeLog, closed},
    rules::Followed,
    ws::{self, Ended, Gate, Pause, Refusal, Revoked, Session},
};
use capsem_policy::{self as policy, Action, Uninspectable};
use capsem_telemetry::{
    Api, CallError, CallStatus, CloseKind, Direction, Event, FaultClass, Flow, Ledger, ModelCall,
    Provider, Side,
    evidence::{self, MessageFacts, Seen, WsEvidence},
    redact,
};
use capsem_ws_codec::{Counters, Message, Opcode, Role};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
};

/// The [`Session`] of the proxy's own tunnels.
pub(crate) struct Tap {
    ledger: Ledger,
    /// Both are there until the tunnel ends.
    open: Option<(ExchangeLog, WsEvidence)>,
    /// When the last bytes came, since the exchange began.
    now: Duration,
    revoked: Option<Revoked>,
    judge: Judge,
    /// The API the socket shows to speak, where its path says nothing.
    api: Option<Api>,
    counters: policy::Counters,
    /// The response that runs in each lane, while messages of the server are held.
    running: HashMap<Option<String>, String>,
    /// Lanes whose response was refused in the middle, until it ends.
    muted: HashMap<Option<String>, Refusal>,
}

/// Lanes that are followed. A service has a few dozen per socket; the responses of the lanes beyond
/// are refused message by message.
const LANES: usize = 256;

impl Tap {
    pub(crate) fn new(
        log: ExchangeLog,
        evidence: WsEvidence,
        standing: Standing,
        followed: Followed,
        cx: &Arc<Context>,
    ) -> Self {
        let ledger = log.ledger().clone();
        let api = standing.attribution.api;
        let judge = Judge::new(Arc::clone(cx), standing, followed.clone());
        Self {
            ledger,
            open: Some((log, evidence)),
            now: Duration::ZERO,
            revoked: Some(judge.revoked(followed)),
            judge,
            api,
            counters: policy::Counters::default(),
            running: HashMap::new(),
            muted: HashMap::new(),
        }
    }

    /// What becomes of a message that a rule refuses: the client is told in its protocol, or the
    /// socket closed.
    fn refusal(&self, facts: &MessageFacts, refusal: Refusal) -> Gate {
        match evidence::refusal(self.api, facts, &refusal.reason, now()) {
            Some(answer) => Gate::Refuse { refusal, answer },
            None => Gate::Close(refusal),
        }
    }

    /// Whether somebody may read in a message what could not be read here.
    fn is_said_to_somebody(&self, from: Role, message: &Message<'_>) -> bool {
        let known = self.judge.standing.attribution.provider != Provider::Unknown;
        match (from, self.api) {
            // Whatever a model's API is told, it is to be understood.
            (Role::Client, Some(_)) => true,
            (Role::Server, Some(_)) => MessageFacts::begins_as_json(message.payload),
            // Elsewhere all kinds of things are said; a provider may have names for its APIs that
            // are not known here.
            (_, None) => known && MessageFacts::begins_as_json(message.payload),
        }
    }

    fn refuse(&mut self, from: Role, facts: &MessageFacts, ruling: &Ruling, bytes: u64) -> Gate {
        if let Some((log, _)) = &self.open {
            log.refused(direction(from), ruling, facts.model.clone(), bytes);
        }
        let refusal = refusal_of(ruling);
        if from == Role::Server
            && facts.kind.as_deref().is_some_and(|kind| kind.starts_with("response."))
            && self.muted.len() < LANES
        {
            self.muted.insert(facts.stream_id.clone(), refusal.clone());
        }
        self.refusal(facts, refusal)
    }

    /// What is said of a message that the rules let somebody else decide on.
    fn ask(&mut self, from: Role, size: u64, facts: MessageFacts, ruling: Ruling) -> Gate {
        let Some((log, _)) = &self.open else { return Gate::Close(refusal_of(&ruling)) };
        let (visit, exchange) = (log.visit(), log.id());
        let question = self.judge.question((visit.id(), exchange), &ruling, from, size, &facts);
        let (cx, api) = (Arc::clone(&self.judge.cx), self.api);
        Gate::Wait(Box::pin(async move {
            match cx.desk.ask(Arc::clone(&visit), exchange, question).await {
                Ok(_) => Gate::Forward,
                Err(why) => {
                    let ruling = Ruling { reason: Some(why.to_owned()), ..ruling };
                    visit.refused(exchange, direction(from), &ruling, facts.model.clone(), size);
                    let refusal = refusal_of(&ruling);
                    match evidence::refusal(api, &facts, &refusal.reason, now()) {
                        Some(answer) => Gate::Refuse { refusal, answer },
                        None => Gate::Close(refusal),
                    }
                }
            }
        }))
    }

    /// Follows the responses of the server. The refusal of its lane, if this event is of a response
    /// that was refused.
    fn follow(&mut self, facts: &mut MessageFacts) -> Option<Refusal> {
        let kind = facts.kind.as_deref()?.strip_prefix("response.")?;
        let lane = &facts.stream_id;
        if kind == "created" {
            self.muted.remove(lane);
            if let Some(id) = facts.response_id.clone()
                && (self.running.len() < LANES || self.running.contains_key(lane))
            {
                self.running.insert(lane.clone(), id);
            }
        }
        if facts.response_id.is_none() {
            facts.response_id = self.running.get(lane).cloned();
        }
        match kind {
            "completed" | "failed" | "incomplete" | "cancelled" | "done" => {
                self.running.remove(lane);
                self.muted.remove(lane)
            }
            _ => self.muted.get(lane).cloned(),
        }
    }

    fn calls(&mut self, calls: Vec<ModelCall>) {
        let Some((log, _)) = &mut self.open else { return };
        for usage in calls.iter().filter_map(|call| call.usage) {
            let tokens =
                usage.input_tokens.unwrap_or(0).saturating_add(usage.output_tokens.unwrap_or(0));
            self.counters.tokens = self.counters.tokens.saturating_add(tokens);
        }
        self.counters.model_calls += calls.len() as u64;
        log.model_calls(calls);
    }
}

impl Session for Tap {
    fn on_read(&mut self) {
        if let Some((log, _)) = &self.open {
            self.now = log.elapsed();
        }
    }

    fn on_message(&mut self, from: Role, message: &Message<'_>) {
        let Some((log, evidence)) = &mut self.open else { return };
        self.counters.messages += 1;
        self.counters.bytes = self.counters.bytes.saturating_add(message.len);
        let now = self.now;
        aside(message.payload.len() as u64, || match from {
            Role::Client => evidence.client_message(now, seen(message)),
            Role::Server => evidence.server_message(now, seen(message)),
        });
        if evidence.has_ended() {
            log.tool_uses(evidence.take_tool_uses());
            log.rate_limits(evidence.take_rate_limits());
            let calls = evidence.take_calls();
            self.calls(calls);
        }
    }

    fn reads(&mut self, from: Role) -> usize {
        self.open.as_ref().map_or(0, |(_, evidence)| match from {
            Role::Client => evidence.reads_of_client(),
            Role::Server => evidence.reads_of_server(),
        })
    }

    fn hold(&mut self, from: Role) -> Option<usize> {
        let capture = self.judge.cx.ws.limits.capture;
        let hold = self.judge.hold(from);
        // What is left of a refused response is held back even if its rule is gone.
        let muted = from == Role::Server && !self.muted.is_empty();
        if hold.is_none() && !muted {
            return None;
        }
        let most = hold.and_then(|hold| hold.max_bytes);
        Some(most.map_or(capture, |most| usize::try_from(most).unwrap_or(capture).min(capture)))
    }

    fn judge(&mut self, from: Role, message: &Message<'_>) -> Gate {
        let mut facts = MessageFacts::read(message.payload);
        if from == Role::Client {
            self.api = self.api.or(facts.api);
        } else if let Some(refusal) = self.follow(&mut facts) {
            return Gate::Refuse { refusal, answer: String::new() };
        }
        if !facts.readable && self.is_said_to_somebody(from, message) {
            return self.unjudged(from, message.len);
        }
        let ruling = self.judge.ruling(from, message, &facts, self.counters);
        if let Some((log, _)) = &self.open {
            log.visit().detected(log.id(), Event::Message, &ruling.detections);
        }
        match ruling.action {
            Action::Allow => Gate::Forward,
            Action::Block => self.refuse(from, &facts, &ruling, message.len),
            Action::Ask => self.ask(from, message.len, facts, ruling),
        }
    }

    fn unjudged(&mut self, from: Role, so_far: u64) -> Gate {
        let past = self.judge.hold(from).map(|hold| hold.uninspectable);
        let Some((log, _)) = &self.open else { return Gate::Forward };
        let reason = format!("a message of {so_far} bytes or more cannot be judged");
        log.fault(side(from.into()), FaultClass::Uninspectable, &reason);
        match past {
            Some(Uninspectable::Relay) | None => Gate::Forward,
            Some(Uninspectable::Close) => {
                Gate::Close(Refusal { word: UNINSPECTABLE.to_owned(), reason })
            }
        }
    }

    fn on_refused(&mut self, from: Role, message: &Message<'_>, refusal: &Refusal) {
        let Some((log, evidence)) = &mut self.open else { return };
        let (code, reason) = (refusal.word.clone(), refusal.reason.clone());
        let why = CallError { code: Some(code), message: Some(reason) };
        let mut calls = Vec::new();
        match from {
            Role::Client => {
                evidence.denied_message(log.elapsed(), seen(message), &why);
                calls.append(&mut evidence.take_calls());
            }
            Role::Server => {
                // It was sent and is paid for; the client has not seen it.
                evidence.server_message(log.elapsed(), seen(message));
                let denied = |call| ModelCall {
                    status: CallStatus::Denied,
                    error: Some(why.clone()),
                    ..call
                };
                calls.extend(evidence.take_calls().into_iter().map(denied));
            }
        }
        log.tool_uses(evidence.take_tool_uses());
        log.rate_limits(evidence.take_rate_limits());
        self.calls(calls);
    }

    fn pause(&mut self) -> Option<Pause> {
        if self.ledger.is_ready() {
            return None;
        }
        let ledger = self.ledger.clone();
        Some(Box::pin(async move { ledger.ready().await }))
    }

    fn revoked(&mut self) -> Option<Revoked> {
        self.revoked.take()
    }

    fn on_end(&mut self, ended: &Ended) {
        let Some((mut log, mut evidence)) = self.open.take() else { return };
        // A client that closes in order gives up what it still waits for; all else loses it.
        let gave_up = ended.close.clean && ended.close.by == Some(ws::Side::Client);
        let finished = log.contain(|log| {
            evidence.end(log.elapsed(), !gave_up);
            log.tool_uses(evidence.take_tool_uses());
            log.rate_limits(evidence.take_rate_limits());
            let (calls, read, _) = evidence.finish(log.elapsed(), !gave_up);
            let lost = calls.iter().any(|call| call.status == CallStatus::ConnectionLost);
            log.model_calls(calls);
            (read, lost)
        });
        let (read, lost) = finished.unwrap_or_default();
        let broke = log.broke();
        if broke.is_some() {
            // Its fault is recorded.
        } else if let Some(fault) = &ended.fault {
            // Every class of a tunnel is a word of the record's.
            let class = FaultClass::from_word(fault.class).unwrap_or(FaultClass::Reset);
            log.fault(side(fault.side), class, &fault.detail);
        } else if lost {
            log.fault(
                ended.close.by.map_or(Side::Proxy, side),
                FaultClass::Eof,
                "the connection ended inside a response",
            );
        }
        let told = || {
            closed(
                kind(ended.close.kind),
                ended.close.by.map(side),
                ended.close.code,
                Some(&*redact::text(&ended.close.reason)).filter(|reason| !reason.is_empty()),
            )
        };
        // Nobody ended a tunnel that was dropped.
        let cut = if ended.close.by.is_none() { log.cut() } else { broke };
        log.end(End {
            close: cut.unwrap_or_else(told),
            to_upstream: flow(ended.to_upstream),
            to_client: flow(ended.to_client),
            evidence: read,
        });
    }
}

/// The word of a Close for a message that could not be judged.
const UNINSPECTABLE: &str = "uninspectable";

/// Runs `read`, which looks at so many bytes: if they are many, while another thread takes over the
/// connections that would wait behind it.
pub(crate) fn aside<T>(bytes: u64, read: impl FnOnce() -> T) -> T {
    /// About a quarter of a millisecond of reading.
    const MANY: u64 = 128 * 1024;
    let many = bytes > MANY
        && Handle::try_current().is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::MultiThread);
    if many { block_in_place(read) } else { read() }
}

fn seen<'m>(message: &Message<'m>) -> Seen<'m> {
    Seen {
        payload: message.payload,
        binary: message.opcode == Opcode::Binary,
        truncated: message.truncated,
        len: message.len,
    }
}

fn refusal_of(ruling: &Ruling) -> Refusal {
    Refusal {
        word: ruling.rule.clone().unwrap_or_default(),
        reason: ruling.reason.clone().unwrap_or_default(),
    }
}

pub(crate) fn direction(from: Role) -> Direction {
    match from {
        Role::Client => Direction::ToUpstream,
        Role::Server => Direction::ToClient,
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn kind(kind: ws::CloseKind) -> CloseKind {
    match kind {
        ws::CloseKind::Normal => CloseKind::Normal,
        ws::CloseKind::Policy => CloseKind::Policy,
        ws::CloseKind::Peer => CloseKind::Peer,
        ws::CloseKind::Timeout => CloseKind::Timeout,
        ws::CloseKind::Error => CloseKind::Error,
    }
}

fn side(side: ws::Side) -> Side {
    match side {
        ws::Side::Client => Side::Client,
        ws::Side::Upstream => Side::Upstream,
        ws::Side::Proxy => Side::Proxy,
    }
}

fn flow(counters: Counters) -> Flow {
    Flow {
        wire_bytes: counters.wire_bytes,
        frames: counters.frames,
        messages: counters.messages,
        message_bytes: counters.message_bytes,
    }
}

#[cfg(test)]
mod tests;
