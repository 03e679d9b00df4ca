//! How headers spell rate limits: `x-ratelimit-*` of `OpenAI` and those who follow it,
//! `anthropic-ratelimit-*`, and the windows of `x-codex-*`. Knows names; reads no other header.

use crate::{Amount, RateLimit};

use super::{Said, amount, moment, seconds, word};

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

/// Milliseconds of a span such as `6m0s`, `1h2m3.5s` or `17ms`.
fn span(text: &str) -> Option<u64> {
    let (mut rest, mut millis) = (text.trim(), 0.0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = match unit {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        millis += number.parse::<f64>().ok()? * unit;
        rest = after;
    }
    Amount::new(millis).map(Amount::whole)
}
