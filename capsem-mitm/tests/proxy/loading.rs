//! Rule files that cannot be: the built program says where and what, in bounded time and memory.

use crate::{
    program::{output, text},
    support::soon,
};
use std::{fmt::Write as _, path::Path};
use tokio::process::Command;

/// `check --policy`, with no more memory than 1 GiB of addresses.
async fn check(folder: &Path, name: &str) -> (Option<i32>, String) {
    const BOUNDED: &str = "ulimit -v 1048576 && exec \"$0\" check --policy \"$1\"";
    let mut command = Command::new("sh");
    command.args(["-c", BOUNDED, env!("CARGO_BIN_EXE_capsem-mitm"), name]);
    command.current_dir(folder).kill_on_drop(true).env("NO_COLOR", "1");
    let done = soon(name, command.output()).await.unwrap();
    (done.status.code(), text(&done.stderr))
}

/// Refuses a file in one line, which begins with the place and has these words.
async fn refused(folder: &Path, name: &str, place: &str, words: &str) {
    let (code, said) = check(folder, name).await;
    assert_eq!(code, Some(2), "{name}: {said:.300}");
    let expected = format!("{name}:{place}: ");
    assert!(said.starts_with(&expected) && said.contains(words), "{name}: {said:.300}");
    assert!(said.lines().count() == 1 && said.len() < 4096, "{name}: {} bytes", said.len());
}

fn rule(rest: &str) -> String {
    format!("version = 1\n[[rule]]\nid = 'a'\naction = 'block'\n{rest}\n")
}

#[tokio::test]
async fn what_is_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("folder")).unwrap();
    let pipe = Command::new("mkfifo").arg(folder.join("pipe")).status().await.unwrap();
    assert!(pipe.success());
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
    for (name, target) in [("zero", "/dev/zero"), ("loop", "loop"), ("to-pipe", "pipe")] {
        std::os::unix::fs::symlink(target, folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("latin"), b"version = 1\n# caf\xe9\n").unwrap();
    std::fs::write(folder.join("utf16"), b"\xff\xfev\0").unwrap();
    let long = std::fs::File::create(folder.join("long")).unwrap();
    long.set_len(1 << 40).unwrap();
    for (name, place, words) in [
        ("missing", "1:1", "No such file or directory"),
        ("folder", "1:1", "this is a folder; name a regular file"),
        ("pipe", "1:1", "this is a pipe; name a regular file"),
        ("to-pipe", "1:1", "this is a pipe; name a regular file"),
        ("socket", "1:1", "this is a socket; name a regular file"),
        ("zero", "1:1", "this is a device; name a regular file"),
        ("loop", "1:1", "Too many levels of symbolic links"),
        ("long", "1:1", "the file has more than 8388608 bytes"),
        ("latin", "2:6", "the byte 0xe9 is no UTF-8; save the file as UTF-8"),
        ("utf16", "1:1", "the byte 0xff is no UTF-8; save the file as UTF-8"),
    ] {
        refused(folder, name, place, words).await;
    }
    // A configuration is read in the same way.
    let done = output(&["check", "--config", "pipe"], folder).await;
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).starts_with("pipe:1:1: this is a pipe"), "{}", text(&done.stderr));
}

#[tokio::test]
async fn what_is_no_rule_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let many = |count: usize, rest: &str| {
        (0..count).fold("version = 1\n".to_owned(), |mut text, id| {
            let _ = write!(text, "[[rule]]\nid = 'r{id}'\naction = 'block'\n{rest}");
            text
        })
    };
    let long = "x".repeat(1 << 20);
    let mut wrong = Vec::new();
    let nested = format!("{}true{}", "(".repeat(2000), ")".repeat(2000));
    for (text, place, words) in [
        (String::new(), "1:1", "`version` is missing; add `version = 1`"),
        ("\u{feff}".to_owned(), "1:1", "`version` is missing"),
        (
            "version = 1\r\n[[rule]]\r\nid = 'a'\r\nactoin = 'block'\r\n".to_owned(),
            "4:1",
            "`action`?",
        ),
        ("version = 1\rdefault = 'allow'\n".to_owned(), "1:13", "not valid TOML"),
        ("version = 1\nversion = 1\n".to_owned(), "2:1", "not valid TOML"),
        ("version = 1\nx = \"\\q\"\n".to_owned(), "2:7", "not valid TOML"),
        ("version = 99999999999999999999\n".to_owned(), "1:11", "out of range"),
        ("version = 1.0\n".to_owned(), "1:11", "it must be an integer"),
        (format!("version = 1\nx = {}", "[".repeat(1 << 20)), "2:", "not valid TOML"),
        (format!("version = 1\n[{}x]\n", "x.".repeat(1 << 19)), "1:1", "recursion limit"),
        (format!("version = 1\nx = {}", "{x=".repeat(1 << 20)), "2:", "not valid TOML"),
        (format!("version = 1\n{long} = 1\n"), "2:1", "unknown key"),
        (rule(&format!("on = '{long}'")), "5:6", "it must be a list"),
        (rule("hosts = ['a.*.b']"), "5:10", "cannot match"),
        (rule(&format!("hosts = ['{long}']")), "5:10", "cannot match"),
        (rule(&format!("paths = ['/{long}']")), "5:10", "cannot match"),
        (rule(&format!("on = ['message']\nmodels = ['{long}']")), "6:11", "matches no name"),
        (rule(&format!("methods = ['{long}\u{1}']")), "5:", "TOML"),
        (rule(&format!("reason = '{long}'")), "5:10", "1048576 bytes; use at most 1024"),
        (rule("when = 'http.host =='"), "5:21", "the end cannot stand here"),
        (rule("when = 'http.port == \"443\"'"), "5:", ""),
        (rule("when = 'http.host'"), "5:", ""),
        (rule("when = 'http.host.matches(\"(a\")'"), "5:", ""),
        (rule("when = 'http.host.matches(\"(((a{1000}){1000}){1000})\")'"), "5:", ""),
        (rule(&format!("when = 'http.host.matches(\"{long}\")'")), "5:", ""),
        (rule(&format!("when = '{nested}'")), "5:", ""),
        (rule(&format!("when = '{}true'", "!".repeat(4000))), "5:", ""),
        (rule(&format!("when = 'true{}'", " && true".repeat(100_000))), "5:", ""),
        (rule("id = 'b'"), "5:1", "not valid TOML"),
        (
            many(2, "") + "[[rule]]\nid = 'r1'\naction = 'ask'\n",
            "9:6",
            "is taken by the rule on line 6",
        ),
        (many(100_000, ""), "49154:1", "one rule too many; use at most 16384"),
        (many(1025, "when = 'http.path.matches(\"a\")'\n"), "4098:1", "at most 1024 `matches`"),
        // Capsem's own tables.
        ("[corp.rules.a]\nname = 'a'\n".to_owned(), "1:", "missing"),
        (
            "[corp.rules.a]\nname='a'\naction='block'\nmatch='http.hots == \"x\"'\n".to_owned(),
            "4:",
            "http.hots",
        ),
        (
            "[corp.rules.a]\nname='a'\naction='blok'\nmatch='http.host == \"x\"'\n".to_owned(),
            "3:8",
            "blok",
        ),
        (
            "[corp.rules.a]\nname='a'\naction='block'\nmatch='http.host.matches(\"(\")'\n"
                .to_owned(),
            "4:",
            "",
        ),
        (format!("[corp.rules.a]\nname='a'\naction='block'\nmatch='{nested}'\n"), "4:", ""),
        (
            format!("[corp.rules.a]\nname='{long}'\naction='block'\nmatch='http.host == \"x\"'\n"),
            "2:6",
            "",
        ),
        ("[corp.rules]\nx = 1\n".to_owned(), "2:", ""),
        ("[profiles]\nx = 1\n".to_owned(), "2:1", "unknown key"),
    ] {
        std::fs::write(folder.join("p.toml"), &text).unwrap();
        let (code, said) = check(folder, "p.toml").await;
        // The place is whole, and what is to be done is said behind a semicolon or as a question.
        let place = format!("p.toml:{place}");
        let told = said.splitn(4, ':').nth(3).unwrap_or_default();
        let good = code == Some(2)
            && said.starts_with(&place)
            && said.contains(words)
            && told.contains(['?', ';'])
            && said.lines().count() == 1
            && said.len() < 4096;
        if !good {
            let start: String = text.chars().take(80).collect();
            let len = said.len();
            wrong.push(format!("{start:?}, {place} {words:?}: {code:?} {len} {said:.300}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
