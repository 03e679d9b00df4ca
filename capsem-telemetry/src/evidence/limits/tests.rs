//! Spellings of limits, what counts as new, and how much is kept.

use super::*;

fn limits() -> Limits {
    Limits::new(Id::fresh(), Provider::OpenAi)
}

/// What headers say, as the limit's fields that are not null.
#[track_caller]
fn check(headers: &[(&str, &str)], expected: &[&str]) {
    let mut limits = limits();
    limits.headers(headers.iter().copied());
    let said: Vec<_> = limits.take().into_iter().flat_map(|it| it.limits).collect();
    let shown: Vec<_> = said.iter().map(shown).collect();
    assert_eq!(shown, expected, "{headers:?}");
}

fn shown(limit: &RateLimit) -> String {
    let value = serde_json::to_value(limit).unwrap();
    let fields = value.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
    fields.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn spans_and_moments() {
    for (value, expected) in [
        ("6m0s", "name=\"a\" resets_in_ms=360000"),
        ("17ms", "name=\"a\" resets_in_ms=17"),
        ("1h2m3.5s", "name=\"a\" resets_in_ms=3723500"),
        ("1d", "name=\"a\" resets_in_ms=86400000"),
        ("0s", "name=\"a\" resets_in_ms=0"),
        ("60", "name=\"a\" resets_in_ms=60000"),
        ("0.06", "name=\"a\" resets_in_ms=60"),
        ("1790003600", "name=\"a\" resets_at=\"2026-09-21T15:13:20.000000Z\""),
        ("1790003600000", "name=\"a\" resets_at=\"2026-09-21T15:13:20.000000Z\""),
        ("2026-09-21T17:13:20+02:00", "name=\"a\" resets_at=\"2026-09-21T15:13:20.000000Z\""),
    ] {
        check(&[("x-ratelimit-reset-a", value)], &[expected]);
    }
    for nonsense in ["", "s", "5 parsecs", "-1", "1e99", "NaN", "inf", "99999999999h", "é"] {
        check(&[("x-ratelimit-reset-a", nonsense)], &[]);
    }
}

#[test]
fn names() {
    check(&[("X-RateLimit-Limit-Project-Tokens", "5")], &["limit=5 name=\"project-tokens\""]);
    check(
        &[("anthropic-ratelimit-output-tokens-remaining", "8000")],
        &["name=\"output-tokens\" remaining=8000"],
    );
    check(
        &[("x-codex-bengalfox-secondary-window-minutes", "60")],
        &["name=\"codex-bengalfox-secondary\" window_minutes=60"],
    );
    for other in [
        "x-ratelimit-limit",
        "x-ratelimit-",
        "anthropic-ratelimit-",
        "anthropic-ratelimit-limit",
        "x-codex-used-percent",
        "x-primary-used-percent",
        "x-codex-primary-",
        "x-request-id",
        "used-percent",
    ] {
        check(&[(other, "5")], &[]);
    }
    check(&[(&format!("x-ratelimit-limit-{}", "a".repeat(200)), "5")], &[]);
}

#[test]
fn no_more_is_kept_than_the_limits_of_limits() {
    let mut limits = limits();
    let names: Vec<_> = (0..40).map(|at| format!("x-ratelimit-limit-{at}")).collect();
    limits.headers(names.iter().map(|name| (name.as_str(), "5")));
    let said = limits.take();
    assert_eq!((said.len(), said[0].limits.len()), (1, MAX_LIMITS));
    let cut = Evidence::partial(EvidenceReason::CaptureLimit);
    assert_eq!((said[0].evidence, limits.missing()), (cut, Some(EvidenceReason::CaptureLimit)));

    let mut limits = self::limits();
    for at in 0..100_000 {
        let (name, value) = (format!("x-ratelimit-remaining-{}", at % 100), at.to_string());
        limits.headers([(name.as_str(), value.as_str())]);
    }
    assert_eq!((limits.take().len(), limits.known.len()), (MAX_RECORDS, MAX_KNOWN));
    assert_eq!(limits.missing(), Some(EvidenceReason::CaptureLimit));
}

#[test]
fn the_same_again_is_no_news_however_often() {
    let mut limits = limits();
    for left in (0..100_000).rev() {
        let reset = format!("{left}ms");
        limits.headers([("x-ratelimit-remaining-a", "7"), ("x-ratelimit-reset-a", reset.as_str())]);
    }
    assert_eq!((limits.take().len(), limits.missing()), (1, None));
}

#[test]
fn words_are_short_and_hold_no_key() {
    let long = "é".repeat(100);
    let key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789";
    let mut limits = limits();
    limits.headers([
        ("anthropic-ratelimit-a-status", long.as_str()),
        ("anthropic-ratelimit-b-status", key),
    ]);
    let said = limits.take().remove(0).limits;
    assert_eq!(said[0].status.as_ref().map(String::len), Some(MAX_WORD));
    assert!(!said[1].status.as_ref().unwrap().contains("abcdef"), "{said:?}");
}
