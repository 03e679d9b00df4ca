//! Spans as the request a collector takes, and what its answer says. Knows no span's meaning.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::span::attribute;
use crate::genai::Value;

/// Spans in one message.
#[derive(Debug)]
pub struct Batch {
    spans: u64,
    body: Vec<u8>,
}

impl Batch {
    /// How many spans it has; never none.
    pub fn spans(&self) -> u64 {
        self.spans
    }

    /// An `ExportTraceServiceRequest` in protobuf: the body of a POST to `/v1/traces`, of media type
    /// `application/x-protobuf`.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// How many spans were taken by a collector that answered 200 with this body: it may reject
    /// some of them. An answer that cannot be read rejects none.
    pub fn taken(&self, answer: &[u8]) -> u64 {
        let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
        self.spans.saturating_sub(u64::try_from(rejected).unwrap_or(0))
    }
}

/// What goes around the spans of every batch.
#[derive(Debug)]
pub(super) struct Envelope {
    resource: Vec<KeyValue>,
    scope: InstrumentationScope,
}

impl Envelope {
    pub(super) fn new(service: &str, version: &str) -> Self {
        let text = |name, value: &str| attribute(name, Value::Text(value.to_owned()));
        Self {
            resource: vec![text("service.name", service), text("service.version", version)],
            scope: InstrumentationScope {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ..InstrumentationScope::default()
            },
        }
    }

    pub(super) fn seal(&self, spans: Vec<Span>) -> Batch {
        let count = spans.len() as u64;
        let scope = Some(self.scope.clone());
        let scope_spans = vec![ScopeSpans { scope, spans, ..ScopeSpans::default() }];
        let resource = Resource { attributes: self.resource.clone(), ..Resource::default() };
        let resource = Some(resource);
        let all = ResourceSpans { resource, scope_spans, ..ResourceSpans::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![all] };
        Batch { spans: count, body: request.encode_to_vec() }
    }
}
