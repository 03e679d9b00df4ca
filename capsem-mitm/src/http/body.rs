//! Both bodies of one exchange on their way: a piece goes on as it came, when it came, and a copy is
//! shown to the exchange. Refuses to know what they say.

use super::{
    exchanged::{Exchanged, Outcome},
    forward::class_of,
};
use crate::ws::BodyError;
use bytes::Bytes;
use capsem_telemetry::{CloseKind, Side};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

/// A body as it came: what was held of it, and what still comes.
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
    pub(super) body: Arrived,
    pub(super) exchanged: Arc<Exchanged>,
}

impl HttpBody for Arrived {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { held, rest } = &mut *self;
        match (held.take().filter(|held| !held.is_empty()), rest) {
            (Some(held), _) => Poll::Ready(Some(Ok(Frame::data(held)))),
            (None, Some(rest)) => Pin::new(rest).poll_frame(cx),
            (None, None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.as_ref().is_none_or(Bytes::is_empty)
            && self.rest.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.as_ref().map_or(0, |held| held.len() as u64);
        let mut hint =
            self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + held);
        }
        hint.set_lower(hint.lower() + held);
        hint
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
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
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response body on its way to the client.
pub(super) struct ResponseBody<B> {
    inner: B,
    exchanged: Arc<Exchanged>,
    /// Held while the ledger takes nothing: what could not be recorded is not passed on.
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    complete: bool,
}

impl<B: HttpBody> ResponseBody<B> {
    pub(super) fn new(inner: B, exchanged: Arc<Exchanged>) -> Self {
        let complete = inner.is_end_stream();
        Self { inner, exchanged, pause: None, complete }
    }
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
        if this.pause.is_none() {
            this.pause = this.exchanged.pause();
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
