//! The proxy's own answers: refusals of what cannot be judged, denials, and upstream failures.
//!
//! Every body is the one JSON shape `{"error":{"type","code","message"}}`; no answer carries a
//! secret or a byte of upstream's.

use crate::ws::Body;
use capsem_telemetry::FaultClass;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Full};
use std::{borrow::Cow, time::Duration};

/// A request that is refused before policy is asked: what is wrong, in the record's words and in HTTP's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) class: FaultClass,
    pub(crate) reason: Cow<'static, str>,
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        class: FaultClass,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, class, reason: reason.into() }
    }

    /// The head breaks RFC 9112's grammar.
    pub(crate) fn head(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, FaultClass::Head, reason)
    }

    /// It is not certain where the message ends.
    pub(crate) fn framing(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, FaultClass::Framing, reason)
    }

    /// It is not certain whom the message is for.
    pub(crate) fn authority(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, FaultClass::Authority, reason)
    }

    /// Host and the connection it came on disagree (RFC 9110 section 15.5.20).
    pub(crate) fn misdirected(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, FaultClass::Authority, reason)
    }

    pub(crate) fn head_limit(limit: usize) -> Self {
        let reason = format!("the request head is longer than {limit} bytes");
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, FaultClass::Head, reason)
    }

    pub(crate) fn fields_limit(limit: usize) -> Self {
        let reason = format!("the request head has more than {limit} fields");
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, FaultClass::Head, reason)
    }

    /// The client left in the middle of a head; nobody is left to answer.
    pub(crate) fn broken_head(class: FaultClass, after: usize) -> Self {
        let reason = format!("the request head broke off after {after} bytes");
        Self::new(StatusCode::BAD_REQUEST, class, reason)
    }

    pub(crate) fn head_timeout(after: Duration) -> Self {
        let reason = format!("the request head took longer than {after:?}");
        Self::new(StatusCode::REQUEST_TIMEOUT, FaultClass::HeadTimeout, reason)
    }

    /// `what` names what the client failed to do.
    pub(crate) fn stall(what: &str, after: Duration) -> Self {
        let reason = format!("the client {what} for {after:?}");
        Self::new(StatusCode::REQUEST_TIMEOUT, FaultClass::Stall, reason)
    }

    pub(crate) fn version() -> Self {
        let reason = "neither HTTP/1.1 nor HTTP/1.0";
        Self::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, FaultClass::Head, reason)
    }

    pub(crate) fn early_data() -> Self {
        let reason = "bytes after the head of an upgrade or CONNECT, before it was answered";
        Self::new(StatusCode::BAD_REQUEST, FaultClass::EarlyData, reason)
    }

    /// The answer; the connection ends with it.
    pub(crate) fn response(&self) -> Response<Body> {
        let mut response =
            error(self.status, "bad_request", Some(self.class.as_str()), &self.reason);
        if self.status == StatusCode::UPGRADE_REQUIRED {
            let version = HeaderValue::from_static("13");
            response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, version);
        }
        closing(response)
    }
}

/// `{"error":{"type":..,"code":..,"message":..}}` with its status.
pub(crate) fn error(
    status: StatusCode,
    kind: &str,
    code: Option<&str>,
    message: &str,
) -> Response<Body> {
    let body = serde_json::json!({"error": {"type": kind, "code": code, "message": message}});
    let mut response = Response::new(full(format!("{body}\n")));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// The same answer, as the last of its connection.
pub(crate) fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

fn full(text: String) -> Body {
    Full::from(text).map_err(|never| match never {}).boxed_unsync()
}
