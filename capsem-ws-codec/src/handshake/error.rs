//! Every way a handshake can be malformed. Names the rule; never quotes what a peer wrote, as a
//! subprotocol may be a secret.

use http::StatusCode;

/// A rule of the opening handshake that a head breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The request's method is not GET.
    #[error("an upgrade must be a GET")]
    Method,
    /// The message is not HTTP/1.1.
    #[error("an upgrade must be HTTP/1.1")]
    HttpVersion,
    /// `Connection` does not list `upgrade`.
    #[error("Connection does not list upgrade")]
    Connection,
    /// The request announces a body.
    #[error("an upgrade must not have a body")]
    Body,
    /// `Sec-WebSocket-Version` is not exactly one `13`.
    #[error("Sec-WebSocket-Version is not 13")]
    WsVersion,
    /// `Sec-WebSocket-Key` is not exactly one line with base64 of 16 bytes.
    #[error("Sec-WebSocket-Key is not one key of 16 bytes")]
    Key,
    /// `Sec-WebSocket-Protocol` is not a list of distinct tokens; in a response, not one token.
    #[error("Sec-WebSocket-Protocol is malformed")]
    Subprotocol,
    /// `Sec-WebSocket-Extensions` is not of the grammar of RFC 6455 section 9.1.
    #[error("Sec-WebSocket-Extensions is malformed")]
    Extensions,
    /// The response is not a 101.
    #[error("the status is {status}, not 101")]
    Status {
        /// The response's status.
        status: u16,
    },
    /// The response's `Upgrade` is not exactly `websocket`.
    #[error("Upgrade is not websocket")]
    Upgrade,
    /// `Sec-WebSocket-Accept` is not exactly one line that answers the key.
    #[error("Sec-WebSocket-Accept does not answer the key")]
    Accept,
    /// The response picks a subprotocol that was not offered.
    #[error("the subprotocol was not offered")]
    SubprotocolNotOffered,
    /// The response names an extension that was not offered.
    #[error("an extension was not offered")]
    ExtensionNotOffered,
    /// The response names an extension twice.
    #[error("an extension is named twice")]
    ExtensionRepeated,
    /// The response's parameters of permessage-deflate are not legal, or answer no offer.
    #[error("the parameters of permessage-deflate answer no offer")]
    DeflateParameters,
}

impl HandshakeError {
    /// The status a malformed request is answered with: 426 for another version of the protocol,
    /// to go with `Sec-WebSocket-Version: 13` (RFC 6455 section 4.4), else 400. For a rule that only
    /// a response can break it is 502, what a gateway says; for the rules of both halves it is that
    /// of a request, so a gateway answers 502 to whatever
    /// [`check_response`](super::check_response) finds.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::WsVersion => StatusCode::UPGRADE_REQUIRED,
            Self::Method
            | Self::HttpVersion
            | Self::Connection
            | Self::Body
            | Self::Key
            | Self::Subprotocol
            | Self::Extensions => StatusCode::BAD_REQUEST,
            Self::Status { .. }
            | Self::Upgrade
            | Self::Accept
            | Self::SubprotocolNotOffered
            | Self::ExtensionNotOffered
            | Self::ExtensionRepeated
            | Self::DeflateParameters => StatusCode::BAD_GATEWAY,
        }
    }
}
