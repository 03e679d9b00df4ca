//! An answer and the two HTTP bodies it can become: events sent one by one, or one JSON object.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderValue, Response as HttpResponse, header};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use super::log::{Entry, Log, Response};

/// A body of either kind.
pub(super) type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

/// One model response: what is logged about it, and the events that make it up.
pub(super) struct Answer {
    pub(super) truth: Response,
    pub(super) events: Vec<Value>,
}

/// How a provider writes one event.
#[derive(Clone, Copy)]
pub(super) enum Framing {
    /// `event: NAME` and `data:`, line feeds.
    Named,
    /// `data:` alone, carriage returns too (Gemini).
    Bare,
}

/// `text/event-stream`: every event is handed over on its own. The response is logged when its
/// last event was taken.
pub(super) fn events(answer: Answer, framing: Framing, log: Log) -> HttpResponse<Body> {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        for event in answer.events {
            if sender.send_data(framing.write(&event)).await.is_err() {
                return; // the client left; what it did not get is not logged as sent
            }
        }
        log.push(Entry::Response(answer.truth));
    });
    respond(body.boxed_unsync(), "text/event-stream; charset=utf-8")
}

/// `application/json`: `body` in one piece.
pub(super) fn json(body: &Value) -> HttpResponse<Body> {
    respond(Full::new(Bytes::from(body.to_string())).boxed_unsync(), "application/json")
}

fn respond(body: Body, content_type: &'static str) -> HttpResponse<Body> {
    let mut response = HttpResponse::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

impl Framing {
    fn write(self, event: &Value) -> Bytes {
        let name = event["type"].as_str().unwrap_or("message");
        match self {
            Self::Named => format!("event: {name}\ndata: {event}\n\n").into(),
            Self::Bare => format!("data: {event}\r\n\r\n").into(),
        }
    }
}
