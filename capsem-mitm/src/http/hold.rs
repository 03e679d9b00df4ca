//! Holds the body of a request to a model, or to a server of MCP, until its rules have judged it: what a
//! socket may not say may not be said in a POST either. Refuses to know what a body says.

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
use capsem_telemetry::{
    Api, Attribution, Event, FaultClass, Provider, Side, evidence::MessageFacts,
};
use capsem_ws_codec::Role;
use http::{HeaderMap, Response, StatusCode, header, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::sync::Arc;

/// A body that may go on.
pub(crate) struct Judged {
    pub(crate) body: Arrived,
    /// The API that it shows to speak, where its path says nothing.
    pub(crate) api: Option<Api>,
}

impl From<Arrived> for Judged {
    fn from(body: Arrived) -> Self {
        Self { body, api: None }
    }
}

/// The body as it may go on, at once where no rule speaks of it; or the answer that refuses it.
pub(crate) async fn judged(
    client: &Client,
    standing: &Standing,
    policy: &mut Followed,
    parts: &Parts,
    body: Incoming,
    exchanged: &Arc<Exchanged>,
) -> Result<Judged, Box<Response<Body>>> {
    let Standing { intent, attribution, .. } = standing;
    let said = Said::of(attribution, &parts.headers);
    let hold = if said == Said::Nothing || body.is_end_stream() {
        None
    } else {
        let rules = message_rules(&*policy.current(), intent, attribution);
        // What is answered is judged where the request shows what is spoken.
        let answers = rules.to_client.filter(|_| said == Said::Rpc);
        rules.to_upstream.or(answers)
    };
    let Some(hold) = hold else { return Ok(Arrived::flowing(body).into()) };
    let capture = client.cx.limits.capture;
    let most = hold.max_bytes.map_or(capture, |most| usize::try_from(most).unwrap_or(capture));
    let most = most.min(capture);
    // What a body begins with does not show in a coding.
    let seen = said == Said::Perhaps || said == Said::Rpc && codings(&parts.headers).is_empty();
    let arrived = if seen { begun(body, most).await } else { collect(body, most).await };
    let arrived = arrived.map_err(|e| Box::new(exchanged.broken(&e)))?;
    if seen && !arrived.may_be_json() {
        return Ok(arrived.into());
    }
    let read = arrived.whole().and_then(|body| said.read(&parts.headers, body, most));
    let other = |plain: &[u8]| said == Said::Rpc && !MessageFacts::may_be_json_rpc(plain);
    if read.as_ref().is_some_and(|(_, plain)| other(plain)) {
        return Ok(arrived.into());
    }
    let api = (said == Said::Rpc).then_some(Api::Mcp);
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
            Ok(()) => return Ok(Judged { body: arrived, api }),
            Err(why) => ruling.reason = Some(why.to_owned()),
        }
    }
    match ruling.action {
        Action::Allow => Ok(Judged { body: arrived, api }),
        Action::Ask | Action::Block => {
            Err(Box::new(exchanged.refuse(&arrived, &ruling, facts.model, size)))
        }
    }
}

/// What a body is to those who judge it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// No message.
    Nothing,
    /// One, and only if it begins as one: its media type is none that promises it.
    Perhaps,
    /// One, if it is of JSON-RPC as MCP is: it is JSON for a server that nobody here knows.
    Rpc,
    /// A message, or more of them that stand on lines.
    Lines,
    /// A form, which has messages in it.
    Form,
    /// One message.
    Message,
}

impl Said {
    /// Only that is a message: what goes to a path of a model's API; on the host of a provider, whose
    /// paths are more than are known and may have other spellings, whatever a server could read;
    /// elsewhere JSON that is of JSON-RPC.
    fn of(attribution: &Attribution, headers: &HeaderMap) -> Self {
        if attribution.api.is_some() {
            return Self::Message;
        }
        let has = |part: &str| has_media(headers, part);
        if attribution.provider == Provider::Unknown {
            return if has("json") { Self::Rpc } else { Self::Nothing };
        }
        match (headers.contains_key(header::CONTENT_TYPE), codings(headers).is_empty()) {
            (true, _) if has("json") => Self::Lines,
            (true, _) if has("multipart/") || has("x-www-form-urlencoded") => Self::Form,
            (true, true) => Self::Perhaps,
            _ => Self::Lines,
        }
    }

    /// The facts of a body, and the body in the clear.
    fn read(
        self,
        headers: &HeaderMap,
        body: &[u8],
        most: usize,
    ) -> Option<(MessageFacts, Vec<u8>)> {
        let (facts, plain) = MessageFacts::of_body(Some(&codings(headers)), body, most)?;
        let facts = match self {
            Self::Nothing | Self::Rpc | Self::Message => facts,
            Self::Perhaps | Self::Lines if facts.readable => facts,
            Self::Perhaps | Self::Lines => MessageFacts::read_lines(&plain),
            Self::Form => {
                // Of two types another hop may take the other one.
                let mut types = headers.get_all(header::CONTENT_TYPE).iter();
                let media = types.next().filter(|_| types.next().is_none())?;
                MessageFacts::of_form(media.to_str().ok()?, &plain)
            }
        };
        Some((facts, plain))
    }
}

/// Whether a media type of a body has these letters, in any line that names one.
pub(super) fn has_media(headers: &HeaderMap, letters: &str) -> bool {
    headers.get_all(header::CONTENT_TYPE).iter().any(|media| {
        let media = media.as_bytes().to_ascii_lowercase();
        media.windows(letters.len()).any(|part| part == letters.as_bytes())
    })
}

/// Reads a body to where it shows what it begins with; to its end, if that is as JSON.
pub(super) async fn begun(mut body: Incoming, most: usize) -> Result<Arrived, hyper::Error> {
    /// Bytes of the longest mark in which JSON can be said to be of an encoding.
    const MARK: usize = 4;
    let mut held = BytesMut::new();
    while held.len() <= most && (held.len() < MARK || held.trim_ascii().is_empty()) {
        let Some(frame) = body.frame().await else {
            return Ok(Arrived::held(held.freeze(), None));
        };
        if let Ok(data) = frame?.into_data() {
            held.extend_from_slice(&data);
        }
    }
    if MessageFacts::begins_as_json(&held) {
        return collect_behind(held, body, most).await;
    }
    Ok(Arrived::held(held.freeze(), Some(body)))
}

/// The codings of a body. More lines of them are one list (RFC 9110 section 5.3).
pub(super) fn codings(headers: &HeaderMap) -> String {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    lines.map(|value| value.to_str().unwrap_or("?")).collect::<Vec<_>>().join(",")
}

/// Reads a body to its end, or until there is more of it than `most`.
pub(super) async fn collect(body: Incoming, most: usize) -> Result<Arrived, hyper::Error> {
    collect_behind(BytesMut::new(), body, most).await
}

async fn collect_behind(
    mut held: BytesMut,
    mut body: Incoming,
    most: usize,
) -> Result<Arrived, hyper::Error> {
    while held.len() <= most {
        let Some(frame) = body.frame().await else {
            return Ok(Arrived::held(held.freeze(), None));
        };
        if let Ok(data) = frame?.into_data() {
            held.extend_from_slice(&data);
        }
    }
    Ok(Arrived::held(held.freeze(), Some(body)))
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
) -> Result<Judged, Box<Response<Body>>> {
    let reason = "the body of the request cannot be judged";
    exchanged.fault(Side::Client, FaultClass::Uninspectable, reason);
    match hold.uninspectable {
        Uninspectable::Relay => Ok(arrived.into()),
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

    /// Whether it does, or all that may be held has not shown it.
    pub(super) fn may_be_json(&self) -> bool {
        self.held.as_ref().is_some_and(|held| {
            let blank = self.rest.is_some() && held.trim_ascii().is_empty();
            blank || MessageFacts::begins_as_json(held)
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.len() as u64)
    }
}
