//! What `OpenAI`'s services say beside their responses: rate limits, their own time, the safety of a
//! request. Knows the spellings; whose it is, the order of events says.

use crate::{Amount, RateLimit, ServerTiming};

use super::super::call::Call;
use super::super::json::{self, Raw};
use super::super::limits::{Said, amount, seconds, word};

/// Reads `codex.rate_limits`: the windows of one family of limits.
pub(super) fn codex_limits(event: Raw<'_>) -> Said {
    let (mut said, mut windows, mut credits) = (Said::default(), None, None);
    let (mut metered, mut family) = (None, None);
    event.members(|key, value| match key {
        "plan_type" => said.plan = value.str().map(|plan| word(&plan)),
        "metered_limit_name" => metered = value.str(),
        "limit_name" => family = value.str(),
        "rate_limits" => windows = Some(value),
        "credits" => credits = Some(value),
        _ => {}
    });
    let family = metered.or(family);
    let family = family.as_deref().map_or("codex", |it| json::bounded(it.trim()));
    if let Some(windows) = windows {
        windows.members(|window, fields| {
            let name = format!("{family}-{window}");
            fields.members(|field, value| said.window_field(&name, field, value.json()));
        });
    }
    let balance = credits.and_then(|credits| credits.member("balance"));
    if let Some(balance) = balance.and_then(|it| amount(it.json()))
        && let Some(limit) = said.limit("codex-credits")
    {
        limit.remaining = Some(balance);
    }
    said
}

/// Reads the list of `rate_limits.updated`.
pub(super) fn realtime_limits(list: Raw<'_>) -> Said {
    let mut said = Said::default();
    list.elements(|one| {
        let mut read = RateLimit::new(String::new());
        let mut name = None;
        one.members(|key, value| match key {
            "name" => name = value.str(),
            "limit" => read.limit = amount(value.json()),
            "remaining" => read.remaining = amount(value.json()),
            "reset_seconds" => read.resets_in_ms = seconds(value.json()),
            _ => {}
        });
        if let Some(limit) = name.and_then(|name| said.limit(&name)) {
            *limit = RateLimit { name: std::mem::take(&mut limit.name), ..read };
        }
    });
    said
}

/// Reads `responsesapi.websocket_timing`; `None` if it says nothing that is known.
pub(super) fn timing(event: Raw<'_>) -> Option<ServerTiming> {
    let mut read = ServerTiming::default();
    event.member("timing_metrics")?.members(|key, value| match key {
        "engine_service_ttft_total_ms" => read.time_to_first_token_ms = millis(value),
        "engine_service_total_ms" => read.engine_ms = millis(value),
        "responses_duration_excl_engine_and_client_tool_time_ms" => {
            read.overhead_ms = millis(value);
        }
        _ => {}
    });
    (read != ServerTiming::default()).then_some(read)
}

/// Reads what a metadata event says of safety into its call.
pub(super) fn safety(call: &mut Call, metadata: Option<Raw<'_>>, buffering: Option<Raw<'_>>) {
    let advice = metadata.and_then(|it| it.member("openai_verification_recommendation"));
    if let Some(advice) = advice {
        advice.elements(|one| {
            if let Some(one) = one.str() {
                call.safety(&one);
            }
        });
    }
    let kind = metadata.and_then(|it| it.member("type")).and_then(Raw::str);
    if buffering.is_some() || kind.as_deref() == Some(BUFFERING) {
        call.safety(BUFFERING);
    }
}

/// Output was held back for a check.
const BUFFERING: &str = "safety_buffering";

/// Whole milliseconds.
fn millis(value: Raw<'_>) -> Option<u64> {
    amount(value.json()).map(Amount::whole)
}
