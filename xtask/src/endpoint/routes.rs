//! Which request gets which answer.
//!
//! Refuses to know TLS and sockets; provider texts are in `openai`, `anthropic` and `google`.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::log::{Entry, Provider, Transport};
use super::server::Shared;
use super::stream::{self, Body, Coding, Framing};
use super::trouble::Trouble;
use super::{anthropic, google, openai, sockets};

/// Answers one request and logs the head of the answer; None where there is to be none.
pub(super) async fn answer(
    request: Request<Incoming>,
    connection: u64,
    shared: &Arc<Shared>,
) -> Option<Response<Body>> {
    let host = request
        .headers()
        .get(header::HOST)
        .map_or_else(String::new, |host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    let upgrade = request.headers().contains_key(header::UPGRADE);
    let response = match shared.trouble {
        _ if !upgrade => plain(request, connection, shared).await,
        Some(Trouble::ResetUpgrade) => return None,
        Some(Trouble::Status(status)) => problem(status, "the endpoint refuses the upgrade"),
        _ => sockets::open(request, connection, shared),
    };
    let status = response.status().as_u16();
    shared.log.push(Entry::Answered { connection, host, method, path, upgrade, status });
    Some(response)
}

async fn plain(
    request: Request<Incoming>,
    connection: u64,
    shared: &Arc<Shared>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    if parts.method == Method::GET && path == "/v1/models" {
        return stream::json(&openai::models());
    }
    if parts.method != Method::POST {
        return problem(StatusCode::METHOD_NOT_ALLOWED, "this endpoint takes POST here");
    }
    let Ok(body) = body.collect().await else {
        return problem(StatusCode::BAD_REQUEST, "the request body did not arrive");
    };
    let Ok(asked) = serde_json::from_slice::<Value>(&body.to_bytes()) else {
        return problem(StatusCode::BAD_REQUEST, "the request body is not JSON");
    };
    let streamed = asked["stream"] == json!(true);
    let number = || shared.numbers.next();
    let (answer, framing) = match (path.as_str(), gemini(&path)) {
        (path, None) if sockets::is_responses(path) && streamed => {
            (openai::answer(&asked, number(), Transport::Sse, connection), Framing::Named)
        }
        (path, None) if sockets::is_responses(path) => {
            (openai::whole(&asked, number(), connection), Framing::Json)
        }
        ("/v1/messages", None) if streamed => {
            (anthropic::streamed(&asked, number(), connection), Framing::Named)
        }
        ("/v1/messages", None) => (anthropic::whole(&asked, number(), connection), Framing::Json),
        (_, Some((model, "streamGenerateContent"))) => {
            (google::streamed(model, number(), connection), Framing::Bare)
        }
        (_, Some((model, "generateContent"))) => {
            (google::whole(model, number(), connection), Framing::Json)
        }
        _ => return problem(StatusCode::NOT_FOUND, "this endpoint has nothing here"),
    };
    let coding = coding(&parts.headers, answer.truth.provider);
    stream::events(answer, framing, coding, shared.log.clone())
}

/// Two of the three providers answer compressed, so that either way is played.
fn coding(headers: &HeaderMap, provider: Provider) -> Coding {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
    let gzip = accepted.filter_map(|line| line.to_str().ok()).any(|line| line.contains("gzip"));
    if gzip && provider != Provider::Openai { Coding::Gzip } else { Coding::Identity }
}

/// `/VERSION/models/MODEL:METHOD` as its two names.
fn gemini(path: &str) -> Option<(&str, &str)> {
    let (version, rest) = path.strip_prefix('/')?.split_once("/models/")?;
    rest.split_once(':').filter(|_| version.starts_with("v1"))
}

/// An error in the shape the model APIs use.
pub(super) fn problem(status: StatusCode, message: &str) -> Response<Body> {
    let error = json!({"error": {"type": "invalid_request_error", "message": message}});
    let mut response = stream::json(&error);
    *response.status_mut() = status;
    response
}
