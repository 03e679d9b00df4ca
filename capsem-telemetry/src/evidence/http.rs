//! One HTTP exchange: whether it asks a model anything, and if so the call it is; whether it calls a
//! tool over MCP. Knows methods and operations; what the bodies say, a dialect or MCP knows.

use std::time::Duration;

use crate::{
    Attribution, CallError, Evidence, EvidenceReason, ModelCall, Operation, RateLimits, ToolUse,
    Transport,
};

use super::call::{Context, Finished};
use super::dialect::dialect;
use super::input::{RequestHead, ResponseHead, Settings};
use super::limits::{Limits, amount};

mod body;
mod elements;
mod exchange;
mod rpc;

use exchange::Exchange;
use rpc::Rpc;

/// Reads the model call of one HTTP exchange.
///
/// Feed it what goes by, in the order it goes by: the request's body and end, the response's head
/// and body, and then [`finish`](Self::finish). Of an exchange that asks no model anything, and calls no
/// tool over MCP, it keeps nothing once its request has shown that.
///
/// ```
/// use std::time::Duration;
/// use capsem_telemetry::evidence::{HttpEvidence, RequestHead, ResponseHead, Settings};
/// use capsem_telemetry::{CallStatus, Id, attribute};
///
/// let attribution = attribute("api.openai.com", "/v1/responses");
/// let settings = Settings::new(Id::fresh(), attribution, 1 << 20);
/// let mut exchange = HttpEvidence::new(
///     settings,
///     RequestHead { method: "POST", ..RequestHead::default() },
/// );
/// let at = Duration::from_millis;
/// exchange.request_data(at(1), br#"{"model":"m-1","input":"hello"}"#);
/// exchange.request_end(at(2));
/// exchange.response_head(ResponseHead { status: 200, ..ResponseHead::default() });
/// exchange.response_data(at(9), br#"{"id":"resp_1","status":"completed","output":[]}"#);
/// let (calls, _, total) = exchange.finish(at(9), true);
/// assert_eq!((calls[0].status, total), (CallStatus::Completed, 1));
/// ```
#[derive(Debug)]
pub struct HttpEvidence(Reading);

#[derive(Debug)]
enum Reading {
    /// It is with no model API, and not of MCP.
    Stranger,
    /// No model is asked. The evidence is that of an exchange read whole, or none at all.
    Nothing(Evidence, Limits),
    Call(Box<Exchange>),
    /// Its path says nothing; its body may be of MCP.
    Rpc(Box<Rpc>),
}

impl HttpEvidence {
    /// Begins with the request's head.
    pub fn new(settings: Settings, request: RequestHead<'_>) -> Self {
        let Attribution { api, operation, .. } = settings.attribution;
        let (Some(api), Some(operation)) = (api, operation) else {
            let rpc = Rpc::new(settings, request);
            return Self(rpc.map_or(Reading::Stranger, |rpc| Reading::Rpc(Box::new(rpc))));
        };
        let limits = Limits::new(settings.exchange, settings.attribution.provider);
        // Compaction runs a model too and is paid for; reading a response again is not a call.
        let asks = operation.is_inference() || operation == Operation::Compact;
        if !asks || request.method != "POST" {
            return Self(Reading::Nothing(Evidence::FULL, limits));
        }
        let Some(dialect) = dialect(api) else {
            let reason = EvidenceReason::UnknownSchema;
            return Self(Reading::Nothing(Evidence::none(reason), limits));
        };
        let capture = settings.capture;
        let context = Context::new(settings, Transport::Http, api, operation);
        let exchange = Exchange::new(context, dialect, capture, request);
        Self(Reading::Call(Box::new(exchange)))
    }

    /// Reads a piece of the request's body.
    pub fn request_data(&mut self, now: Duration, data: &[u8]) {
        match &mut self.0 {
            Reading::Stranger | Reading::Nothing(..) => {}
            Reading::Call(exchange) => exchange.request_data(now, data),
            Reading::Rpc(rpc) => rpc.request_data(data),
        }
    }

    /// The request has been sent whole.
    pub fn request_end(&mut self, now: Duration) {
        match &mut self.0 {
            Reading::Stranger | Reading::Nothing(..) => {}
            Reading::Call(exchange) => exchange.request_end(now),
            Reading::Rpc(rpc) => rpc.request_end(now),
        }
    }

    /// Reads the head of the final response.
    pub fn response_head(&mut self, head: ResponseHead<'_>) {
        match &mut self.0 {
            Reading::Stranger => {}
            Reading::Nothing(_, limits) => limits.answered(head.status),
            Reading::Call(exchange) => exchange.response_head(head),
            Reading::Rpc(rpc) => rpc.response_head(head),
        }
    }

    /// Reads the headers of the final response, after its head, for what they say of rate limits, of
    /// the service's own time, and of the model where `openai-model` has a longer name. What else is
    /// among them is passed over.
    pub fn response_headers<'h>(&mut self, headers: impl IntoIterator<Item = (&'h str, &'h str)>) {
        let (mut processing, mut model) = (None, None);
        let headers = headers.into_iter().inspect(|(name, value)| {
            if name.eq_ignore_ascii_case("openai-processing-ms") {
                processing = amount(value);
            } else if name.eq_ignore_ascii_case("x-openai-model") {
                model = Some(*value);
            }
        });
        match &mut self.0 {
            Reading::Stranger | Reading::Rpc(_) => {}
            Reading::Nothing(_, limits) => limits.headers(headers),
            Reading::Call(exchange) => {
                exchange.limits.headers(headers);
                if let Some(processing) = processing {
                    exchange.processed_in(processing.whole());
                }
                if let Some(model) = model {
                    exchange.routed_to(model);
                }
            }
        }
    }

    /// What the service said of rate limits since this was last asked.
    pub fn take_rate_limits(&mut self) -> Vec<RateLimits> {
        match &mut self.0 {
            Reading::Stranger | Reading::Rpc(_) => Vec::new(),
            Reading::Nothing(_, limits) => limits.take(),
            Reading::Call(exchange) => exchange.limits.take(),
        }
    }

    /// Reads a piece of the response's body.
    pub fn response_data(&mut self, now: Duration, data: &[u8]) {
        match &mut self.0 {
            Reading::Stranger | Reading::Nothing(..) => {}
            Reading::Call(exchange) => exchange.response_data(now, data),
            Reading::Rpc(rpc) => rpc.response_data(now, data),
        }
    }

    /// The call, if it has ended and was not taken yet.
    pub fn take_calls(&mut self) -> Vec<ModelCall> {
        match &mut self.0 {
            Reading::Stranger | Reading::Nothing(..) | Reading::Rpc(_) => Vec::new(),
            Reading::Call(exchange) => exchange.take_call().into_iter().map(call).collect(),
        }
    }

    /// The same with the bytes it was read from, where [`Settings::raw`] asks for them.
    pub fn take_finished(&mut self) -> Vec<Finished> {
        match &mut self.0 {
            Reading::Stranger | Reading::Nothing(..) | Reading::Rpc(_) => Vec::new(),
            Reading::Call(exchange) => exchange.take_call().into_iter().collect(),
        }
    }

    /// The tool uses that have ended since this was last asked; only MCP has any.
    pub fn take_tool_uses(&mut self) -> Vec<ToolUse> {
        match &mut self.0 {
            Reading::Stranger | Reading::Nothing(..) | Reading::Call(_) => Vec::new(),
            Reading::Rpc(rpc) => rpc.take_tool_uses(),
        }
    }

    /// Says that the request was not let through, and why: its call, or its tool use, ends as
    /// `denied`. `false` if it asks for nothing that leaves a record.
    pub fn denied(&mut self, now: Duration, why: &CallError) -> bool {
        match &mut self.0 {
            Reading::Stranger | Reading::Nothing(..) => false,
            Reading::Call(exchange) => {
                exchange.denied(now, why);
                true
            }
            Reading::Rpc(rpc) => rpc.denied(now, why),
        }
    }

    /// Ends what is open, so that the last of it can be taken before [`finish`](Self::finish).
    pub fn end(&mut self, now: Duration, complete: bool) {
        match &mut self.0 {
            Reading::Stranger | Reading::Nothing(..) => {}
            Reading::Call(exchange) => exchange.finish(now, complete),
            Reading::Rpc(rpc) => rpc.finish(now, complete),
        }
    }

    /// Ends with the exchange; `complete` if the response came to its end.
    ///
    /// Returns the call if not yet taken, how much of the exchange was read (nothing to say where
    /// it is with no model API and not of MCP), and how many calls there were.
    pub fn finish(self, now: Duration, complete: bool) -> (Vec<ModelCall>, Option<Evidence>, u64) {
        match self.0 {
            Reading::Stranger => (Vec::new(), None, 0),
            Reading::Nothing(evidence, _) => (Vec::new(), Some(evidence), 0),
            Reading::Call(mut exchange) => {
                exchange.finish(now, complete);
                let last = exchange.take_call().into_iter().map(call).collect();
                (last, Some(exchange.evidence()), 1)
            }
            Reading::Rpc(mut rpc) => {
                rpc.finish(now, complete);
                (Vec::new(), rpc.evidence(), 0)
            }
        }
    }
}

fn call(finished: Finished) -> ModelCall {
    finished.call
}
