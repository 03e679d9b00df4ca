//! Judges what a model's API, or a server of MCP, answers before the client has it: what a socket may
//! not be told may not be told in the answer to a POST either. Refuses to know what an answer says.

mod events;

use self::events::Events;
use super::{
    body::Arrived,
    exchanged::Exchanged,
    forward::ForwardError,
    hold::{self, begun, codings, collect, has_media},
};
use crate::{
    decide::{Ruling, message_rules},
    exchange::Client,
    judge::{Shown, Standing},
    rules::Followed,
    ws::Body,
};
use capsem_policy::{Action, Counters, Hold, Uninspectable};
use capsem_telemetry::{Api, Event, FaultClass, Provider, Side, evidence::MessageFacts};
use capsem_ws_codec::Role;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;
use std::{net::SocketAddr, sync::Arc};

/// The judge of one answer.
pub(crate) struct Screen {
    client: Arc<Client>,
    standing: Arc<Standing>,
    /// The API that answers, by its path or by what it was asked.
    api: Option<Api>,
    policy: Followed,
    hold: Hold,
    exchanged: Arc<Exchanged>,
}

impl Screen {
    /// `None` where no rule speaks of what is answered. The request may have `shown` which API is asked.
    pub(crate) fn new(
        client: &Arc<Client>,
        standing: &Arc<Standing>,
        mut policy: Followed,
        exchanged: &Arc<Exchanged>,
        shown: Option<Api>,
    ) -> Option<Self> {
        let Standing { intent, attribution, .. } = &**standing;
        let api = attribution.api.or(shown);
        if api.is_none() && attribution.provider == Provider::Unknown {
            return None;
        }
        let hold = message_rules(&*policy.current(), intent, attribution).to_client?;
        let (client, standing) = (Arc::clone(client), Arc::clone(standing));
        Some(Self { client, standing, api, policy, hold, exchanged: Arc::clone(exchanged) })
    }

    /// Asks for an answer that can be read as it comes.
    pub(crate) fn ask_in_the_clear(headers: &mut HeaderMap) {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }

    /// Passes an answer on as far as its rules let it: the events of a stream one by one, any other
    /// body whole.
    pub(crate) async fn relay(
        mut self,
        response: Response<Incoming>,
        address: SocketAddr,
    ) -> Response<Body> {
        if response.body().is_end_stream() {
            return self.exchanged.relay(response, Some(address));
        }
        if is_event_stream(response.headers()) {
            let (mut parts, body) = response.into_parts();
            // What is refused is not that long.
            parts.headers.remove(header::CONTENT_LENGTH);
            let exchanged = Arc::clone(&self.exchanged);
            let response = Response::from_parts(parts, Events::new(self, body));
            return exchanged.relay(response, Some(address));
        }
        let (parts, body) = response.into_parts();
        let (said, most) = (self.is_said_by_a_model(&parts.headers), self.most());
        let arrived = if said { collect(body, most).await } else { begun(body, most).await };
        let arrived = match arrived {
            Ok(arrived) => arrived,
            Err(error) => return self.exchanged.fail(&ForwardError::Http(error)),
        };
        if !said && !arrived.may_be_json() {
            return self.exchanged.relay(Response::from_parts(parts, arrived), Some(address));
        }
        match self.whole(&parts.headers, &arrived).await {
            Ok(()) => self.exchanged.relay(Response::from_parts(parts, arrived), Some(address)),
            Err((ruling, model)) => {
                let response = Response::from_parts(parts, ());
                self.exchanged.refuse_whole(&response, &arrived, &ruling, model)
            }
        }
    }

    /// That is a message, whatever it begins with: what the path of a model's API answers, and on the
    /// host of a provider, whose paths are more than are known, all that says it is JSON or events, and
    /// what a coding keeps from being seen. Where MCP is spoken a server also answers with nothing, or
    /// with a page that asks who is there.
    fn is_said_by_a_model(&self, headers: &HeaderMap) -> bool {
        let hidden = !matches!(&*codings(headers).to_ascii_lowercase(), "" | "identity")
            || has_media(headers, EVENTS);
        match self.api {
            Some(Api::Mcp) => hidden,
            Some(_) => true,
            None => {
                hidden || !headers.contains_key(header::CONTENT_TYPE) || has_media(headers, "json")
            }
        }
    }

    /// Bytes of a message that are held, at most.
    fn most(&self) -> usize {
        let capture = self.client.cx.limits.capture;
        let most = self.hold.max_bytes.map_or(capture, |it| usize::try_from(it).unwrap_or(capture));
        most.min(capture)
    }

    /// Judges a body that was collected. An error has the model it names.
    async fn whole(
        &mut self,
        headers: &HeaderMap,
        arrived: &Arrived,
    ) -> Result<(), (Ruling, Option<String>)> {
        let coding = codings(headers);
        let most = self.most();
        let read = arrived.whole().and_then(|it| MessageFacts::of_body(Some(&coding), it, most));
        // What no API that is known answers may be a file with a message on each line.
        let known = self.api.is_some();
        let read = read.map(|(facts, plain)| {
            let lines = !known && !facts.readable;
            (if lines { MessageFacts::read_lines(&plain) } else { facts }, plain)
        });
        let Some((facts, plain)) = read.filter(|(facts, _)| facts.readable) else {
            return self.uninspectable().map_err(|ruling| (ruling, None));
        };
        let mut ruling = self.ruling(&plain, &facts);
        if ruling.action == Action::Ask {
            match self.ask(&ruling, &facts, plain.len() as u64).await {
                Ok(()) => return Ok(()),
                Err(why) => ruling.reason = Some(why.to_owned()),
            }
        }
        if ruling.action == Action::Allow { Ok(()) } else { Err((ruling, facts.model)) }
    }

    /// What the rules in force say of a message.
    fn ruling(&mut self, payload: &[u8], facts: &MessageFacts) -> Ruling {
        let Standing { intent, attribution, .. } = &*self.standing;
        let size = payload.len() as u64;
        let shown = Shown { from: Role::Server, opcode: None, size, payload, facts };
        let policy = self.policy.current();
        let ruling = shown.judge(&*policy, intent, attribution, Counters::default());
        self.client.visit.detected(self.exchanged.id(), Event::Message, &ruling.detections);
        ruling
    }

    /// Asks where the rules say so. `Err` says why it is a no.
    fn ask(
        &self,
        ruling: &Ruling,
        facts: &MessageFacts,
        size: u64,
    ) -> impl Future<Output = Result<(), &'static str>> + Send + use<> {
        hold::ask(&self.client, &self.standing, ruling, Role::Server, facts, size, &self.exchanged)
    }

    /// What becomes of what cannot be judged.
    fn uninspectable(&self) -> Result<(), Ruling> {
        let reason = "what the model's API answers cannot be judged";
        self.exchanged.fault(Side::Upstream, FaultClass::Uninspectable, reason);
        match self.hold.uninspectable {
            Uninspectable::Relay => Ok(()),
            Uninspectable::Close => Err(Ruling {
                action: Action::Block,
                rule: None,
                reason: Some(reason.to_owned()),
                status: StatusCode::FORBIDDEN,
                detections: Vec::new(),
            }),
        }
    }
}

const EVENTS: &str = "text/event-stream";

/// Whether a body is events that can be read as they come, to everybody: of two types a client may
/// take either.
fn is_event_stream(headers: &HeaderMap) -> bool {
    let is_events = |media: &HeaderValue| {
        let media = media.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        media.trim_ascii().eq_ignore_ascii_case(EVENTS.as_bytes())
    };
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let events = types.next().is_some_and(is_events) && types.next().is_none();
    let coding = codings(headers);
    events && (coding.is_empty() || coding.eq_ignore_ascii_case("identity"))
}
