//! Holds the body of a request to a model until its rules have judged it: what a socket may not say
//! may not be said in a POST either. Refuses to know what a body says.

use super::{body::Arrived, exchanged::Exchanged};
use crate::{
    ask::Question,
    decide::{Ruling, message_rules},
    exchange::Client,
    judge::{Shown, Standing, asked},
    rules::Followed,
    ws::Body,
};
use bytes::{Bytes, BytesMut};
use capsem_policy::{Action, Counters, Hold, Uninspectable};
use capsem_telemetry::{Attribution, Event, FaultClass, Provider, Side, evidence::MessageFacts};
use capsem_ws_codec::Role;
use http::{HeaderMap, Response, StatusCode, header, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::sync::Arc;

/// The body as it may go on, at once where no rule speaks of it; or the answer that refuses it.
pub(crate) async fn judged(
    client: &Client,
    standing: &Standing,
    policy: &mut Followed,
    parts: &Parts,
    body: Incoming,
    exchanged: &Arc<Exchanged>,
) -> Result<Arrived, Box<Response<Body>>> {
    let Standing { intent, attribution, .. } = standing;
    let hold = if is_said_to_a_model(attribution, parts) && !body.is_end_stream() {
        message_rules(&*policy.current(), intent, attribution).to_upstream
    } else {
        None
    };
    let Some(hold) = hold else { return Ok(Arrived::flowing(body)) };
    let capture = client.cx.limits.capture;
    let most = hold.max_bytes.map_or(capture, |most| usize::try_from(most).unwrap_or(capture));
    let arrived =
        collect(body, most.min(capture)).await.map_err(|e| Box::new(exchanged.broken(&e)))?;
    let coding = codings(&parts.headers);
    let whole = arrived.whole();
    let read = whole.and_then(|body| MessageFacts::of_body(Some(&coding), body, most.min(capture)));
    let Some((facts, plain)) = read.filter(|(facts, _)| facts.readable) else {
        return uninspectable(hold, arrived, exchanged);
    };
    let size = plain.len() as u64;
    let shown = Shown { from: Role::Client, opcode: None, size, payload: &plain, facts: &facts };
    // By the rules in force now: the body may have been long in coming.
    let mut ruling = shown.judge(&*policy.current(), intent, attribution, Counters::default());
    client.visit.detected(exchanged.id(), Event::Message, &ruling.detections);
    if ruling.action == Action::Ask {
        let asked = ask(client, standing, &ruling, Role::Client, &facts, size, exchanged);
        match asked.await {
            Ok(()) => return Ok(arrived),
            Err(why) => ruling.reason = Some(why.to_owned()),
        }
    }
    match ruling.action {
        Action::Allow => Ok(arrived),
        Action::Ask | Action::Block => {
            Err(Box::new(exchanged.refuse(&arrived, &ruling, facts.model, size)))
        }
    }
}

/// Only that is a message: what goes to a path of a model's API, and on the host of a provider,
/// whose paths are more than are known and may have other spellings, all JSON.
fn is_said_to_a_model(attribution: &Attribution, parts: &Parts) -> bool {
    let json = || match parts.headers.get(header::CONTENT_TYPE) {
        Some(media) => media.as_bytes().to_ascii_lowercase().windows(4).any(|part| part == b"json"),
        None => true,
    };
    attribution.api.is_some() || (attribution.provider != Provider::Unknown && json())
}

/// The codings of a body. More lines of them are one list (RFC 9110 section 5.3).
pub(super) fn codings(headers: &HeaderMap) -> String {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    lines.map(|value| value.to_str().unwrap_or("?")).collect::<Vec<_>>().join(",")
}

/// Reads a body to its end, or until there is more of it than `most`.
pub(super) async fn collect(mut body: Incoming, most: usize) -> Result<Arrived, hyper::Error> {
    let mut held = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            held.extend_from_slice(&data);
        }
        if held.len() > most {
            return Ok(Arrived::held(held.freeze(), Some(body)));
        }
    }
    Ok(Arrived::held(held.freeze(), None))
}

/// Asks about a message of `from`. `Err` says why it is a no.
pub(super) fn ask(
    client: &Client,
    standing: &Standing,
    ruling: &Ruling,
    from: Role,
    facts: &MessageFacts,
    size: u64,
    exchanged: &Exchanged,
) -> impl Future<Output = Result<(), &'static str>> + Send + use<> {
    let (visit, exchange) = (Arc::clone(&client.visit), exchanged.id());
    let provider = standing.attribution.provider.as_str();
    let words = (&ruling.rule, &ruling.reason);
    let message = Some(asked(from, size, facts));
    let ids = (visit.id(), exchange);
    let question = Question::new(ids, &standing.intent, provider, words, message);
    let cx = Arc::clone(&client.cx);
    async move { cx.desk.ask(visit, exchange, question).await.map(drop) }
}

/// What becomes of a body that cannot be judged.
fn uninspectable(
    hold: Hold,
    arrived: Arrived,
    exchanged: &Exchanged,
) -> Result<Arrived, Box<Response<Body>>> {
    let reason = "the body of the request cannot be judged";
    exchanged.fault(Side::Client, FaultClass::Uninspectable, reason);
    match hold.uninspectable {
        Uninspectable::Relay => Ok(arrived),
        Uninspectable::Close => {
            let ruling = Ruling {
                action: Action::Block,
                rule: None,
                reason: Some(reason.to_owned()),
                status: StatusCode::FORBIDDEN,
                detections: Vec::new(),
            };
            let size = arrived.len();
            Err(Box::new(exchanged.refuse(&arrived, &ruling, None, size)))
        }
    }
}

impl Arrived {
    fn held(bytes: Bytes, rest: Option<Incoming>) -> Self {
        Self { held: Some(bytes), rest }
    }

    /// All of it, if it is all here.
    pub(super) fn whole(&self) -> Option<&Bytes> {
        self.held.as_ref().filter(|_| self.rest.is_none())
    }

    pub(super) fn len(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.len() as u64)
    }
}
