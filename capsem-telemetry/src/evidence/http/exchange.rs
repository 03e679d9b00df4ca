//! An exchange that asks a model: request body, response head, response body, each read when it can
//! be. Knows formats of bodies and status codes; what a body says, its dialect knows.

use std::time::Duration;

use crate::content::{Decoder, Reader};
use crate::sse::Splitter;
use crate::{Api, CallError, CallStatus, Evidence, EvidenceReason, Initiator, Transport};

use super::super::call::{Call, Context, Finished, call_error};
use super::super::dialect::Dialect;
use super::super::input::{Payload, RequestHead, ResponseHead};
use super::super::json;
use super::super::limits::Limits;
use super::super::tools::ToolMemory;
use super::body::{Format, Kept, Request, data, media};
use super::elements::Element;

#[derive(Debug)]
pub(super) struct Exchange {
    context: Context,
    pub(super) limits: Limits,
    dialect: Box<dyn Dialect>,
    capture: usize,
    request: Option<Request>,
    /// The status of the response, once its head has come.
    status: Option<u16>,
    decoder: Decoder,
    format: Format,
    /// The call, until it ends.
    call: Option<Call>,
    finished: Option<Finished>,
    evidence: Evidence,
}

impl Exchange {
    pub(super) fn new(
        context: Context,
        dialect: Box<dyn Dialect>,
        capture: usize,
        head: RequestHead<'_>,
    ) -> Self {
        let call = Call::new(&context, Initiator::Client, Duration::ZERO);
        let limits = Limits::new(context.exchange, context.attribution.provider);
        Self {
            context,
            limits,
            dialect,
            capture,
            request: Some(Request::new(head.content_encoding, capture)),
            status: None,
            decoder: Decoder::new(None, capture),
            format: Format::undecided(true, false, false),
            call: Some(call),
            finished: None,
            evidence: Evidence::FULL,
        }
    }

    pub(super) fn request_data(&mut self, now: Duration, data: &[u8]) {
        if let (Some(call), Some(Request { decoder, body })) = (&mut self.call, &mut self.request) {
            call.sent = now;
            decoder.push(data, &mut |plain, most| body.push(plain, most));
        }
    }

    pub(super) fn request_end(&mut self, now: Duration) {
        if let (Some(call), Some(Request { decoder, body })) = (&mut self.call, &mut self.request) {
            call.sent = now;
            decoder.finish(&mut |plain, most| body.push(plain, most));
            self.read_request();
        }
    }

    pub(super) fn response_head(&mut self, head: ResponseHead<'_>) {
        self.status = Some(head.status);
        self.limits.answered(head.status);
        self.decoder = Decoder::new(head.content_encoding, self.capture);
        if let Some(call) = &mut self.call {
            call.model_routed = head.openai_model.map(|model| json::bounded(model).to_owned());
        }
        let media = media(head.content_type);
        self.format = if media == "text/event-stream" {
            self.context.transport = Transport::Sse;
            Format::undecided(true, false, true)
        } else {
            let array =
                self.context.api == Api::GenerateContent && matches!(head.status, 200..=299);
            Format::undecided(!media.ends_with("json"), array, false)
        };
    }

    /// The model a header names; that of the shorter name goes before it.
    pub(super) fn routed_to(&mut self, model: &str) {
        if let Some(call) = &mut self.call {
            call.model_routed.get_or_insert_with(|| json::bounded(model).to_owned());
        }
    }

    /// What the service says of its own time in the head.
    pub(super) fn processed_in(&mut self, processing_ms: u64) {
        if let Some(call) = &mut self.call {
            call.timing.get_or_insert_default().processing_ms = Some(processing_ms);
        }
    }

    pub(super) fn response_data(&mut self, now: Duration, data: &[u8]) {
        self.read_response(now, |decoder, reader| decoder.push(data, reader));
    }

    pub(super) fn take_call(&mut self) -> Option<Finished> {
        self.finished.take()
    }

    /// How much of the exchange was read: as much as of its call.
    pub(super) fn evidence(&self) -> Evidence {
        self.evidence
    }

    /// Ends the exchange, and the call if its answer has not said that it ended.
    pub(super) fn finish(&mut self, now: Duration, complete: bool) {
        if complete {
            self.read_response(now, |decoder, reader| decoder.finish(reader));
        }
        if let Format::Undecided { events: false, .. } = self.format {
            self.format = Format::Whole(Kept::default()); // no byte of it could be read
        }
        self.read_request();
        self.end_of_events(now);
        let Some(mut call) = self.call.take() else { return };
        call.response_bytes = self.decoder.plain_bytes();
        if let Some(reason) = self.decoder.failed() {
            call.degrade(reason);
        }
        let status = match self.status {
            None => CallStatus::ConnectionLost,
            Some(200..=299) => self.outcome(&mut call, complete),
            Some(status) => {
                self.refusal(&mut call, status);
                CallStatus::Failed
            }
        };
        self.call = Some(call);
        self.end(now, status);
    }

    /// Ends the call, because its request was not let through.
    pub(super) fn denied(&mut self, now: Duration, why: &CallError) {
        if let (Some(call), Some(Request { decoder, body })) = (&mut self.call, &mut self.request) {
            decoder.finish(&mut |plain, most| body.push(plain, most));
            call.sent = now;
        }
        // What it brought has not reached the model, so it is not reported as if it had.
        self.context.tools = ToolMemory::default();
        self.read_request();
        if let Some(call) = &mut self.call {
            call.error = Some(why.clone());
        }
        self.end(now, CallStatus::Denied);
    }

    /// Reads the request into the call, whole or as far as it came.
    fn read_request(&mut self) {
        let Some(Request { decoder, body }) = self.request.take() else { return };
        let Some(call) = &mut self.call else { return };
        call.request_bytes = decoder.plain_bytes();
        if let Some(reason) = decoder.failed() {
            call.degrade(reason);
        }
        if decoder.failed().is_none() || !body.bytes.is_empty() {
            let body = body.payload(call.request_bytes);
            self.dialect.request(call, body);
            call.keep_request(body);
            call.match_results(&self.context);
        }
    }

    /// Takes what `decode` gives as the next of the response's body.
    fn read_response(&mut self, now: Duration, decode: impl FnOnce(&mut Decoder, &mut Reader<'_>)) {
        let Self { context, limits, dialect, decoder, format, call, .. } = self;
        let Some(call) = call else { return };
        let mut ended = None;
        decode(decoder, &mut |plain, most| {
            let came = plain.len();
            let plain = format.decide(plain, most);
            call.response_bytes += (came - plain.len()) as u64;
            match format {
                Format::Undecided { .. } => {}
                Format::Array(elements) => elements.push(plain, |element| {
                    let Element { json, truncated, len } = element;
                    let payload = Payload::new(json, len, truncated);
                    if ended.is_none() {
                        ended = read_event(&mut **dialect, call, limits, now, payload);
                    }
                }),
                Format::Whole(body) => return body.push(plain, most),
                Format::Events(splitter) => {
                    context.transport = Transport::Sse;
                    splitter.push(plain, |event| {
                        if ended.is_none() {
                            ended = read_event(&mut **dialect, call, limits, now, data(event));
                        }
                    });
                }
            }
            format.held()
        });
        if let Some(status) = ended {
            self.end(now, status);
        }
    }

    /// Reads the event a stream ends in without a blank line.
    fn end_of_events(&mut self, now: Duration) {
        let (Some(call), Format::Events(splitter)) = (&mut self.call, &mut self.format) else {
            return;
        };
        let mut ended = None;
        std::mem::replace(splitter, Splitter::new(0)).finish(|event| {
            ended = read_event(&mut *self.dialect, call, &mut self.limits, now, data(event));
        });
        if let Some(status) = ended {
            self.end(now, status);
        }
    }

    /// How a call ended whose response head said that all is well.
    fn outcome(&mut self, call: &mut Call, complete: bool) -> CallStatus {
        let said = match &self.format {
            Format::Events(_) => self.dialect.stream_ended(call),
            Format::Array(elements) => {
                if complete && !elements.ended() {
                    call.degrade(EvidenceReason::Unparsable);
                }
                self.dialect.stream_ended(call)
            }
            Format::Whole(body) if complete => {
                let said = match self.decoder.failed() {
                    Some(_) if body.bytes.is_empty() => None,
                    _ => {
                        let body = body.payload(call.response_bytes);
                        call.keep_event(body);
                        self.dialect.answer(call, body)
                    }
                };
                said.or_else(|| call.error.is_none().then_some(CallStatus::Completed))
            }
            Format::Whole(_) | Format::Undecided { .. } => None,
        };
        said.unwrap_or(match (&call.error, complete) {
            (Some(_), _) => CallStatus::Failed,
            // It broke off, though the connection did not: the provider said no more.
            (None, true) => CallStatus::Incomplete,
            (None, false) => CallStatus::ConnectionLost,
        })
    }

    /// Reads why a response of this status is no answer, and when to ask again. Its body may be anything;
    /// the status stands in for a code it does not give.
    fn refusal(&mut self, call: &mut Call, status: u16) {
        if let Format::Whole(body) = &self.format {
            let body = body.payload(call.response_bytes);
            call.keep_event(body);
            let body = body.raw();
            // Google wraps the errors of streamed arrays in an array.
            let mut first = None;
            body.elements(|element| {
                first.get_or_insert(element);
            });
            let body = first.unwrap_or(body);
            let error = body.member("error").unwrap_or(body);
            call.error = Some(call_error(error));
            self.limits.refusal(error);
        }
        let error = call.error.get_or_insert(CallError { code: None, message: None });
        error.code.get_or_insert_with(|| status.to_string());
    }

    fn end(&mut self, now: Duration, status: CallStatus) {
        if let Some(call) = self.call.take() {
            let finished = call.end(&self.context, now, status);
            self.evidence = finished.call.evidence;
            self.finished = Some(finished);
        }
    }
}

fn read_event(
    dialect: &mut dyn Dialect,
    call: &mut Call,
    limits: &mut Limits,
    now: Duration,
    event: Payload<'_>,
) -> Option<CallStatus> {
    call.response_bytes += event.len;
    call.keep_event(event);
    dialect.event(call, limits, now, event)
}
