//! What is masked and what stays.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(given: &str, shown: &str) {
    assert_eq!(query(given), shown);
}

#[test]
fn queries_keep_their_keys_and_lose_their_secrets() {
    check("", "");
    check("alt=sse", "alt=sse");
    check("key=abc", "key=[redacted]");
    check("KEY=abc&x=1", "KEY=[redacted]&x=1");
    check("x=1&api-key=abc&y", "x=1&api-key=[redacted]&y");
    check(
        "api_key=a&apiKey=b&access_token=c",
        "api_key=[redacted]&apiKey=[redacted]&access_token=[redacted]",
    );
    check("%6bey=abc", "%6bey=[redacted]");
    check("a%63cess%5Ftoken=abc", "a%63cess%5Ftoken=[redacted]");
    check("Authorization=Bearer%20abc", "Authorization=[redacted]");
    check("token=a=b=c", "token=[redacted]");
    check("token=", "token=[redacted]");
    check("token", "token");
    check("a=1;key=abc;b=2&c=3", "a=1;key=[redacted]&c=3");
    check("key=ab;cd&c=3", "key=[redacted]&c=3");
    check(
        "X-Amz-Signature=abc&X-Goog-Credential=d",
        "X-Amz-Signature=[redacted]&X-Goog-Credential=[redacted]",
    );
    check("q=sk-1234", "q=[redacted]");
    check("q=%73k-1234", "q=[redacted]");
    check("sk-1234&x", "[redacted]&x");
    check("sk-1234=1", "[redacted]");
    check("q=Bearer+abc", "q=[redacted]");
    check("model=gpt-5&keyboard=qwerty&%zz=%", "model=gpt-5&keyboard=qwerty&%zz=%");
}

#[test]
fn headers_with_credentials_are_masked_whatever_their_case() {
    for name in HEADERS {
        assert_eq!(header(&name.to_ascii_uppercase(), "abc"), MASK, "{name}");
    }
    assert_eq!(header("user-agent", "codex/1"), "codex/1");
    assert_eq!(header("x-whatever", "Bearer abc"), MASK);
    assert_eq!(header("Sec-WebSocket-Protocol", "realtime,abc"), "realtime, [redacted]");
}

#[test]
fn subprotocols_show_only_known_names() {
    let given = "realtime, openai-insecure-api-key.sk-abc, OpenAI-Beta.realtime-v1,, \
                 xai-client-secret.abc, mcp, secret, eyJhbGci.abc.def";
    let shown = [
        "realtime",
        "openai-insecure-api-key.[redacted]",
        "OpenAI-Beta.realtime-v1",
        "xai-client-secret.[redacted]",
        "mcp",
        MASK,
        MASK,
    ];
    assert_eq!(subprotocols(given), shown);
    assert!(subprotocols(" , ").is_empty());
}

#[test]
fn authorities_lose_their_userinfo() {
    for (given, shown) in [
        ("example.com:443", "example.com:443"),
        ("u:p@example.com", "[redacted]@example.com"),
        ("u@x@example.com", "[redacted]@example.com"),
        ("wss://u:p@[::1]:1/a?b=c@d", "wss://[redacted]@[::1]:1/a?b=c@d"),
        ("https://example.com/u@p", "https://example.com/u@p"),
        ("https://example.com?u@p", "https://example.com?u@p"),
    ] {
        assert_eq!(authority(given), shown, "{given}");
    }
}

proptest! {
    #[test]
    fn a_secret_under_its_key_is_never_shown(
        before in "[a-z=&;%+0-9]{0,12}",
        key in proptest::sample::select(KEYS),
        secret in "QQ[A-Z;=%+]{0,10}QQ",
        after in "[a-z=&;%+0-9]{0,12}",
    ) {
        let shown = query(&format!("{before}&{key}={secret}&{after}"));
        prop_assert!(!shown.contains("QQ"), "{}", shown);
        let token = format!("{before}.{secret}");
        prop_assert!(!subprotocols(&token).concat().contains("QQ"));
        let userinfo = format!("{before}:{secret}@host");
        prop_assert!(!authority(&userinfo).contains("QQ"));
    }

    #[test]
    fn nothing_panics(text in any::<String>()) {
        let _ = (query(&text), subprotocols(&text), authority(&text), header(&text, &text).len());
    }
}

#[test]
fn words_of_a_peer_lose_what_looks_like_a_credential() {
    for (given, shown) in [
        ("", ""),
        ("nothing to hide, sk- or so", "nothing to hide, sk- or so"),
        ("Incorrect API key provided: sk-CANARY1.", "Incorrect API key provided: [redacted]"),
        ("key='AIzaCANARY'&x=1", "key='[redacted]'&x=1"),
        ("Authorization: Bearer CANARY, retry", "Authorization: Bearer [redacted], retry"),
        ("bearer   CANARY", "bearer   [redacted]"),
        ("(eyJCANARY.a.b)\nghp_CANARY", "([redacted])\n[redacted]"),
        ("ünïcode sk-ü ok", "ünïcode [redacted] ok"),
    ] {
        assert_eq!(text(given), shown);
    }
}
