//! What the endpoint does to a socket in place of a model's answer, to see what a client makes of it.
//!
//! Refuses to know clients and rules.

use std::ops::ControlFlow;

use anyhow::Result;
use capsem_ws_codec::{CloseCode, Opcode};
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::socket::Socket;

/// One trouble, met by every upgrade or by every message after it. A POST is answered as ever.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The upgrade is answered with this status.
    Status(StatusCode),
    /// The connection is reset in place of an answer to the upgrade.
    ResetUpgrade,
    /// The connection is reset when a message comes.
    ResetSocket,
    /// A message is answered with an `error` event of this status.
    Error(StatusCode),
    /// A message is answered with a Close.
    Close(CloseCode),
}

impl Trouble {
    /// Whether the end of a connection is to be a reset.
    pub(super) fn resets(self) -> bool {
        matches!(self, Self::ResetUpgrade | Self::ResetSocket)
    }

    /// Meets one message of `socket`; says whether there may be more.
    pub(super) async fn meet<S>(self, socket: &mut Socket<S>) -> Result<ControlFlow<()>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self {
            Self::Error(status) => {
                let error = json!({"type": "invalid_request_error", "code": "not_now", "message": "the endpoint answers with an error event"});
                let event = json!({"type": "error", "status": status.as_u16(), "error": error});
                socket.send(Opcode::Text, event.to_string().as_bytes()).await?;
                return Ok(ControlFlow::Continue(()));
            }
            Self::Close(code) => {
                socket.close(Some(code)).await?;
                while socket.receive().await?.is_some() {} // until its own Close
            }
            Self::Status(_) | Self::ResetUpgrade | Self::ResetSocket => {}
        }
        Ok(ControlFlow::Break(()))
    }
}
