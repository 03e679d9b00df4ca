//! Both bodies of one exchange on their way, and the copy that evidence is read from.
//!
//! A piece goes on as it came, when it came. What it costs to read it is bounded by
//! `limits.capture`; what it means is telemetry's to say.

use super::forward::{ForwardError, class_of};
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
    Attribution, CallError, Close, CloseKind, Direction, FaultClass, Flow, Id, Ledger, Side,
    evidence::{HttpEvidence, RequestHead, ResponseHead},
};
use http::{HeaderMap, HeaderName, Response, StatusCode, header, request::Parts};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as Task, Poll, ready},
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
    /// What broke the request body, if the client did.
    broken_request: Option<(FaultClass, String)>,
    /// Until the exchange is over.
    busy: Option<Busy>,
}

/// How a response body came to its end.
enum Outcome {
    Complete,
    /// A side broke off, or broke a rule.
    Broken(Side, FaultClass, String),
    /// The client went away, or the proxy let go.
    Abandoned,
}

impl Exchanged {
    /// An exchange whose bodies are read where its path is one of a model API.
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
                let headers = response.headers();
                evidence.response_head(ResponseHead {
                    status: response.status().as_u16(),
                    content_type: text(headers, &header::CONTENT_TYPE),
                    content_encoding: text(headers, &header::CONTENT_ENCODING),
                    openai_model: text(headers, &OPENAI_MODEL),
                });
            }
        }
        response.map(|inner| {
            let over = inner.is_end_stream();
            let body = ResponseBody { inner, exchanged: self, pause: None, complete: over };
            body.boxed_unsync()
        })
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
        let kind = match ruling.action {
            Action::Ask => "approval_required",
            Action::Allow | Action::Block => "policy_denied",
        };
        let response = answer::error(ruling.status, kind, ruling.rule.as_deref(), reason);
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

    fn request_data(&self, data: &Bytes) {
        let mut state = self.lock();
        state.to_upstream += data.len() as u64;
        if let State { log: Some(log), evidence: Some(evidence), .. } = &mut *state {
            evidence.request_data(log.elapsed(), data);
        }
    }

    fn request_ended(&self) {
        let mut state = self.lock();
        let size = state.to_upstream;
        if let State { log: Some(log), evidence: Some(evidence), .. } = &mut *state {
            let now = log.elapsed();
            aside(size, || evidence.request_end(now));
        }
    }

    fn request_broke(&self, error: &hyper::Error) {
        self.lock().broken_request = Some((class_of(error), format!("the request body: {error}")));
    }

    fn response_data(&self, data: &Bytes) {
        let mut state = self.lock();
        state.to_client += data.len() as u64;
        if let State { log: Some(log), evidence: Some(evidence), .. } = &mut *state {
            evidence.response_data(log.elapsed(), data);
            log.model_calls(evidence.take_calls());
        }
    }

    /// Records the end, once.
    fn finish(&self, outcome: &Outcome, broken: CloseKind) {
        let mut state = self.lock();
        let Some(mut log) = state.log.take() else { return };
        let busy = state.busy.take();
        let read = state.evidence.take().and_then(|evidence| {
            log.contain(|log| {
                let complete = matches!(outcome, Outcome::Complete);
                let now = log.elapsed();
                let (calls, read, _) = aside(state.to_client, || evidence.finish(now, complete));
                log.model_calls(calls);
                read
            })
        });
        let close = log.broke().unwrap_or_else(|| match outcome {
            Outcome::Complete => closed(CloseKind::Normal, Some(Side::Upstream), None, None),
            Outcome::Broken(side, class, detail) => {
                log.fault(*side, *class, detail);
                closed(broken, Some(*side), None, Some(detail))
            }
            Outcome::Abandoned => abandoned(&log, busy.and_then(|busy| busy.take_violation())),
        });
        let flow = |wire_bytes| Flow { wire_bytes, ..Flow::default() };
        let (to_upstream, to_client) = (flow(state.to_upstream), flow(state.to_client));
        log.end(End { close, to_upstream, to_client, evidence: read.flatten() });
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

/// A request body as it came from the client: what was held of it, and what still comes.
pub(crate) struct Arrived {
    pub(super) held: Option<Bytes>,
    pub(super) rest: Option<Incoming>,
}

impl Arrived {
    /// All of it still comes.
    pub(super) fn flowing(body: Incoming) -> Self {
        Self { held: None, rest: Some(body) }
    }
}

/// A request body on its way upstream.
pub(crate) struct RequestBody {
    body: Arrived,
    exchanged: Arc<Exchanged>,
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Arrived { held, rest } = &mut self.body;
        let frame = match (held.take().filter(|held| !held.is_empty()), rest) {
            (Some(held), _) => Some(Ok(Frame::data(held))),
            (None, Some(rest)) => ready!(Pin::new(rest).poll_frame(cx)),
            (None, None) => None,
        };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.exchanged.request_data(data);
                }
            }
            Some(Err(error)) => self.exchanged.request_broke(error),
            None => {}
        }
        if frame.is_none() || self.is_end_stream() {
            self.exchanged.request_ended();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let Arrived { held, rest } = &self.body;
        held.as_ref().is_none_or(Bytes::is_empty)
            && rest.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let Arrived { held, rest } = &self.body;
        let held = held.as_ref().map_or(0, |held| held.len() as u64);
        let mut hint = rest.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + held);
        }
        hint.set_lower(hint.lower() + held);
        hint
    }
}

/// A response body on its way to the client.
struct ResponseBody<B> {
    inner: B,
    exchanged: Arc<Exchanged>,
    /// Held while the ledger takes nothing: what could not be recorded is not passed on.
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    complete: bool,
}

impl<B> HttpBody for ResponseBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.pause.is_none() && !this.exchanged.ledger.is_ready() {
            let ledger = this.exchanged.ledger.clone();
            this.pause = Some(Box::pin(async move { ledger.ready().await }));
        }
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(cx));
            this.pause = None;
        }
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        let frame = frame.map(|frame| frame.map_err(Into::into));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.exchanged.response_data(data);
                }
            }
            Some(Err(error)) => {
                let outcome =
                    Outcome::Broken(Side::Upstream, class_of(&**error), error.to_string());
                this.exchanged.finish(&outcome, CloseKind::Peer);
            }
            None => {}
        }
        // A body of known length is not asked for its end.
        this.complete = frame.is_none() || this.inner.is_end_stream();
        if this.complete {
            this.exchanged.finish(&Outcome::Complete, CloseKind::Normal);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> Drop for ResponseBody<B> {
    fn drop(&mut self) {
        let outcome = if self.complete { Outcome::Complete } else { Outcome::Abandoned };
        self.exchanged.finish(&outcome, CloseKind::Normal);
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

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
