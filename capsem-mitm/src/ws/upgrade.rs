//! The handshake: forward an upgrade, verify the answer in full, switch or pass it on as HTTP.

use super::{
    close::{Cause, Ended},
    config::{Config, Drain, Takeover},
    interim::Interim,
    session::Session,
    tunnel::{Owed, relay},
};
use bytes::Bytes;
use capsem_ws_codec::{
    Role,
    handshake::{self, Accepted, HandshakeError, Offer},
};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    client::conn::http1,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use std::{borrow::Cow, future::Future, io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

/// Any two-way byte stream.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// A two-way byte stream of a kind known only at run time.
pub type BoxIo = Box<dyn Io>;

/// A response body that is passed through, or empty.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Bytes of the body that come with a refusal: an explanation, not a download.
const REFUSAL: usize = 1024 * 1024;

/// Makes the one connection an upgrade needs. The host decided before it gives one away.
pub trait Connect: Send {
    /// Connects, TLS included where the scheme asks for it.
    fn connect(self) -> impl Future<Output = io::Result<BoxIo>> + Send;
}

impl<F, R> Connect for F
where
    F: FnOnce() -> R + Send,
    R: Future<Output = io::Result<BoxIo>> + Send,
{
    async fn connect(self) -> io::Result<BoxIo> {
        self().await
    }
}

/// A connection that is made already.
pub struct Connected(pub BoxIo);

impl Connect for Connected {
    async fn connect(self) -> io::Result<BoxIo> {
        Ok(self.0)
    }
}

/// What upstream made of an upgrade.
#[non_exhaustive]
pub enum Upgrade {
    /// It switched: send the head to the client, with every header upstream set, and run the tunnel.
    Switched(Response<Body>, Tunnel),
    /// It answered over HTTP: send this on, status, headers and body.
    Refused(Response<Body>),
}

/// Why an upgrade came to nothing. The client is owed a 502 or, for [`Timeout`](Self::Timeout), a 504.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// No connection could be made.
    #[error("connecting upstream: {0}")]
    Connect(#[source] io::Error),
    /// Upstream closed, or sent something that is no HTTP response.
    #[error("the upstream's answer to the upgrade: {0}")]
    Http(#[source] hyper::Error),
    /// Upstream sent a 101 that is not one (RFC 6455 section 4.1).
    #[error("the upstream's 101: {0}")]
    Bad101(#[source] HandshakeError),
    /// Upstream sent more than eight interim responses.
    #[error("upstream sent nothing but interim responses")]
    Interim,
    /// Upstream sent no response head in time.
    #[error("upstream did not answer the upgrade within {0:?}")]
    Timeout(Duration),
}

impl UpgradeError {
    /// The error in one word, as spans and metrics name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) | Self::Http(_) => "upstream",
            Self::Bad101(_) | Self::Interim => "parse",
            Self::Timeout(_) => "timeout",
        }
    }
}

/// Forwards an upgrade the host has already authorised.
///
/// `offer` was read from the client's request; `request` is that request as the host wants it sent:
/// origin-form, credentials in place. Its `Sec-WebSocket-Extensions` is replaced by the part of the
/// offer that can be read, and its hop-by-hop headers by a plain upgrade.
///
/// # Errors
///
/// See [`UpgradeError`]. The connection is closed then, and nothing but the head was sent on it.
pub async fn upgrade<C: Connect>(
    offer: &Offer,
    request: Request<()>,
    connect: C,
    config: &Config,
) -> Result<Upgrade, UpgradeError> {
    let offered = match config.takeover {
        Takeover::Agreed => Cow::Borrowed(offer),
        Takeover::Off => Cow::Owned(offer.without_server_takeover()),
    };
    let io = connect.connect().await.map_err(UpgradeError::Connect)?;
    let response = timeout(config.handshake_timeout, exchange(&offered, request, io))
        .await
        .unwrap_or(Err(UpgradeError::Timeout(config.handshake_timeout)))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Upgrade::Refused(
            response.map(|body| Limited::new(body, REFUSAL).boxed_unsync()),
        ));
    }
    let (parts, body) = response.into_parts();
    let mut accepted = handshake::check_response(&offered, &parts).map_err(UpgradeError::Bad101)?;
    let mut response = Response::from_parts(parts, body);
    if config.takeover == Takeover::Off {
        forgo_client_takeover(offer, &mut accepted, response.headers_mut());
    }
    let upstream = hyper::upgrade::on(&mut response);
    let tunnel = Tunnel { upstream, accepted, config: config.clone() };
    let response = response.map(|_| Empty::new().map_err(|never| match never {}).boxed_unsync());
    Ok(Upgrade::Switched(response, tunnel))
}

/// Tells the client to compress each message by itself, which a server may do unasked (RFC 7692
/// section 7.1.1.2).
fn forgo_client_takeover(offer: &Offer, accepted: &mut Accepted, headers: &mut HeaderMap) {
    if let Some(deflate) = &mut accepted.deflate {
        deflate.client_no_context_takeover = true;
    }
    if let Some(extensions) = accepted.extensions(offer) {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, extensions);
    }
}

/// Sends the request and reads the response head.
async fn exchange(
    offer: &Offer,
    request: Request<()>,
    io: BoxIo,
) -> Result<Response<Incoming>, UpgradeError> {
    let (mut sender, connection) = http1::Builder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(io))
        .await
        .map_err(UpgradeError::Http)?;
    // Ends with the response body, or with the tunnel that takes the connection over.
    tokio::spawn(connection.with_upgrades());
    let mut request = request.map(|()| Empty::<Bytes>::new());
    only_what_we_read(offer, request.headers_mut());
    let interim = Interim::count(&mut request);
    tokio::select! {
        // An answer that came with too many is one too many as well.
        biased;
        () = interim.too_many() => Err(UpgradeError::Interim),
        response = sender.send_request(request) => response.map_err(UpgradeError::Http),
    }
}

/// Offers upstream the extensions this side can read, and no other connection option.
fn only_what_we_read(offer: &Offer, headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    match offer.extensions() {
        Some(extensions) => {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, extensions);
        }
        None => {
            headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        }
    }
}

/// A verified upgrade whose frames are yet to flow.
#[must_use = "the upstream's connection closes when this is dropped"]
pub struct Tunnel {
    upstream: OnUpgrade,
    accepted: Accepted,
    config: Config,
}

impl Tunnel {
    /// What was agreed: subprotocol and compression.
    pub fn accepted(&self) -> &Accepted {
        &self.accepted
    }

    /// The signal that will drain this tunnel.
    pub fn drain(&self) -> &Drain {
        &self.config.drain
    }

    /// Takes both connections over and relays until the end. `client` resolves once the host's HTTP
    /// server has written the 101. [`Session::on_end`] is owed from this call on.
    pub fn run<S: Session>(
        self,
        client: OnUpgrade,
        session: S,
    ) -> impl Future<Output = Ended> + Send {
        let owed = Owed::new(session);
        async move {
            let Self { upstream, accepted, config } = self;
            let both = async {
                Ok((taken(client, Role::Client).await?, taken(upstream, Role::Server).await?))
            };
            relay(both, accepted.deflate, owed, config).await
        }
    }
}

/// The stream behind an HTTP connection, once its 101 has passed.
async fn taken(upgrade: OnUpgrade, by: Role) -> Result<TokioIo<Upgraded>, Cause> {
    match upgrade.await {
        Ok(stream) => Ok(TokioIo::new(stream)),
        Err(error) => Err(Cause::Lost { by, error: io::Error::other(error) }),
    }
}
