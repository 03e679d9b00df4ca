//! One HTTP exchange under way: what its bodies say is shown to evidence, and its end is recorded once.
//!
//! What it costs to read a body is bounded by `limits.capture`; what it means is telemetry's to say.

use super::{
    body::{Arrived, RequestBody, ResponseBody},
    forward::{ForwardError, class_of},
    headers,
};
use crate::{
    answer::{self, Refusal},
    decide::Ruling,
    guard::Busy,
    proxy::Context,
    record::{End, ExchangeLog, closed},
    tap::aside,
    ws::{Body, BodyError},
};
use bytes::Bytes;
use capsem_policy::Action;
use capsem_telemetry::{
    Attribution, CallError, CallStatus, Close, CloseKind, Direction, Evidence, FaultClass, Flow,
    Id, Ledger, ModelCall, Side,
    evidence::{HttpEvidence, RequestHead, ResponseHead},
};
use http::{HeaderMap, HeaderName, Response, StatusCode, header, request::Parts};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The model that serves, where a gateway says so.
const OPENAI_MODEL: HeaderName = HeaderName::from_static("openai-model");

/// One HTTP exchange under way, shared by its two bodies.
pub(crate) struct Exchanged {
    id: Id,
    ledger: Ledger,
    state: Mutex<State>,
}

struct State {
    log: Option<ExchangeLog>,
    evidence: Option<HttpEvidence>,
    to_upstream: u64,
    to_client: u64,
    /// Why what was answered did not all go on, and how much of it was read.
    refused: Option<(String, Option<Evidence>)>,
    /// What broke the request body, if the client did.
    broken_request: Option<(FaultClass, String)>,
    /// Until the exchange is over.
    busy: Option<Busy>,
}

/// How a response body came to its end.
pub(super) enum Outcome {
    Complete,
    /// A side broke off, or broke a rule.
    Broken(Side, FaultClass, String),
    /// The client went away, or the proxy let go.
    Abandoned,
}

impl Exchanged {
    /// An exchange whose bodies are read where its path is one of a model API, or it may be of MCP.
    pub(crate) fn new(
        log: ExchangeLog,
        attribution: Attribution,
        cx: &Context,
        request: &Parts,
        busy: Busy,
    ) -> Arc<Self> {
        let settings = cx.evidence(log.id(), attribution);
        let head = RequestHead {
            method: request.method.as_str(),
            content_type: text(&request.headers, &header::CONTENT_TYPE),
            content_encoding: text(&request.headers, &header::CONTENT_ENCODING),
        };
        let evidence = HttpEvidence::new(settings, head);
        Self::with(log, Some(evidence), busy)
    }

    /// An exchange whose bodies are nobody's to read: a refused upgrade.
    pub(crate) fn without_evidence(log: ExchangeLog, busy: Busy) -> Arc<Self> {
        Self::with(log, None, busy)
    }

    fn with(log: ExchangeLog, evidence: Option<HttpEvidence>, busy: Busy) -> Arc<Self> {
        let (id, ledger) = (log.id(), log.ledger().clone());
        let log = Some(log);
        let state = State {
            log,
            evidence,
            to_upstream: 0,
            to_client: 0,
            refused: None,
            broken_request: None,
            busy: Some(busy),
        };
        Arc::new(Self { id, ledger, state: Mutex::new(state) })
    }

    /// The request body as it goes upstream.
    pub(super) fn request_body(self: &Arc<Self>, body: Arrived) -> RequestBody {
        let body = RequestBody { body, exchanged: Arc::clone(self) };
        if body.is_end_stream() {
            self.request_ended();
        }
        body
    }

    /// The body of a request that has none.
    pub(super) fn no_body(self: &Arc<Self>) -> RequestBody {
        RequestBody { body: Arrived { held: None, rest: None }, exchanged: Arc::clone(self) }
    }

    /// Records the response head and passes the response on.
    pub(crate) fn relay<B>(
        self: Arc<Self>,
        response: Response<B>,
        address: Option<SocketAddr>,
    ) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        {
            let mut state = self.lock();
            let State { log: Some(log), evidence, .. } = &mut *state else {
                unreachable!("a response is relayed once, before anything ends")
            };
            log.responded(&response, Side::Upstream, address);
            if let Some(evidence) = evidence {
                read_head(log, evidence, &response);
            }
        }
        response.map(|inner| ResponseBody::new(inner, self).boxed_unsync())
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    /// Records what broke, or could not be judged.
    pub(super) fn fault(&self, side: Side, class: FaultClass, detail: &str) {
        if let Some(log) = &self.lock().log {
            log.fault(side, class, detail);
        }
    }

    /// Answers for a body that broke off before it was sent on.
    pub(super) fn broken(&self, error: &hyper::Error) -> Response<Body> {
        self.request_broke(error);
        self.fail(&ForwardError::Request)
    }

    /// Records a request that its body's rules do not let through, and answers it.
    pub(super) fn refuse(
        &self,
        body: &Arrived,
        ruling: &Ruling,
        model: Option<String>,
        size: u64,
    ) -> Response<Body> {
        let reason = ruling.reason.as_deref().unwrap_or_default();
        let response = refusal(ruling);
        // What is left of the body is not read.
        let response = if body.rest.is_some() { answer::closing(response) } else { response };
        let mut state = self.lock();
        let Some(mut log) = state.log.take() else { return response };
        state.busy.take();
        log.refused(Direction::ToUpstream, ruling, model, size);
        let evidence = state.evidence.take().and_then(|mut evidence| {
            evidence.request_data(log.elapsed(), body.held.as_deref().unwrap_or_default());
            evidence.request_end(log.elapsed());
            let message = Some(reason.to_owned());
            evidence.denied(log.elapsed(), &CallError { code: ruling.rule.clone(), message });
            log.tool_uses(evidence.take_tool_uses());
            let (calls, evidence, _) = evidence.finish(log.elapsed(), true);
            log.model_calls(calls);
            evidence
        });
        log.responded(&response, Side::Proxy, None);
        log.end(End {
            close: closed(CloseKind::Policy, Some(Side::Proxy), None, Some(reason)),
            to_upstream: Flow::default(),
            to_client: Flow::default(),
            evidence,
        });
        response
    }

    /// Records an answer that its rules do not let through, `said` the last of it. It was given and is
    /// paid for; the client does not see it.
    pub(super) fn refuse_answer(
        &self,
        said: &[u8],
        ruling: &Ruling,
        model: Option<String>,
        size: u64,
    ) {
        let mut state = self.lock();
        let State { log: Some(log), evidence, refused, .. } = &mut *state else { return };
        log.refused(Direction::ToClient, ruling, model, size);
        let reason = ruling.reason.clone().unwrap_or_default();
        let read = evidence.take().and_then(|mut evidence| {
            evidence.response_data(log.elapsed(), said);
            evidence.end(log.elapsed(), true);
            log.tool_uses(evidence.take_tool_uses());
            log.rate_limits(evidence.take_rate_limits());
            let (calls, read, _) = evidence.finish(log.elapsed(), true);
            let error = CallError { code: ruling.rule.clone(), message: Some(reason.clone()) };
            let denied =
                |call| ModelCall { status: CallStatus::Denied, error: Some(error.clone()), ..call };
            log.model_calls(calls.into_iter().map(denied));
            read
        });
        *refused = Some((reason, read));
    }

    /// The same of an answer none of which has gone on; answers in its place.
    pub(super) fn refuse_whole(
        &self,
        head: &Response<()>,
        body: &Arrived,
        ruling: &Ruling,
        model: Option<String>,
    ) -> Response<Body> {
        if let State { log: Some(log), evidence: Some(evidence), .. } = &mut *self.lock() {
            read_head(log, evidence, head);
        }
        self.refuse_answer(body.held.as_deref().unwrap_or_default(), ruling, model, body.len());
        let response = refusal(ruling);
        if let Some(log) = &self.lock().log {
            log.responded(&response, Side::Proxy, None);
        }
        self.finish(&Outcome::Complete, CloseKind::Normal);
        response
    }

    /// Records that there is no response, and answers for whoever is to blame.
    pub(crate) fn fail(&self, error: &ForwardError) -> Response<Body> {
        let (response, outcome, kind) = self.blame(error);
        if let Some(log) = &self.lock().log {
            log.responded(&response, Side::Proxy, None);
        }
        self.finish(&outcome, kind);
        response
    }

    fn blame(&self, error: &ForwardError) -> (Response<Body>, Outcome, CloseKind) {
        let mut state = self.lock();
        if state.log.as_ref().is_some_and(|log| log.broke().is_some()) {
            let (status, class) = (StatusCode::INTERNAL_SERVER_ERROR, FaultClass::Panic);
            let (word, detail) = ("internal_error", "a fault of the proxy's own");
            let response = answer::error(status, word, Some(class.as_str()), detail);
            let outcome = Outcome::Broken(Side::Proxy, class, detail.to_owned());
            return (answer::closing(response), outcome, CloseKind::Error);
        }
        if let Some(violation) = state.busy.as_ref().and_then(Busy::take_violation) {
            let (class, reason) = (violation.class, violation.reason.to_string());
            let outcome = Outcome::Broken(Side::Client, class, reason);
            return (violation.response(), outcome, CloseKind::Error);
        }
        let (status, kind) = match (&state.broken_request, error.status()) {
            (Some(_), _) => (StatusCode::BAD_REQUEST, CloseKind::Peer),
            (None, late @ StatusCode::GATEWAY_TIMEOUT) => (late, CloseKind::Timeout),
            (None, status) => (status, CloseKind::Error),
        };
        let (side, class, detail) = match state.broken_request.take() {
            Some((class, detail)) => (Side::Client, class, detail),
            None => (Side::Upstream, error.class(), error.to_string()),
        };
        let word = if side == Side::Client { "bad_request" } else { "upstream_error" };
        let response = answer::error(status, word, Some(class.as_str()), &detail);
        (answer::closing(response), Outcome::Broken(side, class, detail), kind)
    }

    pub(super) fn request_data(&self, data: &Bytes) {
        let mut state = self.lock();
        state.to_upstream += data.len() as u64;
        if let State { log: Some(log), evidence: Some(evidence), .. } = &mut *state {
            evidence.request_data(log.elapsed(), data);
        }
    }

    pub(super) fn request_ended(&self) {
        let mut state = self.lock();
        let size = state.to_upstream;
        if let State { log: Some(log), evidence: Some(evidence), .. } = &mut *state {
            let now = log.elapsed();
            aside(size, || evidence.request_end(now));
        }
    }

    pub(super) fn request_broke(&self, error: &hyper::Error) {
        self.lock().broken_request = Some((class_of(error), format!("the request body: {error}")));
    }

    /// What a response waits for while the ledger takes nothing.
    pub(super) fn pause(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        if self.ledger.is_ready() {
            return None;
        }
        let ledger = self.ledger.clone();
        Some(Box::pin(async move { ledger.ready().await }))
    }

    pub(super) fn response_data(&self, data: &Bytes) {
        let mut state = self.lock();
        state.to_client += data.len() as u64;
        if let State { log: Some(log), evidence: Some(evidence), .. } = &mut *state {
            evidence.response_data(log.elapsed(), data);
            log.tool_uses(evidence.take_tool_uses());
            log.rate_limits(evidence.take_rate_limits());
            log.model_calls(evidence.take_calls());
        }
    }

    /// Records the end, once.
    pub(super) fn finish(&self, outcome: &Outcome, broken: CloseKind) {
        let mut state = self.lock();
        let Some(mut log) = state.log.take() else { return };
        let busy = state.busy.take();
        let read = state.evidence.take().and_then(|mut evidence| {
            log.contain(|log| {
                let complete = matches!(outcome, Outcome::Complete);
                let now = log.elapsed();
                aside(state.to_client, || evidence.end(now, complete));
                log.tool_uses(evidence.take_tool_uses());
                log.rate_limits(evidence.take_rate_limits());
                let (calls, read, _) = evidence.finish(now, complete);
                log.model_calls(calls);
                read
            })
        });
        let (refused, read) = match state.refused.take() {
            Some((reason, read)) => (Some(reason), read),
            None => (None, read.flatten()),
        };
        let close = log.broke().unwrap_or_else(|| match (refused, outcome) {
            (Some(reason), _) => closed(CloseKind::Policy, Some(Side::Proxy), None, Some(&reason)),
            (None, Outcome::Complete) => {
                closed(CloseKind::Normal, Some(Side::Upstream), None, None)
            }
            (None, Outcome::Broken(side, class, detail)) => {
                log.fault(*side, *class, detail);
                closed(broken, Some(*side), None, Some(detail))
            }
            (None, Outcome::Abandoned) => {
                abandoned(&log, busy.and_then(|busy| busy.take_violation()))
            }
        });
        let flow = |wire_bytes| Flow { wire_bytes, ..Flow::default() };
        let (to_upstream, to_client) = (flow(state.to_upstream), flow(state.to_client));
        log.end(End { close, to_upstream, to_client, evidence: read });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Exchanged {
    /// The client left before there was a response.
    fn drop(&mut self) {
        self.finish(&Outcome::Abandoned, CloseKind::Normal);
    }
}

/// Why nobody takes the response any more: a rule the client broke meanwhile, or no reason of ours.
fn abandoned(log: &ExchangeLog, violation: Option<Refusal>) -> Close {
    let Some(Refusal { class, reason, .. }) = violation else {
        return log.let_go("the client left before the end of the response");
    };
    log.fault(Side::Client, class, &reason);
    let kind = if class == FaultClass::Stall { CloseKind::Timeout } else { CloseKind::Error };
    closed(kind, Some(Side::Client), None, Some(&reason))
}

/// The answer to what rules do not let through.
fn refusal(ruling: &Ruling) -> Response<Body> {
    let kind = match ruling.action {
        Action::Ask => "approval_required",
        Action::Allow | Action::Block => "policy_denied",
    };
    let reason = ruling.reason.as_deref().unwrap_or_default();
    answer::error(ruling.status, kind, ruling.rule.as_deref(), reason)
}

/// Shows evidence a response's head.
fn read_head<B>(log: &ExchangeLog, evidence: &mut HttpEvidence, response: &Response<B>) {
    evidence.response_head(head_of(response));
    evidence.response_headers(headers::texts(response.headers()));
    log.rate_limits(evidence.take_rate_limits());
}

/// A response's head as evidence reads it.
pub(crate) fn head_of<B>(response: &Response<B>) -> ResponseHead<'_> {
    let headers = response.headers();
    ResponseHead {
        status: response.status().as_u16(),
        content_type: text(headers, &header::CONTENT_TYPE),
        content_encoding: text(headers, &header::CONTENT_ENCODING),
        openai_model: text(headers, &OPENAI_MODEL),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
