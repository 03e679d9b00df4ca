//! The records that stand beside the model calls, and what holds for each of them by itself. Knows no
//! other record.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Evidence;

/// A tool called over MCP.
#[derive(Debug, Deserialize)]
pub(crate) struct ToolUse {
    pub(super) exchange: String,
    pub(super) transport: String,
    pub(super) call: String,
    status: String,
    is_error: Option<bool>,
    error: Option<IgnoredAny>,
    request_bytes: u64,
    response_bytes: u64,
    evidence: Evidence,
}

/// What a service said of allowances.
#[derive(Debug, Deserialize)]
pub(crate) struct RateLimits {
    pub(super) exchange: String,
    source: String,
    limits: Vec<RateLimit>,
    evidence: Evidence,
}

#[derive(Debug, Deserialize)]
struct RateLimit {
    name: String,
    limit: Option<f64>,
    remaining: Option<f64>,
    used_percent: Option<f64>,
    window_minutes: Option<u64>,
    resets_at: Option<String>,
    resets_in_ms: Option<u64>,
    status: Option<String>,
}

impl ToolUse {
    /// It was asked for, and has just what its end can have.
    pub(super) fn check(&self) -> Result<()> {
        let answered = self.response_bytes > 0;
        let (answer, error, result) = match &*self.status {
            "completed" => (true, false, true),
            // A status of HTTP may be all that there is.
            "failed" => (answered, true, false),
            "denied" => (false, true, false),
            "cancelled" | "connection_lost" => (false, false, false),
            other => anyhow::bail!("no end of a tool use: {other}"),
        };
        ensure!(self.request_bytes > 0, "nobody asked for it");
        ensure!(answered == answer, "{} bytes of answer", self.response_bytes);
        ensure!(self.error.is_some() == error, "an error, or none, of one that {}", self.status);
        ensure!(self.is_error.is_none() || result, "a result of one that is {}", self.status);
        self.evidence.check()
    }
}

impl RateLimits {
    /// It says something, of each limit once.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(matches!(&*self.source, "headers" | "event"), "said in {}", self.source);
        let partial = self.evidence.state == "partial";
        ensure!(!self.limits.is_empty() || partial, "it says nothing");
        let mut names = BTreeSet::new();
        for limit in &self.limits {
            ensure!(names.insert(&limit.name), "{} twice", limit.name);
            ensure!(limit.says_something(), "nothing of {}", limit.name);
        }
        self.evidence.check()
    }
}

impl RateLimit {
    fn says_something(&self) -> bool {
        let amounts = [self.limit, self.remaining, self.used_percent];
        let spans = [self.window_minutes, self.resets_in_ms];
        let words = [&self.resets_at, &self.status];
        amounts.iter().any(Option::is_some)
            || spans.iter().any(Option::is_some)
            || words.iter().any(|word| word.is_some())
    }
}

impl Evidence {
    /// A reason is there where something is missing.
    fn check(&self) -> Result<()> {
        ensure!((self.state == "full") == self.reason.is_none(), "evidence: {self:?}");
        Ok(())
    }
}
