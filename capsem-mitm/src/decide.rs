//! Asks policy. Only an allow makes a [`Permit`], and only a permit is dialled.

use crate::{
    ask::Approval,
    authority::Authority,
    request::{Intent, Kind, Scheme, readings},
};
use capsem_policy::{
    Action, Counters, Decide, Detection, Direction, Facts, Message, MessageRules, On, Verdict,
};
use capsem_telemetry::{Api, Attribution, redact};
use http::StatusCode;
use std::{borrow::Cow, iter};

/// The right to send one request to one authority. Not `Clone`: sending spends it.
#[derive(Debug)]
pub(crate) struct Permit {
    authority: Authority,
    scheme: Scheme,
}

impl Permit {
    fn of(intent: &Intent) -> Self {
        Self { authority: intent.authority.clone(), scheme: intent.scheme }
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }
}

/// What policy said of an intent, in the record's words.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) action: Action,
    pub(crate) rule: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) outcome: Result<Permit, StatusCode>,
    pub(crate) detections: Vec<Detection<'static>>,
}

impl Decision {
    /// Whoever was asked has answered.
    pub(crate) fn answered(&mut self, intent: &Intent, approval: Result<Approval, &'static str>) {
        match approval.map(|_proof| Permit::of(intent)) {
            Ok(permit) => self.outcome = Ok(permit),
            Err(why) => self.reason = Some(why.to_owned()),
        }
    }
}

/// What policy said of a message, in the record's words.
#[derive(Clone, Debug)]
pub(crate) struct Ruling {
    pub(crate) action: Action,
    pub(crate) rule: Option<String>,
    pub(crate) reason: Option<String>,
    /// Of the answer, where there can be one.
    pub(crate) status: StatusCode,
    pub(crate) detections: Vec<Detection<'static>>,
}

/// Which authorities may be dialled at all, whatever the rules say.
#[derive(Debug)]
pub(crate) struct Reach {
    /// Ports open to every host.
    pub(crate) ports: Vec<u16>,
    /// Authorities pinned to an address: the operator named them, port included.
    pub(crate) pinned: Vec<Authority>,
}

impl Reach {
    /// Whether the port of an authority may be connected to.
    pub(crate) fn allows(&self, authority: &Authority) -> bool {
        self.ports.contains(&authority.port) || self.pinned.contains(authority)
    }
}

/// Judges an intent. Pure: nothing is resolved, dialled or written.
pub(crate) fn decide(
    policy: &dyn Decide,
    reach: &Reach,
    intent: &Intent,
    attribution: &Attribution,
) -> Decision {
    if !reach.allows(&intent.authority) {
        let port = intent.authority.port;
        return Decision {
            action: Action::Block,
            rule: None,
            reason: Some(format!("port {port} is not one of upstream.connect_ports")),
            outcome: Err(StatusCode::FORBIDDEN),
            detections: Vec::new(),
        };
    }
    let verdict = over_readings(intent, attribution, |facts| policy.judge(&facts));
    let ruling = Ruling::of(verdict);
    let outcome = match ruling.action {
        Action::Allow => Ok(Permit::of(intent)),
        Action::Ask | Action::Block => Err(ruling.status),
    };
    let Ruling { action, rule, reason, detections, .. } = ruling;
    Decision { action, rule, reason, outcome, detections }
}

/// Judges a message of an exchange that was allowed, which names these `models`. A client that names
/// one model in the path and another in the message, or more than one there, is judged by all: which of
/// them counts is the server's to say.
pub(crate) fn judge_message<'a>(
    policy: &dyn Decide,
    intent: &Intent,
    attribution: &'a Attribution,
    counters: Counters,
    message: Message<'_>,
    mut models: Vec<&'a str>,
) -> Ruling {
    if message.direction == Direction::ToUpstream || models.is_empty() {
        let others: Vec<_> = attribution.models().filter(|it| !models.contains(it)).collect();
        models.extend(others);
    }
    let judge = |facts: Facts<'_>| {
        let by = |model| policy.judge(&facts.counters(counters).message(message.model(model)));
        let verdicts = models.iter().map(|model| by(Some(model)));
        verdicts.reduce(Verdict::stricter).unwrap_or_else(|| by(None))
    };
    Ruling::of(over_readings(intent, attribution, judge))
}

/// Which messages of an exchange are to be held: those that any reading of its path speaks of.
pub(crate) fn message_rules(
    policy: &dyn Decide,
    intent: &Intent,
    attribution: &Attribution,
) -> MessageRules {
    let known = Known::of(intent, attribution);
    let read = readings(&intent.path);
    let read = read.iter().flat_map(|path| known.readings(path));
    let rules = read.map(|facts| policy.message_rules_for(&facts));
    rules.fold(MessageRules::default(), MessageRules::and)
}

impl Ruling {
    fn of(verdict: Verdict<'_>) -> Self {
        let rule = verdict.rule.map(Cow::into_owned);
        let reason = match (verdict.action, verdict.reason) {
            (_, Some(reason)) => Some(reason.into_owned()),
            (Action::Allow, None) => None,
            (Action::Ask, None) => {
                Some("this needs approval, and there is nobody to ask".to_owned())
            }
            (Action::Block, None) => Some(match &rule {
                Some(rule) => format!("blocked by rule `{rule}`"),
                None => "no rule allows this".to_owned(),
            }),
        };
        let status = StatusCode::from_u16(verdict.status).unwrap_or(StatusCode::FORBIDDEN);
        let detections = verdict.detections.into_iter().map(owned).collect();
        Self { action: verdict.action, rule, reason, status, detections }
    }
}

fn owned(detection: Detection<'_>) -> Detection<'static> {
    let mut owned = Detection::new(detection.rule.into_owned(), detection.level);
    owned.name = detection.name.map(|name| Cow::Owned(name.into_owned()));
    owned.reason = detection.reason.map(|reason| Cow::Owned(reason.into_owned()));
    owned
}

/// The strictest of the verdicts on the ways to read an intent's path and method.
fn over_readings<'p>(
    intent: &Intent,
    attribution: &Attribution,
    judge: impl Fn(Facts<'_>) -> Verdict<'p>,
) -> Verdict<'p> {
    let known = Known::of(intent, attribution);
    let read = readings(&intent.path);
    let verdicts = read.iter().flat_map(|path| known.readings(path)).map(judge);
    // As written is the first of them.
    verdicts.reduce(Verdict::stricter).unwrap_or_else(|| Verdict::new(Action::Block))
}

/// What is known of an intent, in the form that facts borrow.
struct Known<'a> {
    intent: &'a Intent,
    attribution: &'a Attribution,
    host: String,
    headers: Vec<(&'a str, &'a str)>,
    subprotocols: Vec<&'a str>,
    extensions: &'static [&'static str],
}

impl<'a> Known<'a> {
    fn of(intent: &'a Intent, attribution: &'a Attribution) -> Self {
        let (mut subprotocols, mut extensions) = (Vec::new(), &[][..]);
        if let Kind::WebSocket(offer) = &intent.kind {
            let shown = |name: &&String| redact::subprotocols(name).first() == Some(*name);
            subprotocols.extend(offer.subprotocols().iter().filter(shown).map(String::as_str));
            extensions = offer.extensions().map_or(&[][..], |_| &["permessage-deflate"]);
        }
        let headers = intent.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let host = intent.authority.host.to_string();
        Self { intent, attribution, host, headers, subprotocols, extensions }
    }

    /// With each of the methods that a server may take.
    fn readings<'f>(&'f self, path: &'f str) -> impl Iterator<Item = Facts<'f>> {
        let facts = self.facts(path);
        let others = self.intent.other_methods.iter();
        iter::once(facts).chain(others.map(move |method| facts.method(method)))
    }

    fn facts<'f>(&'f self, path: &'f str) -> Facts<'f> {
        let Self { intent, attribution, .. } = self;
        let on = match intent.kind {
            Kind::WebSocket(_) => On::Upgrade,
            Kind::Http | Kind::Connect => On::Http,
        };
        Facts::new(on, &self.host, intent.authority.port)
            .scheme(intent.scheme.name(&intent.kind))
            .method(intent.method.as_str())
            .path(path)
            .query(intent.query.as_deref())
            .headers(&self.headers)
            .provider(attribution.provider.as_str())
            .protocol(attribution.api.map(Api::as_str))
            .process(intent.process.as_deref())
            .subprotocols(&self.subprotocols)
            .extensions(self.extensions)
    }
}

#[cfg(test)]
mod tests;
