//! Parts of `run` that need no proxy.

use super::*;
use clap::Parser as _;
use std::{collections::HashMap, path::Path};

#[test]
fn exit_codes() {
    let check = |raw: i32, expected: u8| {
        let code = exit_code(ExitStatus::from_raw(raw));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(expected)));
    };
    check(0, 0);
    check(3 << 8, 3);
    check(255 << 8, 255);
    check(2, 130);
    check(15, 143);
}

#[test]
fn commands_that_cannot_be_run() {
    let check = |kind: io::ErrorKind, code: u8| {
        assert_eq!(cannot_run(&["x".into()], kind.into()).code(), code);
    };
    check(io::ErrorKind::NotFound, 127);
    check(io::ErrorKind::PermissionDenied, 126);
    check(io::ErrorKind::InvalidInput, 126);
}

#[test]
fn arguments_go_before_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    let text = "[listen]\ntransparent = '127.0.0.1:8443'\n[ca]\ndir = 'ca'\n\
                [policy]\nfile = 'one.toml'\n[telemetry]\nledger = 'one.db'\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();

    let args = RunArgs::parse_from(["run", "--config", file, "--", "true"]);
    let config = configure(&args).unwrap();
    assert_eq!(config.listen.proxy, Some(([127, 0, 0, 1], 0).into()));
    assert_eq!(config.listen.transparent, None);
    assert_eq!(config.policy_file, Some(folder.path().join("one.toml")));
    assert_eq!(config.limits.drain_timeout, DRAIN_TIME);

    let args = RunArgs::parse_from([
        "run", "--config", file, "--policy", "two.toml", "--ledger", "two.db", "--", "a", "--json",
    ]);
    assert_eq!(args.command, ["a", "--json"]);
    let config = configure(&args).unwrap();
    assert_eq!(config.policy_file.as_deref(), Some(Path::new("two.toml")));
    assert_eq!(config.telemetry.ledger.as_deref(), Some(Path::new("two.db")));
}

#[test]
fn records_stay_out_of_the_command_s_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    std::fs::write(&file, "[ca]\ndir = 'ca'\n[telemetry]\njsonl = '-'\n").unwrap();
    let args = RunArgs::parse_from(["run", "--config", file.to_str().unwrap(), "--", "true"]);
    assert_eq!(configure(&args).unwrap_err().code(), 2);
}

#[test]
fn the_environment() {
    let variables = environment::variables("http://127.0.0.1:1", Path::new("/b"), Path::new("/a"));
    let variables: HashMap<_, _> = variables.collect();
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    {
        assert_eq!(variables[name], "http://127.0.0.1:1", "{name}");
    }
    for name in ["NO_PROXY", "no_proxy"] {
        assert_eq!(variables[name], "", "{name}");
    }
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"] {
        assert_eq!(variables[name], "/b", "{name}");
    }
    for name in ["CODEX_CA_CERTIFICATE", "NODE_EXTRA_CA_CERTS", "DENO_CERT"] {
        assert_eq!(variables[name], "/a", "{name}");
    }
}
