//! One POST to a collector, on a connection of its own. Refuses to know deadlines and what is sent.

use super::Endpoint;
use crate::{
    authority::{Authority, Host},
    upstream::{self, Resolve as _, SystemResolver},
    ws::BoxIo,
};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, error::Error, io, net::SocketAddr, time::Duration};

/// Bytes of an answer that are read; those of collectors have a sentence at most.
const ANSWER: usize = 64 * 1024;

/// Why spans were lost.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("looking the collector up: {0}")]
    Dns(#[source] io::Error),
    #[error("the collector's name has no address")]
    NoAddress,
    #[error("connecting to the collector: {0}")]
    Connect(#[source] io::Error),
    #[error("the request for the collector: {0}")]
    Request(#[source] http::Error),
    #[error("HTTP with the collector: {0}")]
    Http(#[source] hyper::Error),
    #[error("the collector's answer: {0}")]
    Answer(#[source] Box<dyn Error + Send + Sync>),
    #[error("the collector answered {0}")]
    Status(StatusCode),
    #[error("the collector did not answer within {0:?}")]
    Late(Duration),
    #[error("the collector rejected {spans} of {of} spans")]
    Rejected { spans: u64, of: u64 },
    #[error("the collector is too slow, and the queue is full")]
    TooSlow,
}

/// Sends a batch; gives the body of an answer that says it was taken.
pub(super) async fn post(endpoint: &Endpoint, batch: &[u8]) -> Result<Bytes, PostError> {
    let io = connect(&endpoint.authority).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(io)).await.map_err(PostError::Http)?;
    let request = Request::post(&endpoint.path)
        .header(header::HOST, endpoint.authority.to_string())
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .header(header::USER_AGENT, concat!("capsem-mitm/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::copy_from_slice(batch)))
        .map_err(PostError::Request)?;
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(PostError::Http)?;
        if !response.status().is_success() {
            return Err(PostError::Status(response.status()));
        }
        let answer = Limited::new(response.into_body(), ANSWER).collect().await;
        Ok(answer.map_err(PostError::Answer)?.to_bytes())
    };
    let driven = async {
        // What breaks it is told to the exchange.
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = exchange => answer,
        never = driven => match never {},
    }
}

/// The first address that answers. No policy is asked: the operator named the collector.
async fn connect(authority: &Authority) -> Result<BoxIo, PostError> {
    let addresses = match &authority.host {
        Host::Address(address) => vec![*address],
        Host::Name(name) => {
            SystemResolver::default().resolve(name).await.map_err(PostError::Dns)?
        }
    };
    let mut last = PostError::NoAddress;
    for address in addresses {
        match upstream::tcp(SocketAddr::new(address, authority.port)).await {
            Ok(io) => return Ok(io),
            Err(error) => last = PostError::Connect(error),
        }
    }
    Err(last)
}
