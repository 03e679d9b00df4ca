//! How errors say when what was refused may be asked for again: `resets_at` and `resets_in_seconds` of
//! `OpenAI`'s plans, the `retryDelay` of Google, the words of a message. Knows these members; whose
//! error it is, its protocol says.

use crate::{CallError, RateLimit};

use super::super::call::{call_error, set};
use super::super::json::Raw;
use super::{Said, moment, seconds, span, word};

impl Said {
    /// Reads an error object. The limit has the name of its code.
    pub(in super::super) fn error(&mut self, error: Raw<'_>) {
        let mut read = RateLimit::new(String::new());
        error.members(|key, value| match key {
            "plan_type" => set(&mut self.plan, value.str().map(|plan| word(&plan))),
            "resets_at" => read.resets_at = moment(value.json()),
            "resets_in_seconds" => set(&mut read.resets_in_ms, seconds(value.json())),
            "details" => {
                value.elements(|detail| {
                    let delay = detail.member("retryDelay").and_then(Raw::str);
                    set(&mut read.resets_in_ms, delay.and_then(|delay| span(&delay)));
                });
            }
            _ => {}
        });
        let CallError { code, message } = call_error(error);
        if read.resets_at.is_none() && read.resets_in_ms.is_none() {
            read.resets_in_ms = message.as_deref().and_then(spoken);
        }
        let says = read != RateLimit::new(String::new());
        if let Some(limit) = code.filter(|_| says).and_then(|code| self.limit(&code)) {
            *limit = RateLimit { name: std::mem::take(&mut limit.name), ..read };
        }
    }
}

/// Milliseconds of a message that ends in words like `try again in 1.9s.` or `in 20 seconds.`
fn spoken(message: &str) -> Option<u64> {
    const WORDS: &str = "try again in ";
    let message = message.to_ascii_lowercase();
    let (_, after) = message.split_once(WORDS)?;
    let mut words = after.split_ascii_whitespace().map(|it| it.trim_end_matches(['.', ',']));
    let (first, second) = (words.next()?, words.next());
    let plain = matches!(second, Some("second" | "seconds"));
    span(first).or_else(|| seconds(first).filter(|_| plain))
}
