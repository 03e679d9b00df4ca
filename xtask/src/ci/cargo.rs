//! The steps that are one or two cargo commands.

use anyhow::Result;

use crate::{paths, process};

/// `cargo fmt --check`, the workspaces of their own too.
pub(super) fn fmt() -> Result<String> {
    process::run(paths::cargo().args(["fmt", "--all", "--check"]))?;
    for manifest in ["bench/Cargo.toml", "fuzz/Cargo.toml"] {
        let fmt = ["fmt", "--all", "--manifest-path", manifest, "--check"];
        process::run(paths::cargo().args(fmt))?;
    }
    Ok("formatted".into())
}

/// Clippy over every target: with all features, with the sets a host may choose, and the benchmarks,
/// which nothing else in ci builds.
pub(super) fn clippy() -> Result<String> {
    let sets: [&[&str]; 7] = [
        &["--workspace", "--all-features"],
        &["--package", "capsem-ws-codec", "--no-default-features"],
        &["--package", "capsem-ws-codec", "--no-default-features", "--features", "tokio-util"],
        &["--package", "capsem-telemetry", "--no-default-features"],
        &["--package", "capsem-telemetry", "--no-default-features", "--features", "otlp"],
        &["--package", "capsem-mitm"],
        &["--package", "capsem-mitm", "--no-default-features"],
    ];
    for set in sets {
        let mut clippy = paths::cargo();
        clippy.args(["clippy", "--quiet", "--locked"]).args(set);
        if set.contains(&"--workspace") {
            clippy.arg("--all-targets");
        }
        process::run(clippy.args(["--", "-D", "warnings"]))?;
    }
    let mut bench = paths::cargo();
    bench.args(["clippy", "--quiet", "--locked", "--workspace"]);
    bench.args(["--manifest-path", "bench/Cargo.toml"]);
    bench.arg("--target-dir").arg(paths::target().join("bench"));
    process::run(bench.args(["--", "-D", "warnings"]))?;
    Ok(format!("no warning in {} feature sets and the benchmarks", sets.len()))
}

/// `cargo doc` of our own crates, and of the codec as its users build it.
pub(super) fn docs() -> Result<String> {
    let sets: [&[&str]; 2] = [
        &["--workspace", "--all-features"],
        &["--package", "capsem-ws-codec", "--no-default-features"],
    ];
    for set in sets {
        let mut doc = paths::cargo();
        doc.args(["doc", "--quiet", "--locked", "--no-deps"]).args(set);
        process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    Ok(format!("no warning in {} feature sets", sets.len()))
}

/// `cargo test`, doc examples too, and the fuzz workspace's own library; the configuration also as the
/// program reads it without the features that are not built in unasked.
pub(super) fn test() -> Result<String> {
    let workspace: &[&str] = &["--workspace", "--all-features", "--no-fail-fast"];
    let fuzz: &[&str] = &["--manifest-path", "fuzz/Cargo.toml", "--lib"];
    let unasked: &[&str] = &["--package", "capsem-mitm", "--lib", "config_file"];
    let mut printed = String::new();
    for set in [workspace, fuzz, unasked] {
        printed += &process::read(paths::cargo().args(["test", "--quiet", "--locked"]).args(set))?;
    }
    Ok(format!(
        "{} tests passed, {} ignored",
        tests(&printed, "passed"),
        tests(&printed, "ignored")
    ))
}

/// `cargo package` of the codec, which others use alone. Builds what it packs, with all features.
pub(super) fn package() -> Result<String> {
    let mut package = paths::cargo();
    package.args(["package", "--quiet", "--locked", "--offline", "--allow-dirty"]);
    process::run(package.args(["--package", "capsem-ws-codec", "--all-features"]))?;
    Ok("the codec builds from its package".into())
}

/// How many tests `passed`, or what else is counted, by all that `cargo test` printed.
pub(super) fn tests(printed: &str, word: &str) -> u64 {
    let results = printed.lines().filter_map(|line| line.strip_prefix("test result: "));
    results.filter_map(|line| count_of(line, word)).sum()
}

/// The number before `word` in `ok. 12 passed; 0 failed; ...`.
fn count_of(line: &str, word: &str) -> Option<u64> {
    let (before, _) = line.split_once(&format!(" {word}"))?;
    before.rsplit(' ').next()?.parse().ok()
}
