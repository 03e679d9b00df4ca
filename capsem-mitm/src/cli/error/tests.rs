//! Lines and exit codes.

use super::*;
use capsem_policy::Policy;

#[track_caller]
fn check(error: &CliError, code: u8, line: &str) {
    assert_eq!((error.code(), error.line().as_str()), (code, line));
}

#[test]
fn one_line_each() {
    let io = || io::Error::other("no\nroom");
    check(
        &Policy::parse("", "p.toml").unwrap_err().into(),
        2,
        "p.toml:1:1: `version` is missing; add `version = 1`",
    );
    check(
        &CliError::MessageFile { path: "m.json".into(), error: io() },
        2,
        "capsem-mitm: cannot read m.json: no room; name a file with a message",
    );
    check(&CliError::Stdout(io()), 1, "capsem-mitm: cannot write to stdout: no room");
    check(
        &capsem_telemetry::Error::Read { path: "l.db".into(), source: io().into() }.into(),
        1,
        "capsem-mitm: cannot read ledger l.db: no room",
    );
    check(
        &CliError::NoCommand { program: "codx".into() },
        127,
        "capsem-mitm: cannot run \"codx\": there is no such program; look at its spelling and at \
         PATH",
    );
}
