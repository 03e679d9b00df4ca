//! Hosts as a table: each spelling and the one thing it means, or why it means nothing.

use super::{Authority, HostError};

#[track_caller]
fn check(text: &str, expect: Result<&str, HostError>) {
    let got = Authority::parse(text, 443).map(|authority| authority.to_string());
    assert_eq!(got.as_deref(), expect.as_deref(), "{text:?}");
}

#[test]
fn one_spelling_for_one_name() {
    check("api.openai.com", Ok("api.openai.com:443"));
    check("API.OpenAI.COM.:8443", Ok("api.openai.com:8443"));
    check("my_host", Ok("my_host:443"));
    check("127.0.0.1:80", Ok("127.0.0.1:80"));
    check("[::1]:80", Ok("[::1]:80"));
    check("[0:0::1]", Ok("[::1]:443"));
}

#[test]
fn what_names_no_host() {
    check("", Err(HostError::Empty));
    check(".", Err(HostError::Empty));
    check(":80", Err(HostError::Empty));
    check("a..b", Err(HostError::Label));
    check("-a.b", Err(HostError::Label));
    check("a.b..", Err(HostError::Label));
    check("*", Err(HostError::Character));
    check("*.example.com", Err(HostError::Character));
    check("u@h", Err(HostError::Character));
    check("h/x", Err(HostError::Character));
    check("h h", Err(HostError::Character));
    check("h\0", Err(HostError::Character));
    check("bücher.example", Err(HostError::Character));
    check("[example.com]", Err(HostError::Brackets));
    check("[::1", Err(HostError::Brackets));
    check("[fe80::1%25eth0]", Err(HostError::Brackets));
    check(&"a".repeat(64), Err(HostError::TooLong));
    check(&"a.".repeat(127), Ok(&format!("{}:443", "a.".repeat(126) + "a")));
    check(&"a.".repeat(128), Err(HostError::TooLong));
}

#[test]
fn numbers_that_parsers_read_differently() {
    for text in
        ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "0x7f000001", "1.2.3.4.5", "1.0x"]
    {
        check(text, Err(HostError::Numeric));
    }
}

#[test]
fn ports() {
    for text in ["h:", "h:0", "h:65536", "h:+80", "h:8 0", "h:80:80", "h:abc"] {
        check(text, Err(HostError::Port));
    }
    check("h:65535", Ok("h:65535"));
    check("::1", Err(HostError::Port));
}
