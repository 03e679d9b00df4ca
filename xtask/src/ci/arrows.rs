//! `arrows`: which crate may reach which, read from `cargo tree`.
//!
//! The three leaf crates know nothing of each other and of the world; what they may pull in is a
//! design decision and therefore a test.

use anyhow::{Result, ensure};

use crate::{paths, process};

/// What a crate must never reach, with any of its features.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    (
        "capsem-ws-codec",
        &[
            "capsem-mitm",
            "capsem-policy",
            "capsem-telemetry",
            "hyper",
            "rustls",
            "serde_json",
            "tokio",
        ],
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
    for (name, features) in tree("capsem-telemetry", &["--all-features"])? {
        if name == "tokio" {
            for worldly in WORLDLY {
                ensure!(
                    !features.split(',').any(|feature| feature == worldly),
                    "capsem-telemetry turns on tokio's `{worldly}`"
                );
            }
        }
    }
    Ok(format!("{} arrows hold", arrows + WORLDLY.len()))
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
