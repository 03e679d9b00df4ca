//! What a tunnel tells the ledger: its messages as evidence, its end as `ended`.

use crate::{
    decide::decide,
    proxy::Context,
    record::{End, ExchangeLog, closed},
    request::Intent,
    rules::Followed,
    ws::{self, Ended, Pause, Refusal, Revoked, Session},
};
use capsem_telemetry::{
    Attribution, CallStatus, CloseKind, FaultClass, Flow, Ledger, Side,
    evidence::{Seen, WsEvidence},
    redact,
};
use capsem_ws_codec::{Counters, Message, Opcode, Role};
use std::sync::Arc;

/// What a socket was allowed for, and the policy that may change its mind.
pub(crate) struct Standing {
    pub(crate) intent: Intent,
    pub(crate) attribution: Attribution,
    pub(crate) policy: Followed,
}

impl Standing {
    /// Resolves once a policy is in force that would not let the upgrade through.
    async fn revoked(mut self, cx: Arc<Context>) -> Refusal {
        loop {
            self.policy.changed().await;
            let policy = self.policy.current();
            let decision = decide(&*policy, &cx.reach, &self.intent, &self.attribution);
            if decision.outcome.is_err() {
                let reason = decision.reason.unwrap_or_default();
                return Refusal { word: decision.rule.unwrap_or_default(), reason };
            }
        }
    }
}

/// The [`Session`] of the proxy's own tunnels.
pub(crate) struct Tap {
    ledger: Ledger,
    /// Both are there until the tunnel ends.
    open: Option<(ExchangeLog, WsEvidence)>,
    revoked: Option<Revoked>,
}

impl Tap {
    pub(crate) fn new(log: ExchangeLog, standing: Standing, cx: &Arc<Context>) -> Self {
        let settings = cx.evidence(log.id(), standing.attribution.clone());
        let ledger = log.ledger().clone();
        let revoked: Revoked = Box::pin(standing.revoked(Arc::clone(cx)));
        Self { ledger, open: Some((log, WsEvidence::new(settings))), revoked: Some(revoked) }
    }
}

impl Session for Tap {
    fn on_message(&mut self, from: Role, message: &Message<'_>) {
        let Some((log, evidence)) = &mut self.open else { return };
        let seen = Seen {
            payload: message.payload,
            binary: message.opcode == Opcode::Binary,
            truncated: message.truncated,
            len: message.len,
        };
        match from {
            Role::Client => evidence.client_message(log.elapsed(), seen),
            Role::Server => evidence.server_message(log.elapsed(), seen),
        }
        log.model_calls(evidence.take_calls());
        log.tool_uses(evidence.take_tool_uses());
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
        evidence.end(log.elapsed(), !gave_up);
        log.tool_uses(evidence.take_tool_uses());
        let (calls, read, _) = evidence.finish(log.elapsed(), !gave_up);
        let lost = calls.iter().any(|call| call.status == CallStatus::ConnectionLost);
        log.model_calls(calls);
        if let Some(fault) = &ended.fault {
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
        log.end(End {
            close: closed(
                kind(ended.close.kind),
                ended.close.by.map(side),
                ended.close.code,
                Some(&*redact::text(&ended.close.reason)).filter(|reason| !reason.is_empty()),
            ),
            to_upstream: flow(ended.to_upstream),
            to_client: flow(ended.to_client),
            evidence: read,
        });
    }
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
