//! One request, from its head to the hand-over of its response. The order of the steps is the
//! security property: read, decide, record, and only then reach out.

use crate::{
    answer::{self, Refusal},
    ask::Question,
    connection,
    credential::{Link, Masks, Target, Unresolved, substitute},
    decide::{Decision, Permit, decide, message_rules},
    guard::{Busy, Watch},
    http::{
        Exchanged, Lane,
        forward::{self, forward},
        head_of, headers,
        hold::{self, Judged},
        screen::Screen,
    },
    judge::Standing,
    proxy::Context,
    record::{End, ExchangeLog, Glimpse, Undecided, Visit, closed},
    request::{Intent, Kind, Route, Scheme, readings},
    rules::Followed,
    tap::Tap,
    ws::{self, Body, BoxIo, Connected, Takeover, Upgrade, UpgradeError},
};
use capsem_policy::Action;
use capsem_telemetry::{
    Attribution, CloseKind, FaultClass, Flow, Side, attribute, evidence::WsEvidence,
};
use capsem_ws_codec::handshake;
use http::{Request, Response, StatusCode, header, request::Parts};
use hyper::{body::Incoming, ext::ReasonPhrase, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, sync::Arc};

/// A client's HTTP connection, as its exchanges share it.
pub(crate) struct Client {
    pub(crate) cx: Arc<Context>,
    pub(crate) visit: Arc<Visit>,
    pub(crate) route: Route,
    pub(crate) watch: Arc<Watch>,
    /// The upstream connection of the last exchange, to be used again.
    pub(crate) lane: Lane,
}

impl Client {
    pub(crate) fn new(
        cx: Arc<Context>,
        visit: Arc<Visit>,
        route: Route,
        watch: Arc<Watch>,
    ) -> Self {
        Self { cx, visit, route, watch, lane: Lane::default() }
    }
}

/// Answers one request.
pub(crate) async fn handle(
    client: &Arc<Client>,
    refusal: Option<Refusal>,
    mut request: Request<Incoming>,
    busy: Busy,
) -> Response<Body> {
    let log = Undecided::new(&client.visit);
    if let Some(refusal) = refusal {
        return refuse(log, Glimpse::default(), &refusal).await;
    }
    let on_upgrade = hyper::upgrade::on(&mut request);
    let (mut parts, body) = request.into_parts();
    let mut intent = match Intent::read(&client.route, &parts) {
        Ok(intent) => intent,
        Err(refusal) => return refuse(log, glimpse(&parts), &refusal).await,
    };
    if matches!(intent.kind, Kind::Connect) && client.cx.reach.allows(&intent.authority) {
        return open_tunnel(client, &intent, on_upgrade);
    }
    let attribution = attribution(&intent);
    let mut policy = client.cx.policy.follow();
    if policy.current().asks_for_processes() {
        intent.process = client.visit.process(&client.cx).await;
    }
    let mut decision = decide(&*policy.current(), &client.cx.reach, &intent, &attribution);
    let approved = ask(client, &log, &intent, &attribution, &mut decision).await;
    if approved.is_some() && policy.has_changed() {
        // Other rules came while the answer did; only those that ask are content with it.
        let anew = decide(&*policy.current(), &client.cx.reach, &intent, &attribution);
        if anew.action != Action::Ask {
            decision = anew;
        }
    }
    let equipped = equip(client, &mut parts, &intent, &mut decision);
    let reference = equipped.as_ref().ok().and_then(reference);
    let log = match log.decided(&intent, &attribution, &decision, reference).await {
        Ok(log) => log,
        Err(error) => return unrecorded(&error),
    };
    let given = match equipped {
        Ok(given) => given,
        Err(error) => return unequipped(log, error),
    };
    match decision {
        Decision { outcome: Ok(permit), .. } => {
            let standing = Standing { intent, attribution, approved };
            let asked = Asked { standing, policy, parts, given };
            if matches!(asked.standing.intent.kind, Kind::WebSocket(_)) {
                websocket(client, permit, asked, on_upgrade, log, busy).await
            } else {
                http(client, permit, asked, body, log, busy).await
            }
        }
        Decision { outcome: Err(status), .. } => deny(log, &intent, status, &decision),
    }
}

/// Whose API a request is for, by the first reading of its path that is one: a server that decodes
/// its paths serves them all.
pub(crate) fn attribution(intent: &Intent) -> Attribution {
    let host = intent.authority.host.to_string();
    let read = readings(&intent.path).into_iter().map(|path| attribute(&host, &path));
    let mut known = read.filter(|it| it.api.is_some());
    let it = known.next().unwrap_or_else(|| attribute(&host, &intent.path));
    it.with_query(intent.query.as_deref().unwrap_or_default())
}

/// Asks where the rules say so. The rule it was approved under, if it was.
async fn ask(
    client: &Client,
    log: &Undecided,
    intent: &Intent,
    attribution: &Attribution,
    decision: &mut Decision,
) -> Option<String> {
    if decision.action != Action::Ask {
        return None;
    }
    let (visit, exchange) = (&client.visit, log.id());
    let words = (&decision.rule, &decision.reason);
    let provider = attribution.provider.as_str();
    let question = Question::new((visit.id(), exchange), intent, provider, words, None);
    let answer = client.cx.desk.ask(Arc::clone(visit), exchange, question).await;
    let approved = answer.is_ok();
    decision.answered(intent, answer);
    decision.rule.clone().filter(|_| approved)
}

/// Gives an allowed request its credentials. One that cannot have them loses its permit.
fn equip(
    client: &Client,
    parts: &mut Parts,
    intent: &Intent,
    decision: &mut Decision,
) -> Result<Masks, Unresolved> {
    let cx = &client.cx;
    if decision.outcome.is_err() || cx.credentials.is_empty() {
        return Ok(Masks::default());
    }
    let link = match intent.scheme {
        Scheme::Https => Link::Tls,
        Scheme::Http if cx.reach.pinned.contains(&intent.authority) => Link::Pinned,
        Scheme::Http => Link::Clear,
    };
    let host = intent.authority.host.to_string();
    let target = Target { host: &host, port: intent.authority.port, link };
    let given = substitute(parts, target, &*cx.credentials);
    match &given {
        Ok(given) => client.visit.hide(given),
        Err(error) => {
            decision.outcome = Err(StatusCode::BAD_GATEWAY);
            decision.reason = Some(error.to_string());
        }
    }
    given
}

/// The references of a request's credentials, as its record has them.
fn reference(given: &Masks) -> Option<String> {
    (!given.is_empty()).then(|| given.references().join(", "))
}

/// A CONNECT opens no connection: it names where the true requests, each judged, will go.
fn open_tunnel(client: &Arc<Client>, intent: &Intent, on_upgrade: OnUpgrade) -> Response<Body> {
    let (cx, visit) = (Arc::clone(&client.cx), Arc::clone(&client.visit));
    let authority = intent.authority.clone();
    client.watch.switch();
    client.cx.spawn_for(&client.visit, async move {
        if let Ok(stream) = on_upgrade.await {
            let io: BoxIo = Box::new(TokioIo::new(stream));
            connection::inner(cx, visit, Some(authority), io).await;
        }
    });
    Response::new(answer::empty())
}

/// A request as the client asked for it, and what it was allowed for.
struct Asked {
    standing: Standing,
    policy: Followed,
    parts: Parts,
    given: Masks,
}

async fn http(
    client: &Arc<Client>,
    permit: Permit,
    asked: Asked,
    body: Incoming,
    log: ExchangeLog,
    busy: Busy,
) -> Response<Body> {
    let Asked { standing, mut policy, mut parts, given } = asked;
    let standing = Arc::new(standing);
    let exchanged = Exchanged::new(log, standing.attribution.clone(), &client.cx, &parts, busy);
    let judged = hold::judged(client, &standing, &mut policy, &parts, body, &exchanged).await;
    let Judged { body, api } = match judged {
        Ok(judged) => judged,
        Err(response) => return *response,
    };
    let screen = Screen::new(client, &standing, policy, &exchanged, api);
    if screen.is_some() {
        Screen::ask_in_the_clear(&mut parts.headers);
    }
    let request = Request::from_parts(parts, body);
    match forward(client, &permit, request, &exchanged).await {
        Ok((mut response, address)) => {
            hide(client, &given, &mut response);
            match screen {
                Some(screen) => screen.relay(response, address).await,
                None => exchanged.relay(response, Some(address)),
            }
        }
        Err(error) => exchanged.fail(&error),
    }
}

/// Takes credentials out of a response head that repeats them, before anybody sees it.
fn hide<B>(client: &Client, given: &Masks, response: &mut Response<B>) {
    let all = client.cx.credentials.masks();
    given.hide(response.headers_mut());
    all.hide(response.headers_mut());
    let says = |masks: &Masks, phrase: &ReasonPhrase| {
        masks.text(&String::from_utf8_lossy(phrase.as_bytes())).is_some()
    };
    let phrase = response.extensions().get::<ReasonPhrase>();
    if phrase.is_some_and(|it| says(given, it) || says(&all, it)) {
        // Without it the status has its usual words.
        response.extensions_mut().remove::<ReasonPhrase>();
    }
}

async fn websocket(
    client: &Arc<Client>,
    permit: Permit,
    asked: Asked,
    on_upgrade: OnUpgrade,
    log: ExchangeLog,
    busy: Busy,
) -> Response<Body> {
    let Asked { standing, policy, parts, given } = asked;
    let cx = &client.cx;
    let dialed = match cx.upstream.dial(&permit).await {
        Ok(dialed) => dialed,
        Err(error) => {
            return fail(log, error.status(), error.class(), &error.to_string());
        }
    };
    // Read anew: the answer is held against what is sent, credentials among the subprotocols too.
    let Ok(Some(offer)) = handshake::read_request(&parts) else {
        return unequipped(log, Unresolved::Unusable);
    };
    let request = headers::upgrade_request(parts);
    let mut config = cx.ws.clone();
    // By a look of its own: what has changed since the verdict is still to be found by the tunnel.
    let in_force = policy.clone().current();
    let rules = message_rules(&*in_force, &standing.intent, &standing.attribution);
    if !rules.is_empty() {
        // So that a message can be left out and the next one still be read.
        config.takeover = Takeover::Off;
    }
    let mut evidence = WsEvidence::new(cx.evidence(log.id(), standing.attribution.clone()));
    match ws::upgrade(&offer, request, Connected(dialed.io), &config).await {
        Ok(Upgrade::Switched(mut response, tunnel)) => {
            hide(client, &given, &mut response);
            log.responded(&response, Side::Upstream, Some(dialed.address));
            read_answer(&log, &mut evidence, &response);
            client.watch.switch();
            let tap = Tap::new(log, evidence, standing, policy, cx);
            cx.spawn_for(&client.visit, async move { drop(tunnel.run(on_upgrade, tap).await) });
            response
        }
        Ok(Upgrade::Refused(mut response)) => {
            hide(client, &given, &mut response);
            read_answer(&log, &mut evidence, &response);
            let exchanged = Exchanged::without_evidence(log, busy);
            answer::closing(exchanged.relay(headers::response(response), Some(dialed.address)))
        }
        Err(error) => {
            let (status, class) = match &error {
                UpgradeError::Timeout(_) => {
                    (StatusCode::GATEWAY_TIMEOUT, FaultClass::HandshakeTimeout)
                }
                UpgradeError::Bad101(_) | UpgradeError::Interim => {
                    (StatusCode::BAD_GATEWAY, FaultClass::Bad101)
                }
                _ => (StatusCode::BAD_GATEWAY, forward::class_of(&error)),
            };
            fail(log, status, class, &error.to_string())
        }
    }
}

/// Shows evidence the head of what answers an upgrade.
fn read_answer<B>(log: &ExchangeLog, evidence: &mut WsEvidence, response: &Response<B>) {
    evidence.response_head(head_of(response));
    evidence.response_headers(headers::texts(response.headers()));
    log.rate_limits(evidence.take_rate_limits());
}

/// Answers what could not be read as one request.
async fn refuse(log: Undecided, seen: Glimpse<'_>, refusal: &Refusal) -> Response<Body> {
    match log.refused(seen, refusal.class, &refusal.reason).await {
        Ok(log) => {
            let response = refusal.response();
            conclude(log, &response, CloseKind::Error, Side::Client, &refusal.reason);
            response
        }
        Err(error) => unrecorded(&error),
    }
}

/// Answers what policy does not allow.
fn deny(
    log: ExchangeLog,
    intent: &Intent,
    status: StatusCode,
    decision: &Decision,
) -> Response<Body> {
    let kind = match decision.action {
        Action::Ask => "approval_required",
        Action::Allow | Action::Block => "policy_denied",
    };
    let reason = decision.reason.as_deref().unwrap_or_default();
    let response = answer::error(status, kind, decision.rule.as_deref(), reason);
    let response = match intent.kind {
        Kind::Http => response,
        Kind::WebSocket(_) | Kind::Connect => answer::closing(response),
    };
    conclude(log, &response, CloseKind::Policy, Side::Proxy, reason);
    response
}

/// Answers what is allowed and cannot have its credential.
fn unequipped(log: ExchangeLog, error: Unresolved) -> Response<Body> {
    let (class, reason) = (FaultClass::Credential, error.to_string());
    log.fault(Side::Proxy, class, &reason);
    let (status, word) = (StatusCode::BAD_GATEWAY, "credential_unavailable");
    let response = answer::error(status, word, Some(class.as_str()), &reason);
    conclude(log, &response, CloseKind::Error, Side::Proxy, &reason);
    answer::closing(response)
}

/// Answers for an upstream that cannot.
fn fail(log: ExchangeLog, status: StatusCode, class: FaultClass, detail: &str) -> Response<Body> {
    log.fault(Side::Upstream, class, detail);
    let response = answer::error(status, "upstream_error", Some(class.as_str()), detail);
    let kind =
        if status == StatusCode::GATEWAY_TIMEOUT { CloseKind::Timeout } else { CloseKind::Error };
    conclude(log, &response, kind, Side::Upstream, detail);
    answer::closing(response)
}

/// Records an answer of the proxy's own and the end it makes.
fn conclude(log: ExchangeLog, response: &Response<Body>, kind: CloseKind, by: Side, reason: &str) {
    log.responded(response, Side::Proxy, None::<SocketAddr>);
    log.end(End {
        close: closed(kind, Some(by), None, Some(reason)),
        to_upstream: Flow::default(),
        to_client: Flow::default(),
        evidence: None,
    });
}

/// What cannot be recorded does not happen.
fn unrecorded(error: &capsem_telemetry::Error) -> Response<Body> {
    tracing::error!(%error, "an exchange was refused: it could not be recorded");
    let message = "the ledger takes no records; try again later";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    answer::closing(answer::error(status, "ledger_unavailable", Some("sink"), message))
}

fn glimpse(parts: &Parts) -> Glimpse<'_> {
    Glimpse {
        method: Some(parts.method.as_str()),
        path: Some(parts.uri.path()),
        upgrade: parts.headers.contains_key(header::UPGRADE),
    }
}
