//! What tidy finds, and what it lets pass.

use super::{file, functions_of, guards, overflow};

/// `text` as the file `name` has exactly these findings.
#[track_caller]
fn check(name: &str, text: &str, expected: &[&str]) {
    let mut findings = Vec::new();
    file(name, text, &mut findings);
    assert_eq!(findings, expected);
}

#[test]
fn files_are_read_line_by_line() {
    check("a.rs", "//! Good.\n", &[]);
    check("a.rs", "fn main() {}\n", &["a.rs:1: no `//!` that says what the file is"]);
    check("a.md", "one \ntwo", &["a.md:1: trailing space", "a.md: no newline at the end"]);
    check("a/testdata/a.jsonl", "{} \n", &[]);
    let long = format!("//! Long.\n{}", "//\n".repeat(500));
    check("a.rs", &long, &["a.rs: 501 lines, 500 are allowed"]);
    check("a/tests.rs", &long, &[]);
    let unfinished = concat!("//! Unfinished.\nfn f() { todo", "!() }\n");
    check("a.rs", unfinished, &["a.rs:2: unfinished code"]);
}

#[test]
fn folders_of_one_machine_are_found_where_a_path_begins() {
    let folder = concat!("/ro", "ot/");
    check(
        "a.md",
        &format!("see {folder}x\n"),
        &[&format!("a.md:1: a folder of one machine, {folder}")],
    );
    check("a.md", &format!("see the{folder}x\n"), &[]);
}

#[test]
fn promises_have_tests_that_exist() {
    let functions = functions_of("fn a_test() {}\nasync fn other(x: u8) {}").map(str::to_owned);
    let functions = functions.collect();
    let check = |rows: &str, expected: &[&str]| {
        let mut findings = Vec::new();
        let table = "# x\n## Promises and their tests\n\n| promise | guarded by |\n|---|---|\n";
        guards(&format!("{table}{rows}"), &functions, &mut findings);
        assert_eq!(findings, expected, "{rows}");
    };
    check("| a | `a_test`, `other`, `cargo xtask soak` |\n", &[]);
    check("| a | `gone` |\n", &["SECURITY.md: there is no test `gone`"]);
    check("| a | nothing |\n", &["SECURITY.md: nothing guards: | a | nothing |"]);
    check("", &["SECURITY.md: no table of promises and their tests"]);
}

#[test]
fn the_program_checks_its_arithmetic() {
    let check = |release: &str, expected: &[&str]| {
        let mut findings = Vec::new();
        let manifest = format!("[workspace]\n\n[profile.release]\n{release}\n[profile.bench]\n");
        overflow(&manifest, &mut findings);
        assert_eq!(findings, expected, "{release}");
    };
    check("debug = 1\noverflow-checks = true # a reason\n", &[]);
    let missing = "Cargo.toml: [profile.release] has no `overflow-checks = true`";
    check("debug = 1\n", &[missing]);
    check("overflow-checks = false\n", &[missing]);
    check("\n[profile.dev]\noverflow-checks = true\n", &[missing]);
}
