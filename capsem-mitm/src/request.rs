//! One request head becomes an [`Intent`], or is refused, once, for every path through the proxy.
//!
//! The guard has checked its bytes; here its meaning must be one: one authority on the connection,
//! in the target and in Host; a path that every parser reads alike; an upgrade that is one.

use crate::{answer::Refusal, authority::Authority};
use capsem_telemetry::FaultClass;
use capsem_ws_codec::handshake::{self, Offer};
use http::{HeaderMap, Method, StatusCode, Uri, header, request::Parts};

/// What a connection already says about the requests on it.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// An explicit proxy's connection: each request names its own authority.
    Explicit,
    /// Redirected plain HTTP: Host names the authority.
    Transparent,
    /// Inside TLS or a CONNECT: the authority is settled.
    Settled { scheme: Scheme, authority: Authority },
}

/// How upstream is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// The scheme as the exchange's kind names it: `https`, or `wss` for an upgrade.
    pub(crate) fn name(self, kind: &Kind) -> &'static str {
        match (self, kind) {
            (Self::Http, Kind::WebSocket(_)) => "ws",
            (Self::Https, Kind::WebSocket(_)) => "wss",
            (Self::Http, _) => "http",
            (Self::Https, _) => "https",
        }
    }
}

/// What a request wants, in canonical form.
#[derive(Debug)]
pub(crate) struct Intent {
    pub(crate) kind: Kind,
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) method: Method,
    /// Others that a server may take in its place, since a field or the query names them.
    pub(crate) other_methods: Vec<String>,
    /// The path as sent, `/` at least; for CONNECT empty.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// The header fields that rules may ask for, names in lower case; several lines of one are one
    /// list (RFC 9110 section 5.3).
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The name of the client's process, where it is known.
    pub(crate) process: Option<String>,
}

/// The three things a request can ask for.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Forward this request.
    Http,
    /// Switch to WebSocket.
    WebSocket(Box<Offer>),
    /// Open a tunnel, in which the true request will come.
    Connect,
}

impl Intent {
    /// Reads a request head.
    pub(crate) fn read(route: &Route, parts: &Parts) -> Result<Self, Refusal> {
        if parts.method == Method::CONNECT {
            return Self::connect(route, parts);
        }
        let (scheme, authority) = settle(route, &parts.uri, &parts.headers)?;
        let path = parts.uri.path();
        check_path(&parts.method, path)?;
        check_nominations(&parts.headers)?;
        Ok(Self {
            kind: kind_of(parts)?,
            scheme,
            authority,
            method: parts.method.clone(),
            other_methods: other_methods(parts)?,
            path: path.to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: asked_for(&parts.headers),
            process: None,
        })
    }

    fn connect(route: &Route, parts: &Parts) -> Result<Self, Refusal> {
        if !matches!(route, Route::Explicit) {
            let reason = "CONNECT is for the explicit proxy's own connection";
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, FaultClass::Head, reason));
        }
        let target = parts.uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        if !target.contains(':') || target.ends_with(':') {
            return Err(Refusal::authority("a CONNECT target is `host:port`"));
        }
        let authority = parse(target, 0)?;
        // The host of a CONNECT is optional in old clients; where it is there it must agree.
        if let Some(host) = the_host(&parts.headers)? {
            agree(&authority, &host_of(host, authority.port)?, Refusal::authority)?;
        }
        Ok(Self {
            kind: Kind::Connect,
            scheme: if authority.port == 80 { Scheme::Http } else { Scheme::Https },
            authority,
            method: Method::CONNECT,
            other_methods: Vec::new(),
            path: String::new(),
            query: None,
            headers: Vec::new(),
            process: None,
        })
    }
}

/// The one authority a request is for.
fn settle(route: &Route, uri: &Uri, headers: &HeaderMap) -> Result<(Scheme, Authority), Refusal> {
    let host = the_host(headers)?.ok_or_else(|| Refusal::authority("no Host header"))?;
    match route {
        Route::Explicit => {
            if uri.scheme_str() != Some("http") {
                return Err(Refusal::authority(
                    "this is a proxy: use CONNECT for https, an absolute http:// URI for http",
                ));
            }
            let target = absolute(uri, Scheme::Http)?;
            agree(&target, &host_of(host, 80)?, Refusal::authority)?;
            Ok((Scheme::Http, target))
        }
        Route::Transparent => {
            let authority = host_of(host, 80)?;
            if uri.scheme().is_some() {
                agree(&absolute(uri, Scheme::Http)?, &authority, Refusal::authority)?;
            }
            Ok((Scheme::Http, authority))
        }
        Route::Settled { scheme, authority } => {
            if uri.scheme().is_some() {
                agree(&absolute(uri, *scheme)?, authority, Refusal::authority)?;
            }
            let host = host_of(host, scheme.default_port())?;
            agree(&host, authority, Refusal::misdirected)?;
            Ok((*scheme, authority.clone()))
        }
    }
}

/// The authority of an absolute-form target of the given scheme.
fn absolute(uri: &Uri, scheme: Scheme) -> Result<Authority, Refusal> {
    let expect = match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    if uri.scheme_str() != Some(expect) {
        return Err(Refusal::authority("the target's scheme is not this connection's"));
    }
    let text = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    parse(text, scheme.default_port())
}

/// The only Host header, if there is one.
fn the_host(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (first, None) = (hosts.next(), hosts.next()) else {
        return Err(Refusal::authority("more than one Host header"));
    };
    first
        .map(|host| host.to_str().map_err(|_| Refusal::authority("the Host header is not ASCII")))
        .transpose()
}

fn host_of(host: &str, default_port: u16) -> Result<Authority, Refusal> {
    parse(host, default_port)
}

fn parse(text: &str, default_port: u16) -> Result<Authority, Refusal> {
    Authority::parse(text, default_port).map_err(|error| Refusal::authority(error.to_string()))
}

fn agree(a: &Authority, b: &Authority, refuse: fn(String) -> Refusal) -> Result<(), Refusal> {
    if a == b { Ok(()) } else { Err(refuse(format!("the request names both {a} and {b}"))) }
}

fn asked_for(headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let lines = |name: &&'static str| {
        let lines: Vec<_> = headers
            .get_all(*name)
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()))
            .collect();
        (!lines.is_empty()).then(|| (*name, lines.join(", ")))
    };
    capsem_policy::HEADERS.iter().filter_map(lines).collect()
}

/// How often a path may be percent-encoded over itself.
const ENCODINGS: usize = 3;

/// Refuses a path that no honest client sends and that parsers disagree on. What is left may still
/// have several readings; policy judges them all (see [`readings`]).
fn check_path(method: &Method, path: &str) -> Result<(), Refusal> {
    let refuse = |reason| Err(Refusal::new(StatusCode::BAD_REQUEST, FaultClass::Authority, reason));
    if path == "*" && *method == Method::OPTIONS {
        return Ok(());
    }
    if !path.starts_with('/') {
        return refuse("the path does not begin with a slash");
    }
    if std::iter::successors(decoded(path), |path| decoded(path)).nth(ENCODINGS).is_some() {
        return refuse("the path is percent-encoded over and over");
    }
    for read in readings(path) {
        if may_name_an_authority(path, &read) || read.contains('\\') {
            return refuse("the path could be read as another authority or path");
        }
        if read.contains(|letter: char| letter.is_ascii_control()) {
            return refuse("the path has a control character");
        }
        if read.split('/').any(|segment| matches!(segment, "." | "..")) {
            return refuse("the path has a dot segment");
        }
    }
    Ok(())
}

/// Whether a reading of a path can be taken for a network-path reference, `//authority/path` (RFC
/// 3986 section 4.2). Clients that join a base URL and a path do send two slashes, in the open and
/// before a plain word: that is a path. What is hidden, or looks like a host, is not.
fn may_name_an_authority(path: &str, read: &str) -> bool {
    let Some(rest) = read.strip_prefix("//") else { return false };
    let word = rest.split('/').next().unwrap_or_default();
    let plain = word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && !word.eq_ignore_ascii_case("localhost");
    !(plain && path.starts_with("//"))
}

/// The methods that a request names beside its own, for servers that take the one for the other.
fn other_methods(parts: &Parts) -> Result<Vec<String>, Refusal> {
    /// More than these are no service to anybody; each is judged.
    const MOST: usize = 8;
    const FIELDS: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
    const KEYS: [&str; 2] = ["$httpMethod", "_method"];
    let fields = FIELDS.iter().flat_map(|name| parts.headers.get_all(*name));
    let fields = fields.filter_map(|value| Some(value.to_str().ok()?.to_owned()));
    let pairs =
        parts.uri.query().unwrap_or_default().split('&').filter_map(|it| it.split_once('='));
    let keys = pairs.filter_map(|(key, value)| {
        let key = decoded(key).unwrap_or_else(|| key.to_owned());
        KEYS.contains(&&*key).then(|| decoded(value).unwrap_or_else(|| value.to_owned()))
    });
    let mut named: Vec<_> =
        fields.chain(keys).map(|method| method.trim().to_ascii_uppercase()).collect();
    named.sort_unstable();
    named.dedup();
    named.retain(|method| *method != parts.method.as_str());
    if named.len() > MOST {
        let reason = "the request names more methods than it can be of";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, FaultClass::Head, reason));
    }
    Ok(named)
}

/// The ways a path can be read, as written first: with its percent-encodings decoded until nothing
/// changes, each run of slashes as one, the parameters of its segments left out, and cut where a
/// query or fragment would begin, in any order. For a path that passed [`check_path`] they are few.
pub(crate) fn readings(path: &str) -> Vec<String> {
    let mut read = vec![path.to_owned()];
    let mut next = 0;
    while let Some(path) = read.get(next) {
        let others = [decoded(path), collapsed(path), without_parameters(path), cut(path)];
        for other in others.into_iter().flatten() {
            if !read.contains(&other) {
                read.push(other);
            }
        }
        next += 1;
    }
    read
}

/// The path with each run of slashes as one, if it has any: how a server that merges them before it
/// routes would read it.
fn collapsed(path: &str) -> Option<String> {
    path.contains("//").then(|| {
        let mut read = String::with_capacity(path.len());
        for letter in path.chars() {
            if letter != '/' || !read.ends_with('/') {
                read.push(letter);
            }
        }
        read
    })
}

/// The path with each segment ending at its first semicolon, if it has any: how a server that takes
/// what follows for parameters (RFC 3986 section 3.3) would read it.
fn without_parameters(path: &str) -> Option<String> {
    let bare = |segment: &'_ str| segment.split(';').next().unwrap_or_default().to_owned();
    path.contains(';').then(|| path.split('/').map(bare).collect::<Vec<_>>().join("/"))
}

/// The path up to what a server that decodes too early takes for a query or fragment.
fn cut(path: &str) -> Option<String> {
    path.find(['?', '#']).map(|end| path[..end].to_owned())
}

/// The path with its ASCII percent-encodings decoded, if it has any: how a server that decodes
/// before it routes would read it.
fn decoded(path: &str) -> Option<String> {
    let mut rest = path.split('%');
    let mut read = rest.next()?.to_owned();
    let mut differs = false;
    for part in rest {
        let byte = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(byte) = byte.filter(u8::is_ascii) {
            read.push(char::from(byte));
            read.push_str(&part[2..]);
            differs = true;
        } else {
            read.push('%');
            read.push_str(part);
        }
    }
    differs.then_some(read)
}

/// Refuses a `Connection` header that would strip what another hop relies on.
fn check_nominations(headers: &HeaderMap) -> Result<(), Refusal> {
    const PROTECTED: [&str; 6] =
        ["authorization", "content-length", "content-type", "cookie", "host", "transfer-encoding"];
    for value in headers.get_all(header::CONNECTION) {
        let value =
            value.to_str().map_err(|_| Refusal::head("the Connection header is not ASCII"))?;
        for option in value.split(',').map(|option| option.trim().to_ascii_lowercase()) {
            if PROTECTED.contains(&option.as_str()) || option.starts_with("sec-websocket-") {
                return Err(Refusal::head("Connection nominates a field that other hops need"));
            }
        }
    }
    Ok(())
}

fn kind_of(parts: &Parts) -> Result<Kind, Refusal> {
    match handshake::read_request(parts) {
        Ok(Some(offer)) => Ok(Kind::WebSocket(Box::new(offer))),
        Ok(None) => Ok(Kind::Http),
        Err(error) => Err(Refusal::new(error.status(), FaultClass::Head, error.to_string())),
    }
}

#[cfg(test)]
mod tests;
