//! One accepted connection, from its first byte to its last: TLS or not, then HTTP.

use crate::{
    authority::Authority,
    detect::{Protocol, detect},
    exchange::{self, Client},
    guard::Guard,
    proxy::Context,
    record::Visit,
    request::{Route, Scheme},
    tls::terminate::terminate,
    ws::BoxIo,
};
use capsem_telemetry::{FaultClass, Side};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, sync::Arc};
use tokio::time::timeout;

/// The listener a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// CONNECT and absolute-form requests.
    Proxy,
    /// Redirected traffic: TLS by SNI, plain HTTP by Host.
    Transparent,
}

/// Serves a connection that was just accepted.
pub(crate) async fn serve(cx: Arc<Context>, visit: Arc<Visit>, door: Door, io: BoxIo) {
    match door {
        Door::Proxy => http(cx, visit, Route::Explicit, io).await,
        Door::Transparent => inner(cx, visit, None, io).await,
    }
}

/// Serves what comes first: redirected traffic, or the inside of a CONNECT to `settled`.
pub(crate) async fn inner(
    cx: Arc<Context>,
    visit: Arc<Visit>,
    settled: Option<Authority>,
    io: BoxIo,
) {
    let limit = cx.limits.tls_timeout;
    let detected = tokio::select! {
        detected = timeout(limit, detect(io)) => detected,
        // Nothing has begun yet.
        () = cx.ws.drain.wait() => return,
    };
    let (protocol, io) = match detected {
        Ok(Ok(Some(detected))) => detected,
        // Gone without a word: there is nothing to report but `closed`.
        Ok(Ok(None) | Err(_)) => return,
        Err(_) => {
            let detail = format!("not one byte within {limit:?}");
            return visit.fault(Side::Client, FaultClass::TlsTimeout, &detail);
        }
    };
    match protocol {
        Protocol::Tls => tls(cx, visit, settled, io).await,
        Protocol::Http => {
            let route = match settled {
                Some(authority) => Route::Settled { scheme: Scheme::Http, authority },
                None => Route::Transparent,
            };
            http(cx, visit, route, io).await;
        }
        Protocol::Unknown => {
            visit.fault(Side::Client, FaultClass::Tls, "the first byte is neither TLS nor HTTP");
        }
    }
}

async fn tls(cx: Arc<Context>, visit: Arc<Visit>, settled: Option<Authority>, io: BoxIo) {
    let limit = cx.limits.tls_timeout;
    let terminated = tokio::select! {
        terminated = timeout(limit, terminate(&cx.leaves, settled.as_ref(), io)) => terminated,
        // Nothing was asked for yet.
        () = cx.ws.drain.wait() => return,
    };
    match terminated {
        Ok(Ok(terminated)) => {
            let port = settled.map_or(Scheme::Https.default_port(), |authority| authority.port);
            let authority = Authority { host: terminated.host, port };
            let route = Route::Settled { scheme: Scheme::Https, authority };
            http(cx, visit, route, terminated.io).await;
        }
        Ok(Err(error)) => visit.fault(Side::Client, error.class(), &error.to_string()),
        Err(_) => {
            let detail = format!("the TLS handshake took longer than {limit:?}");
            visit.fault(Side::Client, FaultClass::TlsTimeout, &detail);
        }
    }
}

/// Serves HTTP/1 until the connection ends or is handed over to another protocol.
async fn http(cx: Arc<Context>, visit: Arc<Visit>, route: Route, io: BoxIo) {
    let (guard, watch) = Guard::new(io, cx.bounds());
    let drain = cx.ws.drain.clone();
    let client = Arc::new(Client::new(cx, Arc::clone(&visit), route, Arc::clone(&watch)));
    let service = service_fn(|request| {
        let (refusal, busy) = (client.watch.take_refusal(), client.watch.busy());
        let client = Arc::clone(&client);
        async move { Ok::<_, Infallible>(exchange::handle(&client, refusal, request, busy).await) }
    });
    let result = {
        let connection = http1::Builder::new()
            .preserve_header_case(true)
            .auto_date_header(false)
            .serve_connection(TokioIo::new(guard), service)
            .with_upgrades();
        tokio::pin!(connection);
        tokio::select! {
            result = connection.as_mut() => result,
            () = drain.wait() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    // The exchanges of the connection are gone: a violation none of them took belongs to none.
    if let Some(violation) = watch.take_violation() {
        visit.fault(Side::Client, violation.class, &violation.reason);
    } else if let Err(error) = result {
        tracing::debug!(%error, "a client's connection broke");
    }
}
