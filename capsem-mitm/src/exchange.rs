//! One request, from its head to the hand-over of its response. The order of the steps is the
//! security property: read, decide, record, and only then reach out.

use crate::{
    answer::{self, Refusal},
    connection,
    decide::{Decision, Permit, decide},
    guard::{Busy, Watch},
    http::{
        Exchanged, Lane,
        forward::{self, forward},
        headers,
    },
    proxy::Context,
    record::{End, ExchangeLog, Glimpse, Undecided, Visit, closed},
    request::{Intent, Kind, Route},
    tap::Tap,
    ws::{self, Body, BoxIo, Connected, Upgrade, UpgradeError},
};
use capsem_policy::Action;
use capsem_telemetry::{Attribution, CloseKind, FaultClass, Flow, Side, attribute};
use capsem_ws_codec::handshake::Offer;
use http::{Request, Response, StatusCode, header, request::Parts};
use hyper::{body::Incoming, upgrade::OnUpgrade};
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
    let (parts, body) = request.into_parts();
    let intent = match Intent::read(&client.route, &parts) {
        Ok(intent) => intent,
        Err(refusal) => return refuse(log, glimpse(&parts), &refusal).await,
    };
    if matches!(intent.kind, Kind::Connect) && client.cx.reach.allows(&intent.authority) {
        return open_tunnel(client, &intent, on_upgrade);
    }
    let host = intent.authority.host.to_string();
    let query = intent.query.as_deref().unwrap_or_default();
    let attribution = attribute(&host, &intent.path).with_query(query);
    let decision = decide(&client.cx.policy, &client.cx.reach, &intent, &attribution);
    let log = match log.decided(&intent, &attribution, &decision).await {
        Ok(log) => log,
        Err(error) => return unrecorded(&error),
    };
    match decision {
        Decision { outcome: Ok(permit), .. } => match intent.kind {
            Kind::WebSocket(offer) => {
                let asked = Asked { offer: &offer, parts, on_upgrade };
                websocket(client, permit, asked, log, attribution, busy).await
            }
            Kind::Http | Kind::Connect => {
                let request = Request::from_parts(parts, body);
                http(client, permit, request, log, attribution, busy).await
            }
        },
        Decision { outcome: Err(status), .. } => deny(log, &intent, status, &decision),
    }
}

/// A CONNECT opens no connection: it names where the true requests, each judged, will go.
fn open_tunnel(client: &Arc<Client>, intent: &Intent, on_upgrade: OnUpgrade) -> Response<Body> {
    let (cx, visit) = (Arc::clone(&client.cx), Arc::clone(&client.visit));
    let authority = intent.authority.clone();
    client.watch.switch();
    client.cx.spawn(async move {
        if let Ok(stream) = on_upgrade.await {
            let io: BoxIo = Box::new(TokioIo::new(stream));
            connection::inner(cx, visit, Some(authority), io).await;
        }
    });
    Response::new(answer::empty())
}

async fn http(
    client: &Arc<Client>,
    permit: Permit,
    request: Request<Incoming>,
    log: ExchangeLog,
    attribution: Attribution,
    busy: Busy,
) -> Response<Body> {
    let exchanged = Exchanged::new(log, attribution, &client.cx, &request, busy);
    match forward(client, &permit, request, &exchanged).await {
        Ok((response, address)) => exchanged.relay(response, Some(address)),
        Err(error) => exchanged.fail(&error),
    }
}

/// An upgrade as the client asked for it.
struct Asked<'a> {
    offer: &'a Offer,
    parts: Parts,
    on_upgrade: OnUpgrade,
}

async fn websocket(
    client: &Arc<Client>,
    permit: Permit,
    asked: Asked<'_>,
    log: ExchangeLog,
    attribution: Attribution,
    busy: Busy,
) -> Response<Body> {
    let Asked { offer, parts, on_upgrade } = asked;
    let cx = &client.cx;
    let dialed = match cx.upstream.dial(&permit).await {
        Ok(dialed) => dialed,
        Err(error) => {
            return fail(log, error.status(), error.class(), &error.to_string());
        }
    };
    let request = headers::upgrade_request(parts);
    match ws::upgrade(offer, request, Connected(dialed.io), &cx.ws).await {
        Ok(Upgrade::Switched(response, tunnel)) => {
            log.responded(&response, Side::Upstream, Some(dialed.address));
            client.watch.switch();
            let tap = Tap::new(log, attribution, cx);
            cx.spawn(async move { drop(tunnel.run(on_upgrade, tap).await) });
            response
        }
        Ok(Upgrade::Refused(response)) => {
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
