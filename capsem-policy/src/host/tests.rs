//! Host entries: what they match, and why some are refused.

use super::*;

#[track_caller]
fn check(pattern: &str, host: &str, expected: bool) {
    let pattern = HostPattern::parse(pattern).unwrap();
    assert_eq!(pattern.matches(host), expected, "{pattern:?} and {host}");
}

#[track_caller]
fn refused(pattern: &str, expected: HostFault) {
    assert_eq!(HostPattern::parse(pattern), Err(expected), "{pattern}");
}

#[test]
fn names() {
    check("api.openai.com", "api.openai.com", true);
    check("API.OpenAI.com.", "api.openai.com", true);
    check("api.openai.com", "api.openai.com.evil.test", false);
    check("api.openai.com", "xapi.openai.com", false);
    check("localhost", "localhost", true);
    check("a_b.example.com", "a_b.example.com", true);
    check("xn--bcher-kva.example", "xn--bcher-kva.example", true);
}

#[test]
fn below_a_name() {
    check("*.example.com", "a.example.com", true);
    check("*.example.com", "a.b.example.com", true);
    check("*.Example.COM.", "a.example.com", true);
    check("*.example.com", "example.com", false);
    check("*.example.com", "badexample.com", false);
    check("*.example.com", ".example.com", false);
    check("*", "anything.test", true);
    check("*", "127.0.0.1", true);
}

#[test]
fn addresses() {
    check("127.0.0.1", "127.0.0.1", true);
    check("::1", "::1", true);
    check("[::1]", "::1", true);
    check("2001:DB8:0:0:0:0:0:1", "2001:db8::1", true);
    check("*.example.com", "127.0.0.1", false);
}

#[test]
fn entries_that_match_nothing() {
    refused("", HostFault::EmptyLabel);
    refused(".", HostFault::EmptyLabel);
    refused("a..b", HostFault::EmptyLabel);
    refused(".example.com", HostFault::EmptyLabel);
    refused("*.", HostFault::EmptyLabel);
    refused("a.*.com", HostFault::Star);
    refused("api*.openai.com", HostFault::Star);
    refused("**", HostFault::Star);
    refused("*.*.com", HostFault::Star);
    refused("*.127.0.0.1", HostFault::Star);
    refused("https://api.openai.com", HostFault::Character);
    refused("api.openai.com:443", HostFault::Character);
    refused("api.openai.com/v1", HostFault::Character);
    refused("a b", HostFault::Character);
    refused("bücher.example", HostFault::NotAscii);
    refused("0177.0.0.1", HostFault::Ipv4);
    refused("127.1", HostFault::Ipv4);
    refused("0x7f000001", HostFault::Ipv4);
    refused("2130706433", HostFault::Ipv4);
    refused(&"a".repeat(64), HostFault::Length);
    refused(&format!("{}a", "a.".repeat(127)), HostFault::Length);
}
