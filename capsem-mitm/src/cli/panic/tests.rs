//! A process that panics, seen from outside: the hook belongs to the whole of it.

use std::process::Command;

const ROLE: &str = "CAPSEM_MITM_PANIC_TEST";
const CANARY: &str = "canary-of-a-panic";

/// Not a test of its own: the process that panics. Without its variable it does nothing.
#[test]
fn child() {
    if std::env::var_os(ROLE).is_some() {
        super::install();
        let panicked = std::thread::Builder::new().name("worker".to_owned()).spawn(|| {
            panic!("{CANARY}");
        });
        assert!(panicked.expect("a thread").join().is_err());
    }
}

#[test]
fn a_panic_names_its_place_and_not_its_message() {
    for trace in ["0", "1"] {
        let child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "cli::panic::tests::child", "--nocapture"])
            .envs([(ROLE, "1"), ("RUST_BACKTRACE", trace)])
            .output()
            .expect("a child");
        let said = String::from_utf8(child.stderr).expect("text");
        assert!(child.status.success(), "{said}");
        assert!(said.contains("panic/tests.rs:") && said.contains("thread worker"), "{said}");
        assert!(!said.contains(CANARY), "{said}");
        assert_eq!(said.lines().count() > 1, trace == "1", "{said}");
    }
}
