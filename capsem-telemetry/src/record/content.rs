//! What was said in a call, where the configuration asks for it. Knows no protocol.

use serde::{Deserialize, Serialize};

/// The payloads of a call, decoded and redacted: credentials are masked, audio and other base64 is
/// replaced by its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The request; where several messages made it, one a line.
    pub request: String,
    /// The response: one message or event a line, or the one body.
    pub response: String,
    /// Something is missing, for a limit or because it could not be read.
    pub cut: bool,
}
