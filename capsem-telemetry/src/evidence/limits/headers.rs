//! How headers spell rate limits: `x-ratelimit-*` of `OpenAI` and those who follow it,
//! `anthropic-ratelimit-*`, the windows of `x-codex-*`, and `retry-after`. Knows names; reads no other
//! header.

use crate::{Amount, RateLimit, Timestamp};

use super::super::call::set;
use super::{Said, amount, moment, seconds, span, word};

/// The header that says when to ask again, in seconds or as a date (RFC 9110 section 10.2.3).
const RETRY: &str = "retry-after";

/// The same in milliseconds.
const RETRY_MS: &str = "retry-after-ms";

/// Whether a header says when to ask again.
pub(super) fn is_retry(name: &str) -> bool {
    [RETRY, RETRY_MS].iter().any(|retry| name.eq_ignore_ascii_case(retry))
}

impl Said {
    /// Reads one header; most are of something else.
    pub(in super::super) fn header(&mut self, name: &str, value: &str) {
        /// Longer than any of these.
        const LONGEST: usize = 128;
        if name.len() > LONGEST || !name.is_ascii() {
            return;
        }
        let name = name.to_ascii_lowercase();
        if let Some(rest) = name.strip_prefix("x-ratelimit-") {
            if let Some((field, limit)) = rest.split_once('-') {
                self.field(limit, field, value);
            }
        } else if let Some(rest) = name.strip_prefix("anthropic-ratelimit-") {
            if let Some((limit, field)) = rest.rsplit_once('-') {
                self.field(limit, field, value);
            }
        } else if name == "x-codex-plan-type" {
            self.plan = Some(word(value));
        } else if name == "x-codex-credits-balance" {
            if let Some(balance) = amount(value)
                && let Some(limit) = self.limit("codex-credits")
            {
                limit.remaining = Some(balance);
            }
        } else if is_retry(&name) {
            if let Some(limit) = self.limit(RETRY) {
                retry(limit, &name, value);
            }
        } else if let Some((limit, field)) = window(&name) {
            self.window_field(limit, field, value);
        }
    }

    fn field(&mut self, limit: &str, field: &str, value: &str) {
        let set: fn(&mut RateLimit, &str) = match field {
            "limit" => |it, value| it.limit = amount(value),
            "remaining" => |it, value| it.remaining = amount(value),
            "utilization" => |it, value| it.used_percent = percent(value),
            "status" => |it, value| it.status = Some(word(value)),
            "reset" => reset,
            _ => return,
        };
        if let Some(limit) = self.limit(limit) {
            set(limit, value);
        }
    }

    /// One field of a window, in the words of the headers or of the event that says the same.
    pub(in super::super) fn window_field(&mut self, limit: &str, field: &str, value: &str) {
        let set: fn(&mut RateLimit, &str) = match field {
            "used-percent" | "used_percent" => |it, value| it.used_percent = amount(value),
            "window-minutes" | "window_minutes" => |it, value| {
                it.window_minutes = value.trim().parse().ok();
            },
            "reset-at" | "reset_at" => |it, value| it.resets_at = moment(value),
            "reset-after-seconds" | "reset_after_seconds" => |it, value| {
                it.resets_in_ms = seconds(value);
            },
            _ => return,
        };
        if let Some(limit) = self.limit(limit) {
            set(limit, value);
        }
    }
}

/// The limit and the field of a header such as `x-codex-primary-used-percent`, where `codex` may be
/// the name of another family of limits.
fn window(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_prefix("x-")?;
    let fields = ["used-percent", "window-minutes", "reset-at", "reset-after-seconds"];
    let field = fields.into_iter().find(|field| name.ends_with(field))?;
    let limit = name.strip_suffix(field)?.strip_suffix('-')?;
    let known = limit.ends_with("-primary") || limit.ends_with("-secondary");
    known.then_some((limit, field))
}

/// A share of one, in percent.
fn percent(value: &str) -> Option<Amount> {
    Amount::new(value.trim().parse::<f64>().ok()? * 100.0)
}

/// When a limit is whole again, in any of the ways services say it: a moment, a span with units,
/// or plain seconds, which are too many for a span where they are since 1970.
fn reset(limit: &mut RateLimit, value: &str) {
    /// Thirty years.
    const SPAN: u64 = 1_000_000_000_000;
    match seconds(value).or_else(|| span(value)) {
        Some(millis) if millis < SPAN => limit.resets_in_ms = Some(millis),
        _ => limit.resets_at = moment(value),
    }
}

/// When to ask again. Of two spans the finer one counts, in whatever order they come.
fn retry(limit: &mut RateLimit, name: &str, value: &str) {
    if name == RETRY_MS {
        set(&mut limit.resets_in_ms, amount(value).map(Amount::whole));
    } else if limit.resets_in_ms.is_none() {
        limit.resets_in_ms = seconds(value);
        limit.resets_at = Timestamp::from_http_date(value.trim());
    }
}
