//! Forms: what their fields say, and forms that can be divided in more than one way.

use super::*;
use proptest::prelude::*;

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
    assert!(read(&"{}\n".repeat(MAX_LINES)).readable);
    assert!(!read(&"{}\n".repeat(MAX_LINES + 1)).readable);
    // The same names again and again are no more names.
    let again = "{\"tools\":[{\"name\":\"a\"},{\"name\":\"b\"}]}\n".repeat(5000);
    assert_eq!((read(&again).tools.join(" "), read(&again).readable), ("a b".to_owned(), true));
    for text in ["", "{\"model\":\"a\"} {}", "{}\n{\"model\":", "{\n\"model\":1\n}}"] {
        assert!(!read(text).readable, "{text}");
    }
}

/// A reader that forgives everything: any end of a line, any place for a border, any words about it.
fn forgiving(form: &str) -> Vec<String> {
    let form = form.replace("\r\n", "\n").replace('\r', "\n");
    let parts = form.split("--x").filter_map(|part| part.split_once("\n\n"));
    let models = parts.filter(|(head, _)| head.to_ascii_lowercase().contains("model"));
    models.map(|(_, value)| value.trim().to_owned()).collect()
}

/// Mostly the first, so that most forms are in order but for one thing.
fn mostly(
    first: &'static str,
    others: &'static [&'static str],
) -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just(first), 1 => prop::sample::select(others)]
}

fn any_part() -> impl Strategy<Value = String> {
    let border =
        mostly("--x\r\n", &["--x\n", "--x \r\n", "--x\r", "--xy\r\n", "--x--\r\n", "\n--x\r\n"]);
    let head = prop::sample::select(vec![
        "Content-Disposition: form-data; name=\"model\"",
        "content-disposition:form-data;name=model",
        "Content-Disposition: form-data; filename=\"model\"; name=\"n\"",
        "Content-Disposition: form-data; name=\"n\"; name=\"model\"",
        "Content-Disposition: form-data; name=\"n\\\"; name=\"model\"",
        "Content-Disposition: form-data; name=\"n\"; filename=\"\"model\"",
        "Content-Disposition: form-data; name=\"n\"",
        "Content-Type: a/b",
    ]);
    let gap = mostly("\r\n\r\n", &["\n\n", "\r\n\n", "\r\r", "\r\n \r\n", "\r\n"]);
    let value = prop::sample::select(vec![
        "a",
        "b",
        "a\n--x\nname=model\n\nb",
        "a\r--x",
        "--x",
        "a--x--",
        "{\"model\":\"c\"}",
        "",
    ]);
    let end = mostly("\r\n", &["\n", "\r", "", " \r\n"]);
    (border, head, gap, value, end).prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat())
}

proptest! {
    #[test]
    fn no_reader_finds_a_model_in_a_readable_form_that_is_not_seen(
        parts in prop::collection::vec(any_part(), 0..4),
        end in mostly("--x--\r\n", &["--x--", "--x", "--x--\r\n--x\r\n", ""]),
    ) {
        let form = parts.concat() + end;
        let facts = MessageFacts::of_form(MEDIA, form.as_bytes());
        if facts.readable {
            for model in forgiving(&form) {
                // What only looks like one, in the name of a file, is none to anybody.
                let none = form.contains("filename=\"model\"");
                prop_assert!(none || facts.models().any(|seen| seen == model), "{form:?}: {model:?}");
            }
        }
    }

    #[test]
    fn no_bytes_panic(form in prop::collection::vec(any::<u8>(), 0..200), media in "[ -~]{0,40}") {
        let _ = MessageFacts::of_form(&media, &form);
        let _ = MessageFacts::of_form(MEDIA, &[b"--x\r\n", &form[..], b"\r\n--x--"].concat());
        let _ = MessageFacts::read_lines(&form);
    }
}
