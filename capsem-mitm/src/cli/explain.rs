//! `capsem-mitm explain`: the verdict of a rule file on one request, or on a message of it, reached
//! as the proxy reaches it and without a byte sent.

use super::{
    args::{ExplainArgs, Sender},
    error::CliError,
    json, policy_file, print,
};
use crate::{
    authority::Authority,
    decide::{Reach, decide},
    exchange::attribution,
    judge::Shown,
    request::{Intent, Kind, Route, Scheme},
};
use capsem_policy::{Action, Counters, Opcode, Policy};
use capsem_telemetry::evidence::MessageFacts;
use capsem_ws_codec::Role;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header, request::Parts};
use std::{fs, process::ExitCode};

/// Prints the verdict.
pub(crate) fn explain(args: &ExplainArgs) -> Result<ExitCode, CliError> {
    let policy = policy_file::load(&args.policy)?;
    let message = match &args.message {
        Some(path) => {
            let payload = fs::read(path)
                .map_err(|error| CliError::MessageFile { path: path.clone(), error })?;
            let from = match args.from {
                Sender::Client => Role::Client,
                Sender::Server => Role::Server,
            };
            Some((from, payload))
        }
        None => None,
    };
    let target = Target::parse(&args.url)?;
    let parts = target.head(&args.method, &args.headers)?;
    print(&verdict(&policy, &target, &parts, args.process.clone(), message.as_ref())?)
}

fn verdict(
    policy: &Policy,
    target: &Target,
    parts: &Parts,
    process: Option<String>,
    message: Option<&(Role, Vec<u8>)>,
) -> Result<String, CliError> {
    let route = Route::Settled { scheme: target.scheme, authority: target.authority.clone() };
    let mut intent = Intent::read(&route, parts).map_err(|refusal| CliError::Refused {
        url: target.url.escape_debug().to_string(),
        reason: refusal.reason.into_owned(),
    })?;
    intent.process = process;
    // Which ports may be dialled is the configuration's to say, and here is none.
    let reach = Reach { ports: vec![target.authority.port], pinned: Vec::new() };
    let attribution = attribution(&intent);
    let decision = decide(policy, &reach, &intent, &attribution);
    let (mut action, mut rule, mut reason) = (decision.action, decision.rule, decision.reason);
    // No message comes of a request that is not allowed.
    if let (Action::Allow, Some((from, payload))) = (action, message) {
        let shown = Shown {
            from: *from,
            opcode: opcode(&intent, payload),
            size: u64::try_from(payload.len()).unwrap_or(u64::MAX),
            payload,
            facts: &MessageFacts::read(payload),
        };
        let ruling = shown.judge(policy, &intent, &attribution, Counters::default());
        (action, rule, reason) = (ruling.action, ruling.rule, ruling.reason);
    }
    Ok(json::line(&[
        ("action", action.as_str().into()),
        ("rule", rule.into()),
        ("reason", reason.into()),
    ]))
}

fn opcode(intent: &Intent, payload: &[u8]) -> Option<Opcode> {
    match intent.kind {
        Kind::WebSocket(_) if std::str::from_utf8(payload).is_ok() => Some(Opcode::Text),
        Kind::WebSocket(_) => Some(Opcode::Binary),
        Kind::Http | Kind::Connect => None,
    }
}

/// Where a request goes, as its URL says.
struct Target {
    url: String,
    scheme: Scheme,
    upgrade: bool,
    authority: Authority,
    uri: Uri,
}

impl Target {
    fn parse(url: &str) -> Result<Self, CliError> {
        let uri: Uri = url.parse().map_err(|error| bad(url, format!("{error}")))?;
        let (scheme, upgrade) = match uri.scheme_str() {
            Some("https") => (Scheme::Https, false),
            Some("http") => (Scheme::Http, false),
            Some("wss") => (Scheme::Https, true),
            Some("ws") => (Scheme::Http, true),
            _ => return Err(bad(url, "it begins with none of https, http, wss, ws")),
        };
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        let authority = Authority::parse(authority, scheme.default_port())
            .map_err(|error| bad(url, error.to_string()))?;
        Ok(Self { url: url.to_owned(), scheme, upgrade, authority, uri })
    }

    /// The head of the request as a client sends it: origin-form, with what an upgrade needs.
    fn head(&self, method: &str, headers: &[String]) -> Result<Parts, CliError> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| CliError::Method(method.escape_debug().to_string()))?;
        let url = || self.uri.to_string();
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|error| bad(&url(), format!("{error}")))?;
        let map = request.headers_mut();
        let host = HeaderValue::try_from(self.authority.to_string());
        map.insert(header::HOST, host.map_err(|error| bad(&url(), error.to_string()))?);
        for text in headers {
            let (name, value) = parse_header(text)?;
            map.append(name, value);
        }
        if self.upgrade || asks_for_websocket(map) {
            complete_upgrade(map);
        }
        Ok(request.into_parts().0)
    }
}

fn bad(url: &str, reason: impl Into<String>) -> CliError {
    CliError::Url { url: url.escape_debug().to_string(), reason: reason.into() }
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), CliError> {
    let parsed = text.split_once(':').and_then(|(name, value)| {
        Some((name.trim().parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    });
    parsed.ok_or_else(|| CliError::Header(text.escape_debug().to_string()))
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE);
    upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Adds what a client's library would (RFC 6455 section 4.1). The key is the RFC's own example: no
/// handshake comes of it.
fn complete_upgrade(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONNECTION, "Upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_VERSION, "13"),
        (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests;
