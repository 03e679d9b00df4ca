//! What a tunnel tells the ledger: its messages as evidence, its end as `ended`.

use crate::{
    proxy::Context,
    record::{End, ExchangeLog, closed},
    ws::{self, Ended, Pause, Session},
};
use capsem_telemetry::{
    Attribution, CallStatus, CloseKind, FaultClass, Flow, Ledger, Side,
    evidence::{Seen, WsEvidence},
    redact,
};
use capsem_ws_codec::{Counters, Message, Opcode, Role};

/// The [`Session`] of the proxy's own tunnels.
pub(crate) struct Tap {
    ledger: Ledger,
    /// Both are there until the tunnel ends.
    open: Option<(ExchangeLog, WsEvidence)>,
}

impl Tap {
    pub(crate) fn new(log: ExchangeLog, attribution: Attribution, cx: &Context) -> Self {
        let settings = cx.evidence(log.id(), attribution);
        let ledger = log.ledger().clone();
        Self { ledger, open: Some((log, WsEvidence::new(settings))) }
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
