//! Path entries: what they match, why some are refused, and that the matcher is the naive one.

use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(pattern: &str, path: &str, expected: bool) {
    let parsed = PathPattern::parse(pattern).unwrap();
    assert_eq!(parsed.matches(path), expected, "{pattern} and {path}");
}

#[track_caller]
fn refused(pattern: &str, expected: PathFault) {
    assert_eq!(PathPattern::parse(pattern), Err(expected), "{pattern}");
}

#[test]
fn literal() {
    check("/", "/", true);
    check("/v1/responses", "/v1/responses", true);
    check("/v1/responses", "/v1/responses/", false);
    check("/v1/responses", "/v1/Responses", false);
    check("/v1/responses", "/v1/%72esponses", false);
    check("/v1/responses", "//v1/responses", false);
    check("/v1/models:list", "/v1/models:list", true);
}

#[test]
fn star_stays_in_its_segment() {
    check("/v1/*", "/v1/models", true);
    check("/v1/*", "/v1/", true);
    check("/v1/*", "/v1", false);
    check("/v1/*", "/v1/models/x", false);
    check(
        "/v1beta/models/*:streamGenerateContent",
        "/v1beta/models/g-2:streamGenerateContent",
        true,
    );
    check("/v1beta/models/*:streamGenerateContent", "/v1beta/models/g-2:countTokens", false);
    check("/a*b*c", "/abbcbc", true);
    check("/a*b*c", "/abbcb", false);
    check("/*/x", "/é/x", true);
}

#[test]
fn double_star_takes_whole_segments() {
    check("/v1/models/**", "/v1/models", true);
    check("/v1/models/**", "/v1/models/", true);
    check("/v1/models/**", "/v1/models/a/b/c", true);
    check("/v1/models/**", "/v1/modelsx", false);
    check("/**", "/", true);
    check("/**", "/a/b", true);
    check("/**/x", "/x", true);
    check("/**/x", "/a/b/x", true);
    check("/**/x", "/a/b/xx", false);
    check("/a/**/b/**/c", "/a/1/b/b/2/c", true);
    check("/a/**/b/**/c", "/a/1/2/c", false);
    check("/**/**", "/a", true);
}

#[test]
fn what_is_no_path_matches_nothing() {
    check("/**", "*", false);
    check("/**", "", false);
    check("/**", "v1", false);
}

#[test]
fn entries_that_match_nothing() {
    refused("", PathFault::NoSlash);
    refused("v1/responses", PathFault::NoSlash);
    refused("**", PathFault::NoSlash);
    refused("/v1?x=1", PathFault::QueryOrFragment);
    refused("/v1#x", PathFault::QueryOrFragment);
    refused("/a b", PathFault::Character);
    refused("/a\n", PathFault::Character);
    refused("/v1/**x", PathFault::DoubleStar);
    refused("/v1/***", PathFault::DoubleStar);
    refused(&format!("/{}", "a".repeat(2048)), PathFault::Length);
}

#[test]
fn many_stars_cost_no_more_than_the_product() {
    let pattern = format!("/{}b", "*a".repeat(500));
    check(&pattern, &format!("/{}", "a".repeat(20_000)), false);
    let pattern = format!("{}/b", "/**/a".repeat(300));
    check(&pattern, &"/a".repeat(20_000), false);
}

/// The definition, read aloud: tries every way to give the stars what they stand for.
fn naive(pattern: &str, path: &str) -> bool {
    fn text(pattern: &[u8], input: &[u8]) -> bool {
        match pattern.split_first() {
            None => input.is_empty(),
            Some((b'*', rest)) => (0..=input.len()).any(|taken| text(rest, &input[taken..])),
            Some((byte, rest)) => input.first() == Some(byte) && text(rest, &input[1..]),
        }
    }
    fn segments(pattern: &[&str], input: &[&str]) -> bool {
        match pattern.split_first() {
            None => input.is_empty(),
            Some((&"**", rest)) => (0..=input.len()).any(|taken| segments(rest, &input[taken..])),
            Some((first, rest)) => input.split_first().is_some_and(|(segment, others)| {
                text(first.as_bytes(), segment.as_bytes()) && segments(rest, others)
            }),
        }
    }
    let split = |text: &'_ str| text.split('/').skip(1).map(str::to_owned).collect::<Vec<_>>();
    let (pattern, input) = (split(pattern), split(path));
    let pattern: Vec<_> = pattern.iter().map(String::as_str).collect();
    let input: Vec<_> = input.iter().map(String::as_str).collect();
    path.starts_with('/') && segments(&pattern, &input)
}

proptest! {
    #[test]
    fn equals_the_naive_matcher(
        pattern in "(/(\\*\\*|[ab*]{0,3})){1,5}",
        path in "(/[ab]{0,3}){0,6}",
    ) {
        if let Ok(parsed) = PathPattern::parse(&pattern) {
            prop_assert_eq!(parsed.matches(&path), naive(&pattern, &path));
        }
    }

    #[test]
    fn never_panics(pattern in ".{0,40}", path in ".{0,40}") {
        if let Ok(parsed) = PathPattern::parse(&pattern) {
            parsed.matches(&path);
        }
    }
}
