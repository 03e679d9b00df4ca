//! `arrows`: which crate may reach which, read from `cargo tree`.
//!
//! The three leaf crates know nothing of each other and of the world; what they may pull in is a
//! design decision and therefore a test.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{paths, process};

/// What a crate must never reach, with any of its features.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    (
        "capsem-ws-codec",
        &["capsem-mitm", "capsem-policy", "capsem-telemetry", "hyper", "rustls", "serde_json"],
    ),
    (
        "capsem-policy",
        &["capsem-mitm", "capsem-telemetry", "capsem-ws-codec", "hyper", "rustls", "tokio"],
    ),
    (
        "capsem-telemetry",
        &["capsem-mitm", "capsem-policy", "capsem-ws-codec", "hyper", "rustls", "tungstenite"],
    ),
    ("capsem-mitm", &["native-tls", "openssl", "ring", "tungstenite", "xtask"]),
];

/// What `ws` alone, the level a host embeds, must not bring along.
const EMBEDDED: [&str; 6] =
    ["capsem-policy", "capsem-telemetry", "rcgen", "rusqlite", "rustls", "serde_json"];

/// What the codec must not reach but through its one feature `tokio-util`.
const CODEC_ALONE: [&str; 3] = ["futures-core", "tokio", "tokio-util"];

/// Tokio features that mean a socket or a runtime.
const WORLDLY: [&str; 4] = ["net", "process", "rt", "rt-multi-thread"];

/// Checks every arrow.
pub(super) fn check() -> Result<String> {
    let mut arrows = 0;
    for (package, forbidden) in FORBIDDEN {
        arrows += reaches_none(&tree(package, &["--all-features"])?, package, forbidden)?;
    }
    let embedded = tree("capsem-mitm", &["--no-default-features"])?;
    arrows += reaches_none(&embedded, "capsem-mitm without features", &EMBEDDED)?;
    arrows += codec_alone()?;
    for package in ["capsem-telemetry", "capsem-ws-codec"] {
        arrows += no_runtime(package)?;
    }
    Ok(format!("{arrows} arrows hold"))
}

/// The codec without the feature `tokio-util`, and with every other one.
fn codec_alone() -> Result<usize> {
    let package = "capsem-ws-codec";
    let features = features(package)?;
    ensure!(features.iter().any(|feature| feature == "tokio-util"), "{package} lost `tokio-util`");
    let others: Vec<&str> =
        features.iter().map(String::as_str).filter(|feature| *feature != "tokio-util").collect();
    let others = others.join(",");
    let mut arrows = 0;
    for set in [&["--no-default-features"][..], &[], &["--features", &others]] {
        arrows += reaches_none(&tree(package, set)?, package, &CODEC_ALONE)?;
    }
    Ok(arrows)
}

/// The tokio that `package` reaches has traits and channels, no socket and no runtime.
fn no_runtime(package: &str) -> Result<usize> {
    for (name, features) in tree(package, &["--all-features"])? {
        for worldly in WORLDLY {
            let turned_on = name == "tokio" && features.split(',').any(|on| on == worldly);
            ensure!(!turned_on, "{package} turns on tokio's `{worldly}`");
        }
    }
    Ok(WORLDLY.len())
}

fn reaches_none(tree: &[(String, String)], package: &str, forbidden: &[&str]) -> Result<usize> {
    for name in forbidden {
        ensure!(!tree.iter().any(|(found, _)| found == name), "{package} reaches {name}");
    }
    Ok(forbidden.len())
}

/// Everything `package` reaches by normal dependencies: name and features, itself left out.
fn tree(package: &str, features: &[&str]) -> Result<Vec<(String, String)>> {
    let mut tree = paths::cargo();
    tree.args([
        "tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}\t{f}",
    ]);
    let listed = process::read(tree.args(["--package", package]).args(features))?;
    let lines = listed.lines().filter_map(|line| line.split_once('\t'));
    let named = lines.filter_map(|(crate_, features)| {
        let name = crate_.split_whitespace().next()?;
        (name != package).then(|| (name.to_owned(), features.to_owned()))
    });
    Ok(named.collect())
}

/// The names of a package's features.
fn features(package: &str) -> Result<Vec<String>> {
    let listed = process::read(paths::cargo().args([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ]))?;
    let metadata: Value = serde_json::from_str(&listed)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let found =
        packages.iter().find(|found| found["name"] == package).context("no such package")?;
    let features = found["features"].as_object().context("no features")?;
    Ok(features.keys().cloned().collect())
}
