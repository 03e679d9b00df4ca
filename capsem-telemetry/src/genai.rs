//! OpenTelemetry's GenAI conventions: a model call or a tool use as the attributes of its span. Knows
//! no exporter; what a host puts on a wire it takes from here.
//!
//! The conventions are in development and rename attributes between versions, so the names are in a
//! table by [`Version`]. Content is no attribute: prompts and outputs are opt-in there, and here they
//! are in [`Content`](crate::Content).

mod names;

pub use names::Version;

use crate::{Api, CallStatus, ModelCall, Protocol, Provider, ToolUse, Transport};

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A list of strings.
    Texts(Vec<String>),
    /// A whole number.
    Number(u64),
    /// Seconds.
    Seconds(f64),
    /// True or false.
    Truth(bool),
}

/// The name of the span of a call: what is done, and with which model.
///
/// Its kind is `CLIENT`.
pub fn span_name(call: &ModelCall) -> String {
    let model = call.model_requested.as_ref().or(call.model.as_ref());
    let operation = call.operation.as_str();
    model.map_or_else(|| operation.to_owned(), |model| format!("{operation} {model}"))
}

/// The attributes of a call's span, in the names of `version`. What is not known has none.
///
/// ```
/// use capsem_telemetry::genai::{Value, Version, attributes};
/// # use capsem_telemetry::{evidence::{HttpEvidence, RequestHead, Settings}, Id, attribute};
/// # let attribution = attribute("api.openai.com", "/v1/responses");
/// # let head = RequestHead { method: "POST", ..RequestHead::default() };
/// # let exchange = HttpEvidence::new(Settings::new(Id::fresh(), attribution, 1024), head);
/// # let call = &exchange.finish(std::time::Duration::ZERO, true).0[0];
/// let attributes = attributes(call, Version::LATEST);
/// assert!(attributes.contains(&("gen_ai.provider.name", Value::Text("openai".to_owned()))));
/// ```
pub fn attributes(call: &ModelCall, version: Version) -> Vec<(&'static str, Value)> {
    let names = version.names();
    let mut span = Span(Vec::new());
    span.text(names.operation, Some(call.operation.as_str()));
    span.text(names.provider, provider(call));
    span.text(names.request_model, call.model_requested.as_deref());
    span.text(names.previous_response, call.previous_response_id.as_deref());
    let streams = call.transport != Transport::Http;
    span.put(names.request_stream, Some(Value::Truth(streams)));
    span.text(names.response_id, call.response_id.as_deref());
    span.text(names.response_model, call.model.as_deref());
    let reasons = call.stop_reason.as_ref().map(|reason| vec![reason.clone()]);
    span.put(names.finish_reasons, reasons.map(Value::Texts));
    span.text(names.response_status, Some(call.status.as_str()));
    span.put(names.first_chunk, call.time_to_first_token_ms.map(seconds));
    if let Some(usage) = &call.usage {
        span.number(names.input_tokens, usage.input_tokens);
        span.number(names.output_tokens, usage.output_tokens);
        span.number(names.cache_read, usage.cached_input_tokens);
        span.number(names.cache_write, usage.cache_write_tokens);
        span.number(names.reasoning, usage.reasoning_tokens);
        span.number(names.audio_input, usage.audio_input_tokens);
        span.number(names.audio_output, usage.audio_output_tokens);
    }
    span.text(names.openai_api, openai_api(call.api));
    span.text(names.error, error(call).as_deref());
    span.0
}

/// The attributes of the span of a tool that was called over MCP.
pub fn tool_attributes(tool: &ToolUse, version: Version) -> Vec<(&'static str, Value)> {
    let names = version.names();
    let mut span = Span(Vec::new());
    span.text(names.operation, Some("execute_tool"));
    span.text(names.tool_name, tool.name.as_deref());
    span.text(names.mcp_method, Some("tools/call"));
    span.text(names.rpc_request, tool.request_id.as_deref());
    let failed = match (tool.status, &tool.error) {
        (CallStatus::Completed, _) => (tool.is_error == Some(true)).then_some("tool_error"),
        (_, Some(error)) if error.code.is_some() => error.code.as_deref(),
        (status, _) => Some(status.as_str()),
    };
    span.text(names.error, failed);
    span.0
}

struct Span(Vec<(&'static str, Value)>);

impl Span {
    /// Adds an attribute that is known and that the version has a name for.
    fn put(&mut self, name: Option<&'static str>, value: Option<Value>) {
        if let (Some(name), Some(value)) = (name, value) {
            self.0.push((name, value));
        }
    }

    fn text(&mut self, name: Option<&'static str>, value: Option<&str>) {
        self.put(name, value.map(|value| Value::Text(value.to_owned())));
    }

    fn number(&mut self, name: Option<&'static str>, value: Option<u64>) {
        self.put(name, value.map(Value::Number));
    }
}

/// Who serves the call, in the conventions' words; of a gateway, whose words it speaks.
fn provider(call: &ModelCall) -> Option<&'static str> {
    const GOOGLE: &str = "gcp.gen_ai"; // whichever of its endpoints
    match (call.provider, call.protocol) {
        (Provider::Google, _) | (Provider::Unknown, Some(Protocol::Google)) => Some(GOOGLE),
        (Provider::Unknown, protocol) => protocol.map(Protocol::as_str),
        (provider, _) => Some(provider.as_str()),
    }
}

fn openai_api(api: Option<Api>) -> Option<&'static str> {
    match api? {
        api @ (Api::Responses | Api::ChatCompletions) => Some(api.as_str()),
        _ => None,
    }
}

/// Why a call did not do well; a limit the model stopped at is no error, nor a call taken back.
fn error(call: &ModelCall) -> Option<String> {
    match call.status {
        CallStatus::Completed | CallStatus::Incomplete | CallStatus::Cancelled => None,
        status @ (CallStatus::Failed | CallStatus::Denied | CallStatus::ConnectionLost) => {
            let code = call.error.as_ref().and_then(|error| error.code.clone());
            Some(code.unwrap_or_else(|| status.as_str().to_owned()))
        }
    }
}

/// Milliseconds are far below 2^53, up to where a double is exact.
#[allow(clippy::cast_precision_loss)]
fn seconds(milliseconds: u64) -> Value {
    Value::Seconds(milliseconds as f64 / 1000.0)
}

#[cfg(test)]
mod tests;
