//! The record of what a service says is left of an allowance. Knows no spelling of any service.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Evidence;
use crate::word::words;
use crate::{Id, Provider, Timestamp};

/// `rate_limits`: a service said how much of an allowance is left, and something of it was new.
///
/// It belongs to whoever pays, not to a call: the service says it when it likes, for the account as
/// it then stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateLimits {
    /// The exchange it was said in.
    pub exchange: Id,
    /// Who said it.
    pub provider: Provider,
    /// Where it was said.
    pub source: LimitSource,
    /// The service's word for the account's plan.
    pub plan: Option<String>,
    /// All that was said at once, the unchanged beside what is new.
    pub limits: Vec<RateLimit>,
    /// Partial if it was more than is kept.
    pub evidence: Evidence,
}

/// One allowance. What the service did not say of it is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateLimit {
    /// The service's name for it, in lower case and with dashes: `requests`, `input-tokens`,
    /// `codex-primary`. Of a refusal it is `retry-after`, or the code of the error that says when.
    pub name: String,
    /// How much there is in a window.
    pub limit: Option<Amount>,
    /// How much of it is left.
    pub remaining: Option<Amount>,
    /// How much of it is used, in percent; may exceed 100.
    pub used_percent: Option<Amount>,
    /// Minutes of the window.
    pub window_minutes: Option<u64>,
    /// When it is whole again, where the service names a moment.
    pub resets_at: Option<Timestamp>,
    /// Milliseconds until it is whole again, where the service names a span: they count from when
    /// the record was made.
    pub resets_in_ms: Option<u64>,
    /// The service's word for how it stands, such as `allowed` or `rejected`.
    pub status: Option<String>,
}

impl RateLimit {
    /// An allowance of which nothing is known.
    pub fn new(name: String) -> Self {
        Self {
            name,
            limit: None,
            remaining: None,
            used_percent: None,
            window_minutes: None,
            resets_at: None,
            resets_in_ms: None,
            status: None,
        }
    }
}

words! {
    /// Where a service said it.
    pub enum LimitSource {
        /// In the headers of a response.
        Headers = "headers",
        /// In an event, a message or the body of a refusal.
        Event = "event",
    }
}

/// How much, in whatever unit: at least 0, below 2^43, to three decimals, so that it reads back as
/// it was written. A whole number is written as one.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Amount(f64);

impl Amount {
    /// `None` for what is no amount: negative, infinite, beyond reason.
    pub fn new(value: f64) -> Option<Self> {
        /// A thousand times this is exact in a double.
        const END: f64 = 8_796_093_022_208.0;
        // Adding zero makes one zero of the two there are.
        (0.0..END).contains(&value).then(|| Self((value * 1000.0).round() / 1000.0 + 0.0))
    }

    /// The value.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The nearest whole number.
    pub const fn whole(self) -> u64 {
        // In range, so the conversion only takes decimals off.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = self.0.round() as u64;
        whole
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 {
            serializer.serialize_u64(self.whole())
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| serde::de::Error::custom("no amount"))
    }
}
