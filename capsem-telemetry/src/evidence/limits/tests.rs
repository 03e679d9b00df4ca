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
fn when_to_ask_again() {
    let (later, soon) = ("retry-after", "retry-after-ms");
    for (headers, expected) in [
        (&[(later, "120")][..], "name=\"retry-after\" resets_in_ms=120000"),
        (&[("Retry-After", " 0.5 ")], "name=\"retry-after\" resets_in_ms=500"),
        (&[(later, "0")], "name=\"retry-after\" resets_in_ms=0"),
        (&[(soon, "1898.4")], "name=\"retry-after\" resets_in_ms=1898"),
        (&[(later, "2"), (soon, "1898")], "name=\"retry-after\" resets_in_ms=1898"),
        (&[(soon, "1898"), (later, "2")], "name=\"retry-after\" resets_in_ms=1898"),
        (&[(soon, "soon"), (later, "2")], "name=\"retry-after\" resets_in_ms=2000"),
        (
            &[(later, "Sun, 06 Nov 1994 08:49:37 GMT")],
            "name=\"retry-after\" resets_at=\"1994-11-06T08:49:37.000000Z\"",
        ),
    ] {
        for (status, expected) in [(429, expected), (503, expected), (529, expected), (200, "")] {
            let mut limits = limits();
            limits.answered(status);
            limits.headers(headers.iter().copied());
            let said: Vec<_> = limits.take().iter().flat_map(|it| &it.limits).map(shown).collect();
            assert_eq!(said.concat(), expected, "{status} {headers:?}");
        }
    }
    for nonsense in ["", "later", "-1", "Sun, 06 Nov 1969 08:49:37 GMT", "Nov 06", "1e99"] {
        let mut limits = limits();
        limits.answered(429);
        limits.headers([(later, nonsense)]);
        assert_eq!(limits.take(), [], "{nonsense}");
    }
}

#[test]
fn errors() {
    for (error, expected) in [
        (
            r#"{"code":"a","resets_at":1790003600}"#,
            "name=\"a\" resets_at=\"2026-09-21T15:13:20.000000Z\"",
        ),
        (r#"{"type":"a_b","resets_in_seconds":1.5}"#, "name=\"a-b\" resets_in_ms=1500"),
        (r#"{"code":429,"message":"Try again in 6m0s."}"#, "name=\"429\" resets_in_ms=360000"),
        (r#"{"code":"a","message":"try again in 28ms, or later"}"#, "name=\"a\" resets_in_ms=28"),
        (r#"{"code":"a","message":"try again in 1 second"}"#, "name=\"a\" resets_in_ms=1000"),
        (r#"{"code":"a","message":"try again in 3 days"}"#, ""),
        (r#"{"code":"a","message":"try again in "}"#, ""),
        (
            r#"{"code":"a","message":"try again in 2s","resets_in_seconds":3}"#,
            "name=\"a\" resets_in_ms=3000",
        ),
        (r#"{"status":"A","details":[{},{"retryDelay":"0.5s"}]}"#, "name=\"a\" resets_in_ms=500"),
        (r#"{"status":"A","details":{"retryDelay":"0.5s"}}"#, ""),
        (r#"{"resets_in_seconds":3}"#, ""),
        (r#"{"code":"a","resets_at":null,"resets_in_seconds":null}"#, ""),
        ("[]", ""),
    ] {
        let mut limits = limits();
        limits.refusal(Raw::new(error));
        let said: Vec<_> = limits.take().iter().flat_map(|it| &it.limits).map(shown).collect();
        assert_eq!(said.concat(), expected, "{error}");
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
