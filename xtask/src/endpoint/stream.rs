//! An answer and the two HTTP bodies it can become: events sent one by one, or one JSON object;
//! either of them gzip, flushed after each event, where the client takes it.

use std::convert::Infallible;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
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
    /// A single one where the answer is JSON.
    pub(super) events: Vec<Value>,
}

/// How a provider writes one event.
#[derive(Clone, Copy)]
pub(super) enum Framing {
    /// `event: NAME` and `data:`, line feeds.
    Named,
    /// `data:` alone, carriage returns too (Gemini).
    Bare,
    /// No stream: the only event is the body.
    Json,
}

/// How the bytes are coded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
}

/// The response to a model request. Every event is handed over on its own; the model response is
/// logged when its last event was taken.
pub(super) fn events(
    answer: Answer,
    framing: Framing,
    coding: Coding,
    log: Log,
) -> HttpResponse<Body> {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        let mut gzip =
            (coding == Coding::Gzip).then(|| Gzip::new(Vec::new(), Compression::default()));
        let last = answer.events.len();
        for (number, event) in (1..).zip(answer.events) {
            let bytes = code(gzip.as_mut(), framing.write(&event), number == last);
            if sender.send_data(bytes).await.is_err() {
                return; // the client left; what it did not get is not logged as sent
            }
        }
        log.push(Entry::Response(answer.truth));
    });
    let content_type = match framing {
        Framing::Named | Framing::Bare => "text/event-stream; charset=utf-8",
        Framing::Json => "application/json",
    };
    let mut response = respond(body.boxed_unsync(), content_type);
    if coding == Coding::Gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// `application/json`: `body` in one piece, its length known.
pub(super) fn json(body: &Value) -> HttpResponse<Body> {
    respond(Full::new(Bytes::from(body.to_string())).boxed_unsync(), "application/json")
}

fn respond(body: Body, content_type: &'static str) -> HttpResponse<Body> {
    let mut response = HttpResponse::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

impl Framing {
    fn write(self, event: &Value) -> String {
        let name = event["type"].as_str().unwrap_or("message");
        match self {
            Self::Named => format!("event: {name}\ndata: {event}\n\n"),
            Self::Bare => format!("data: {event}\r\n\r\n"),
            Self::Json => event.to_string(),
        }
    }
}

type Gzip = GzEncoder<Vec<u8>>;

/// All that a client needs to read `text`; after the last one, the end too.
fn code(gzip: Option<&mut Gzip>, text: String, last: bool) -> Bytes {
    let Some(gzip) = gzip else { return text.into() };
    // Writing to memory does not fail.
    let _ = gzip.write_all(text.as_bytes());
    let _ = if last { gzip.try_finish() } else { gzip.flush() };
    std::mem::take(gzip.get_mut()).into()
}
