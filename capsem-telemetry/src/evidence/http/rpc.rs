//! An exchange on a path of no model API that may be of MCP: a POST of JSON, whose answer is JSON or
//! events. Knows formats of bodies and status codes; what a message says, MCP knows.

use std::time::Duration;

use crate::content::{Decoder, Reader};
use crate::sse::Splitter;
use crate::{Api, CallError, CallStatus, Evidence, Operation, ToolUse, Transport};

use super::super::call::{Context, call_error};
use super::super::input::{Payload, RequestHead, ResponseHead, Settings};
use super::super::log::Interpreter as _;
use super::super::mcp::Mcp;
use super::super::shape;
use super::body::{Format, Kept, Request, data, media};

/// Such an exchange. Once its request has shown to be something else nothing is kept.
#[derive(Debug)]
pub(super) struct Rpc {
    capture: usize,
    state: State,
    /// The status of the response, once its head has come.
    status: Option<u16>,
    decoder: Decoder,
    format: Format,
}

#[derive(Debug)]
enum State {
    /// The request is on its way.
    Asking(Request, Settings),
    Known(Mcp),
    Stranger,
}

impl Rpc {
    /// `None` if it can be none.
    pub(super) fn new(settings: Settings, head: RequestHead<'_>) -> Option<Self> {
        let json = head.method == "POST" && media(head.content_type).ends_with("json");
        json.then(|| {
            let capture = settings.capture;
            let request = Request::new(head.content_encoding, capture);
            Self {
                capture,
                state: State::Asking(request, settings),
                status: None,
                decoder: Decoder::new(None, capture),
                format: Format::undecided(true, false, false),
            }
        })
    }

    pub(super) fn request_data(&mut self, bytes: &[u8]) {
        let State::Asking(Request { decoder, body }, _) = &mut self.state else { return };
        decoder.push(bytes, &mut |plain, most| {
            let begun = !body.bytes.is_empty();
            body.push(if begun { plain } else { plain.trim_ascii_start() }, most)
        });
        if body.bytes.first().is_some_and(|first| !matches!(first, b'{' | b'[')) {
            self.state = State::Stranger;
        }
    }

    /// The request has come, whole or as far as it ever will.
    pub(super) fn request_end(&mut self, now: Duration) {
        let (mut request, settings) = match std::mem::replace(&mut self.state, State::Stranger) {
            State::Asking(request, settings) => (request, settings),
            state => {
                self.state = state;
                return;
            }
        };
        let Request { decoder, body } = &mut request;
        decoder.finish(&mut |plain, most| body.push(plain, most));
        let message = body.payload(decoder.plain_bytes());
        if !shape::is_mcp(message) {
            return;
        }
        let context = Context::new(settings, Transport::Http, Api::Mcp, Operation::ExecuteTool);
        let mut mcp = Mcp::new(context);
        mcp.client(now, message);
        if let Some(reason) = decoder.failed() {
            mcp.unreadable(reason);
        }
        self.state = State::Known(mcp);
    }

    pub(super) fn response_head(&mut self, head: ResponseHead<'_>) {
        self.status = Some(head.status);
        self.decoder = Decoder::new(head.content_encoding, self.capture);
        let media = media(head.content_type);
        let told = media == "text/event-stream";
        let events = !media.ends_with("json");
        self.format = Format::undecided(events, false, told);
    }

    pub(super) fn response_data(&mut self, now: Duration, bytes: &[u8]) {
        // Who answers has heard enough.
        self.request_end(now);
        self.read_response(now, |decoder, reader| decoder.push(bytes, reader));
    }

    pub(super) fn take_tool_uses(&mut self) -> Vec<ToolUse> {
        match &mut self.state {
            State::Known(mcp) => mcp.log().take_tool_uses(),
            State::Asking(..) | State::Stranger => Vec::new(),
        }
    }

    /// How much of it was read, if it is of MCP.
    pub(super) fn evidence(&mut self) -> Option<Evidence> {
        match &mut self.state {
            State::Known(mcp) => Some(mcp.log().evidence()),
            State::Asking(..) | State::Stranger => None,
        }
    }

    /// Ends the exchange, and what is open if its answer has not ended it.
    pub(super) fn finish(&mut self, now: Duration, complete: bool) {
        self.request_end(now);
        if complete {
            self.read_response(now, |decoder, reader| decoder.finish(reader));
        }
        let Self { state: State::Known(mcp), format, decoder, status, .. } = self else { return };
        if let Format::Events(splitter) = format {
            std::mem::replace(splitter, Splitter::new(0)).finish(|it| said(mcp, now, data(it)));
        }
        if let Some(reason) = decoder.failed() {
            mcp.unreadable(reason);
        }
        let whole = match format {
            Format::Whole(body) if complete && !body.bytes.is_empty() => {
                Some(body.payload(decoder.plain_bytes()))
            }
            _ => None,
        };
        match *status {
            Some(status) if !matches!(status, 200..=299) => {
                mcp.refused(now, &refusal(whole, status), whole);
            }
            _ => {
                if let Some(message) = whole {
                    mcp.server(now, message);
                }
            }
        }
        mcp.end_all(now, CallStatus::ConnectionLost);
        // Whoever ends it again finds nothing more.
        (*decoder, *format) = (Decoder::new(None, 0), Format::Whole(Kept::default()));
    }

    /// Ends what is open, because its request was not let through. False if there is nothing.
    pub(super) fn denied(&mut self, now: Duration, why: &CallError) -> bool {
        self.request_end(now);
        let State::Known(mcp) = &mut self.state else { return false };
        mcp.end_denied(now, why)
    }

    /// Takes what `decode` gives as the next of the response's body.
    fn read_response(&mut self, now: Duration, decode: impl FnOnce(&mut Decoder, &mut Reader<'_>)) {
        let Self { state: State::Known(mcp), decoder, format, .. } = self else { return };
        decode(decoder, &mut |plain, most| {
            let plain = format.decide(plain, most);
            match format {
                Format::Events(splitter) => {
                    mcp.log().context.transport = Transport::Sse;
                    splitter.push(plain, |event| said(mcp, now, data(event)));
                }
                Format::Whole(body) => return body.push(plain, most),
                Format::Undecided { .. } | Format::Array(_) => {}
            }
            format.held()
        });
    }
}

/// Shows an event's data. Servers begin a stream with an event that has a name and no data.
fn said(mcp: &mut Mcp, now: Duration, message: Payload<'_>) {
    if !message.text.trim().is_empty() {
        mcp.server(now, message);
    }
}

/// Why a response of this status is no answer. The status stands in for a code that is not given.
fn refusal(body: Option<Payload<'_>>, status: u16) -> CallError {
    let body = body.map(Payload::raw);
    let error = body.map(|body| call_error(body.member("error").unwrap_or(body)));
    let CallError { code, message } = error.unwrap_or(CallError { code: None, message: None });
    CallError { code: code.or_else(|| Some(status.to_string())), message }
}
