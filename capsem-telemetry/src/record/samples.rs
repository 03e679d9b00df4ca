//! Records for tests: one of each kind, and any number of small ones.

use super::*;
use crate::{Api, Id, Operation, Protocol, Provider};

/// An id of a chosen value.
pub(crate) fn id(value: u32) -> Id {
    format!("{value:012x}").parse().expect("twelve digits")
}

/// A small record that can be told from others by its number.
pub(crate) fn numbered(number: u64) -> Record {
    Record::Closed(Closed { conn: id(1), exchanges: number, duration_ms: 0 })
}

/// The number of a [`numbered`] record; none for any other.
pub(crate) fn number(record: &Record) -> Option<u64> {
    match record {
        Record::Closed(closed) => Some(closed.exchanges),
        _ => None,
    }
}

/// One record of each kind, as one exchange with one model call makes them.
pub(crate) fn session() -> Vec<Record> {
    vec![
        Record::Opened(Opened {
            conn: id(1),
            listener: Listener::Proxy,
            peer: Some("127.0.0.1:5000".to_owned()),
        }),
        Record::Decided(Box::new(decided())),
        Record::Responded(Responded {
            exchange: id(2),
            status: 101,
            by: Side::Upstream,
            extensions: Some("permessage-deflate".to_owned()),
            subprotocol: None,
            upstream_addr: Some(([192, 0, 2, 7], 443).into()),
        }),
        Record::ModelCall(Box::new(model_call())),
        Record::ToolUse(Box::new(tool_use())),
        Record::RateLimits(Box::new(rate_limits())),
        Record::Fault(Fault {
            conn: Some(id(1)),
            exchange: Some(id(2)),
            side: Side::Upstream,
            class: FaultClass::Eof,
            detail: None,
        }),
        Record::Ended(Box::new(Ended {
            exchange: id(2),
            close: Close {
                kind: CloseKind::Normal,
                by: Some(Side::Client),
                code: Some(1000),
                reason: Some("bye".to_owned()),
            },
            to_upstream: Some(Flow { wire_bytes: 900, frames: 3, messages: 2, message_bytes: 800 }),
            to_client: Some(Flow { wire_bytes: 7000, frames: 9, messages: 8, message_bytes: 6900 }),
            model_calls: 1,
            duration_ms: 650,
            evidence: Some(Evidence::FULL),
        })),
        Record::Closed(Closed { conn: id(1), exchanges: 1, duration_ms: 700 }),
    ]
}

pub(crate) fn decided() -> Decided {
    Decided {
        conn: id(1),
        exchange: id(2),
        transport: Transport::Websocket,
        method: Some("GET".to_owned()),
        scheme: Some("wss".to_owned()),
        host: Some("api.openai.com".to_owned()),
        port: Some(443),
        path: Some("/v1/responses".to_owned()),
        query: None,
        provider: Provider::OpenAi,
        protocol: Some(Protocol::OpenAi),
        api: Some(Api::Responses),
        decision: Decision::Allowed,
        action: Some(Action::Allow),
        rule: Some("openai".to_owned()),
        reason: None,
        process: Some("codex".to_owned()),
        credential_ref: None,
        subprotocols: vec!["realtime".to_owned()],
    }
}

pub(crate) fn model_call() -> ModelCall {
    ModelCall {
        exchange: id(2),
        transport: Transport::Websocket,
        call: id(3),
        provider: Provider::OpenAi,
        protocol: Some(Protocol::OpenAi),
        api: Some(Api::Responses),
        operation: Operation::Chat,
        model_requested: Some("gpt-5".to_owned()),
        model: Some("gpt-5-2026".to_owned()),
        response_id: Some("resp_1".to_owned()),
        previous_response_id: None,
        stream_id: None,
        initiator: Initiator::Client,
        warmup: false,
        status: CallStatus::Completed,
        stop_reason: None,
        error: None,
        usage: Some(Usage {
            input_tokens: Some(120),
            output_tokens: Some(30),
            cached_input_tokens: Some(0),
            ..Usage::default()
        }),
        tool_calls: vec![ToolCall {
            call_id: Some("call_1".to_owned()),
            name: Some("shell".to_owned()),
            kind: "function_call".to_owned(),
            cancelled: false,
        }],
        tool_results: vec![ToolResult {
            call_id: Some("call_0".to_owned()),
            is_error: None,
            name: Some("shell".to_owned()),
            answers: Some(id(9)),
        }],
        request_bytes: 780,
        response_bytes: 6800,
        time_to_first_token_ms: Some(210),
        duration_ms: 600,
        server_timing: Some(ServerTiming { engine_ms: Some(580), ..ServerTiming::default() }),
        safety: vec!["trusted_access_for_cyber".to_owned()],
        content: None,
        evidence: Evidence::FULL,
    }
}

pub(crate) fn tool_use() -> ToolUse {
    ToolUse {
        exchange: id(2),
        transport: Transport::Websocket,
        call: id(4),
        server: Some("tickets".to_owned()),
        request_id: Some("7".to_owned()),
        name: Some("find".to_owned()),
        status: CallStatus::Completed,
        is_error: Some(false),
        error: None,
        request_bytes: 90,
        response_bytes: 60,
        duration_ms: 12,
        content: Some(Content { request: "{}".to_owned(), response: String::new(), cut: false }),
        evidence: Evidence::FULL,
    }
}

pub(crate) fn rate_limits() -> RateLimits {
    let primary = RateLimit {
        used_percent: Amount::new(41.5),
        window_minutes: Some(300),
        resets_at: "2026-11-23T12:00:00Z".parse().ok(),
        ..RateLimit::new("codex-primary".to_owned())
    };
    let tokens = RateLimit {
        limit: Amount::new(150_000.0),
        remaining: Amount::new(149_984.0),
        resets_in_ms: Some(6),
        status: Some("allowed".to_owned()),
        ..RateLimit::new("tokens".to_owned())
    };
    RateLimits {
        exchange: id(2),
        provider: Provider::OpenAi,
        source: LimitSource::Event,
        plan: Some("pro".to_owned()),
        limits: vec![primary, tokens],
        evidence: Evidence::FULL,
    }
}

/// Records of judgements, which not every session has.
pub(crate) fn judgements() -> [Record; 3] {
    let refused = Refused {
        exchange: id(2),
        direction: Direction::ToUpstream,
        action: Action::Block,
        rule: Some("no-large-models".to_owned()),
        reason: Some("too dear".to_owned()),
        model: Some("gpt-5-pro".to_owned()),
        bytes: 90,
    };
    let asked = Asked {
        conn: id(1),
        exchange: id(2),
        on: Event::Message,
        rule: Some("ask-first".to_owned()),
        answer: Answer::Allow,
        duration_ms: 1500,
    };
    let detected = Detected {
        exchange: id(2),
        on: Event::Upgrade,
        rule: "watch".to_owned(),
        level: "low".to_owned(),
        reason: None,
    };
    [
        Record::Refused(Box::new(refused)),
        Record::Asked(Box::new(asked)),
        Record::Detected(Box::new(detected)),
    ]
}
