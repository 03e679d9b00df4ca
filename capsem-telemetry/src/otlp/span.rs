//! A model call as a span. Knows no attribute: those are [`genai`](crate::genai)'s.

use std::hash::{BuildHasher, RandomState};

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use crate::genai::{Value, Version, attributes, span_name};
use crate::{CallStatus, Id, ModelCall, Timestamp};

/// The trace flag of W3C's Trace Context that says: sampled.
const SAMPLED: u32 = 1;

/// The span of a call that ended `at` this time.
pub(super) fn of(call: &ModelCall, at: Timestamp, names: &Names) -> Span {
    let end = u64::try_from(at.unix_micros()).unwrap_or(0).saturating_mul(1000);
    let attributes = attributes(call, Version::LATEST);
    Span {
        trace_id: names.trace(call.exchange).to_vec(),
        span_id: names.span(call.call).to_vec(),
        flags: SAMPLED,
        name: span_name(call),
        kind: SpanKind::Client.into(),
        start_time_unix_nano: end.saturating_sub(call.duration_ms.saturating_mul(1_000_000)),
        end_time_unix_nano: end,
        attributes: attributes.into_iter().map(|(name, value)| attribute(name, value)).collect(),
        status: Some(Status { code: code(call.status).into(), ..Status::default() }),
        ..Span::default()
    }
}

/// One attribute.
pub(super) fn attribute(name: &str, value: Value) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

fn any(value: Value) -> AnyValue {
    use any_value::Value as Any;
    let value = match value {
        Value::Text(text) => Any::StringValue(text),
        Value::Texts(texts) => {
            let values = texts.into_iter().map(|text| any(Value::Text(text))).collect();
            Any::ArrayValue(ArrayValue { values })
        }
        Value::Number(number) => Any::IntValue(i64::try_from(number).unwrap_or(i64::MAX)),
        Value::Seconds(seconds) => Any::DoubleValue(seconds),
        Value::Truth(truth) => Any::BoolValue(truth),
    };
    AnyValue { value: Some(value) }
}

/// A call that was stopped, by a limit or by who asked, is no error; one that went well is not said
/// to be `Ok`, which the specification leaves to people.
fn code(status: CallStatus) -> StatusCode {
    match status {
        CallStatus::Completed | CallStatus::Incomplete | CallStatus::Cancelled => StatusCode::Unset,
        CallStatus::Failed | CallStatus::Denied | CallStatus::ConnectionLost => StatusCode::Error,
    }
}

/// How exchanges and calls become traces and spans: the ids of the ledger, then digits of a hash, so
/// that no two processes share a trace and samplers, which look at the end, see random digits.
#[derive(Debug)]
pub(super) struct Names {
    keys: RandomState,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { keys: RandomState::new() }
    }

    /// The calls of one exchange are one trace, whose id begins with the exchange's.
    fn trace(&self, exchange: Id) -> [u8; 16] {
        self.padded(exchange)
    }

    /// The id of a span begins with the call's.
    fn span(&self, call: Id) -> [u8; 8] {
        self.padded(call)
    }

    fn padded<const N: usize>(&self, id: Id) -> [u8; N] {
        let hashes = [0_u8, 1].map(|part| self.keys.hash_one((part, id)).to_be_bytes());
        let mut bytes = id.bytes().into_iter().chain(hashes.concat());
        std::array::from_fn(|_| bytes.next().unwrap_or_default())
    }
}
