//! How much of an exchange could be read, in words. Knows nothing of the reading.

use serde::{Deserialize, Serialize};

use crate::word::words;

/// How much of the traffic was understood, and if not all of it, why.
///
/// Its constructors give a reason exactly if something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Evidence {
    state: EvidenceState,
    reason: Option<EvidenceReason>,
}

impl Evidence {
    /// All of it was read.
    pub const FULL: Self = Self { state: EvidenceState::Full, reason: None };

    /// Some of it was read.
    pub const fn partial(reason: EvidenceReason) -> Self {
        Self { state: EvidenceState::Partial, reason: Some(reason) }
    }

    /// None of it was read.
    pub const fn none(reason: EvidenceReason) -> Self {
        Self { state: EvidenceState::None, reason: Some(reason) }
    }

    /// How much was read.
    pub const fn state(self) -> EvidenceState {
        self.state
    }

    /// Why not all was read; null exactly if all was.
    pub const fn reason(self) -> Option<EvidenceReason> {
        self.reason
    }
}

words! {
    /// How much was read.
    pub enum EvidenceState {
        /// All of it.
        Full = "full",
        /// Some of it.
        Partial = "partial",
        /// None of it.
        None = "none",
    }
}

words! {
    /// Why something was not read.
    pub enum EvidenceReason {
        /// Well-formed, but of no protocol that is known.
        UnknownSchema = "unknown_schema",
        /// Binary messages of no protocol that is known.
        Binary = "binary",
        /// More of it than is kept for reading.
        CaptureLimit = "capture_limit",
        /// Compressed data that could not be inflated.
        InflateFailed = "inflate_failed",
        /// Text that should have been JSON or an event stream and is not.
        Unparsable = "unparsable",
        /// A WebSocket extension or content coding that cannot be undone.
        UnsupportedExtension = "unsupported_extension",
    }
}
