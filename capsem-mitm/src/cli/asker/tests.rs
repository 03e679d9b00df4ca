//! The command of the configuration, run for real.

use super::*;
use tokio::task::JoinSet;

fn question() -> Question {
    Question {
        conn: "c1".to_owned(),
        exchange: "e1".to_owned(),
        on: "http",
        rule: None,
        reason: None,
        scheme: "https",
        host: "example.com".to_owned(),
        port: 443,
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query: None,
        provider: "unknown",
        message: None,
    }
}

/// Each command says no where it finds another one running.
#[tokio::test]
async fn questions_wait_for_their_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let lock = folder.path().join("lock").to_string_lossy().into_owned();
    let script = "mkdir \"$0\" || exit 1; cat >/dev/null; rmdir \"$0\"";
    let words = ["sh", "-c", script, &lock].map(str::to_owned);
    let mut asker = CommandAsker::new(&words).expect("words");
    asker.turns = Semaphore::new(1);
    let asker = std::sync::Arc::new(asker);
    let mut answers = JoinSet::new();
    for _ in 0..8 {
        let asker = std::sync::Arc::clone(&asker);
        answers.spawn(async move { asker.ask(&question()).await.expect("it runs") });
    }
    assert_eq!(answers.join_all().await, [true; 8]);
}
