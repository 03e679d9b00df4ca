//! Forms: what their fields say, and forms that can be divided in more than one way.

use super::*;

const MEDIA: &str = "multipart/form-data; boundary=x";

/// A part with this head, lines divided by `|`, and this content.
fn part(head: &str, content: &str) -> String {
    format!("--x\r\n{}\r\n\r\n{content}\r\n", head.replace('|', "\r\n"))
}

fn named(name: &str, content: &str) -> String {
    part(&format!("Content-Disposition: form-data; name=\"{name}\""), content)
}

#[track_caller]
fn check(media: &str, form: &str, models: &[&str]) {
    let facts = MessageFacts::of_form(media, form.as_bytes());
    assert!(facts.readable, "{form}");
    assert_eq!(facts.models().collect::<Vec<_>>(), models, "{form}");
}

#[track_caller]
fn unreadable(media: &str, form: &str) {
    assert!(!MessageFacts::of_form(media, form.as_bytes()).readable, "{media} {form}");
}

#[test]
fn models_of_fields_and_of_files() {
    let ends = |parts: &str| format!("{parts}--x--\r\n");
    check(MEDIA, &ends(&named("model", "a")), &["a"]);
    check("Multipart/Form-Data; BOUNDARY=\"x\"", &ends(&named("model", "a")), &["a"]);
    check(
        MEDIA,
        &ends(&(named("model", "a") + &named("model", " b ") + &named("n", "c"))),
        &["a", "b"],
    );
    check(MEDIA, &ends(&named("session", r#"{"type":"realtime","model":"a"}"#)), &["a"]);
    check(MEDIA, &ends(&named("session[model]", "a")), &["a"]);
    let file = "Content-Disposition: form-data; name=\"file\"; filename=\"b.jsonl\"|Content-Type: text/plain";
    let lines = "{\"body\":{\"model\":\"a\"}}\n{\"body\":{\"model\":\"b\"}}\n";
    check(MEDIA, &ends(&part(file, lines)), &["a", "b"]);
    // Whatever it is called, what can be read is.
    check(MEDIA, &ends(&part(&file.replace("jsonl", "png"), lines)), &["a", "b"]);
    check(MEDIA, &ends(&part(&file.replace("jsonl", "md"), "[a](b)")), &[]);
    check(MEDIA, &ends(&part(file, "\u{1}\u{2}")), &[]);
    check(
        "multipart/related; boundary=x",
        &ends(&part("Content-Type: application/json", r#"{"model":"a"}"#)),
        &["a"],
    );
    check(MEDIA, &ends("--x\r\n\r\n{\"model\":\"a\"}\r\n"), &["a"]);
}

#[test]
fn what_can_be_divided_in_more_than_one_way() {
    let whole = named("model", "a") + "--x--\r\n";
    check(MEDIA, &whole, &["a"]);
    for (from, to) in [
        ("--x--\r\n", ""),
        ("--x--", "--x"),
        ("--x--\r\n", "--x--\r\nmore"),
        ("\r\na\r\n", "\r\na\n--x\nb\r\n"),
        ("\r\na\r\n", "\r\na --x\r\n"),
        ("\r\n\r\na", "\n\na"),
        ("name=\"model\"", "name=\"n\"; name=\"model\""),
        ("name=\"model\"", "name=\"n\"; name*=utf-8''model"),
        ("name=\"model\"", "name=\"mo\\del\""),
        ("name=\"model\"", "name=\"model\"x"),
        ("Content-Disposition", "Content-Disposition : a\r\nContent-Disposition"),
        (
            "Content-Disposition: ",
            "Content-Disposition: form-data; name=\"n\"\r\nContent-Disposition: ",
        ),
        ("form-data; name", "form-data;\r\n name"),
        ("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
        ("--x\r\n", "preamble\r\n--x\r\n"),
    ] {
        unreadable(MEDIA, &whole.replacen(from, to, 1));
    }
    unreadable("multipart/form-data", &whole);
    unreadable("multipart/form-data; boundary=x; boundary=y", &whole);
    unreadable("multipart/form-data; boundary=\"\\x\"", &whole);
    let file = "Content-Disposition: form-data; name=\"file\"; filename=\"b.jsonl\"";
    unreadable(MEDIA, &(part(file, "{\"body\":{}}\n{\"body\":") + "--x--\r\n"));
    unreadable(MEDIA, &(named("session", r#"{"model":"a","model":"b"}"#) + "--x--\r\n"));
}

#[test]
fn forms_in_one_line() {
    let media = "application/x-www-form-urlencoded";
    check(media, "a=b&mod%65l=gpt%2D5&model=c", &["gpt-5", "c"]);
    check(media, "session=%7B%22model%22%3A%22a%22%7D", &["a"]);
    // As curl sends it if nobody says otherwise.
    check(media, r#"{"model":"a"}"#, &["a"]);
    check(media, "", &[]);
    unreadable(media, "a=\u{0}&%ff=1");
}

#[test]
fn lines() {
    let read = |text: &str| MessageFacts::read_lines(text.as_bytes());
    assert!(read("{\"model\":\"a\"}\r\n\r\n{\"model\":\"b\"}\n").models().eq(["a", "b"]));
    for text in ["", "{\"model\":\"a\"} {}", "{}\n{\"model\":", "{\n\"model\":1\n}}"] {
        assert!(!read(text).readable, "{text}");
    }
}
