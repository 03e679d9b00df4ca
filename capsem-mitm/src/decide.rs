//! Asks policy. Only an allow makes a [`Permit`], and only a permit is dialled.

use crate::{
    authority::Authority,
    request::{Intent, Kind, Scheme, readings},
};
use capsem_policy::{Action, Decide, Facts, On, Verdict};
use capsem_telemetry::Attribution;
use http::StatusCode;
use std::borrow::Cow;

/// The right to send one request to one authority. Not `Clone`: sending spends it.
#[derive(Debug)]
pub(crate) struct Permit {
    authority: Authority,
    scheme: Scheme,
}

impl Permit {
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
        };
    }
    let as_written = verdict(policy, intent, attribution, &intent.path);
    let verdict = readings(&intent.path)
        .skip(1)
        .map(|path| verdict(policy, intent, attribution, &path))
        .fold(as_written, Verdict::stricter);
    let outcome = match verdict.action {
        Action::Allow => Ok(Permit { authority: intent.authority.clone(), scheme: intent.scheme }),
        Action::Ask | Action::Block => {
            Err(StatusCode::from_u16(verdict.status).unwrap_or(StatusCode::FORBIDDEN))
        }
    };
    let rule = verdict.rule.map(Cow::into_owned);
    let reason = match (verdict.action, verdict.reason) {
        (_, Some(reason)) => Some(reason.into_owned()),
        (Action::Allow, None) => None,
        (Action::Ask, None) => Some("this needs approval, and there is nobody to ask".to_owned()),
        (Action::Block, None) => Some(match &rule {
            Some(rule) => format!("blocked by rule `{rule}`"),
            None => "no rule allows this".to_owned(),
        }),
    };
    Decision { action: verdict.action, rule, reason, outcome }
}

fn verdict<'p>(
    policy: &'p dyn Decide,
    intent: &Intent,
    attribution: &Attribution,
    path: &str,
) -> Verdict<'p> {
    let on = match intent.kind {
        Kind::WebSocket(_) => On::Upgrade,
        Kind::Http | Kind::Connect => On::Http,
    };
    let host = intent.authority.host.to_string();
    let facts = Facts::new(on, &host, intent.authority.port)
        .scheme(intent.scheme.name(&intent.kind))
        .method(intent.method.as_str())
        .path(path)
        .provider(attribution.provider.as_str());
    policy.judge(&facts)
}

#[cfg(test)]
mod tests;
