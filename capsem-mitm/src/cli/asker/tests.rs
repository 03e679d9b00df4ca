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
        process: None,
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

/// What a command that is too late has started goes with it.
#[tokio::test]
async fn a_late_command_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    // Both the command and its child hold the pipe open for writing, and wait for ever.
    let script = "exec 3>\"$0\"; sleep 3600 & wait";
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("a pipe");
    let words = ["sh", "-c", script, &*pipe.to_string_lossy()].map(str::to_owned);
    let asker = CommandAsker::new(&words).expect("words");
    let question = question();
    let reader = tokio::task::spawn_blocking(move || std::fs::File::open(pipe).expect("a writer"));
    let reader = tokio::select! {
        reader = reader => reader.expect("no panic"),
        answer = asker.ask(&question) => panic!("it answers: {answer:?}"),
    };
    // Its end comes when nobody is left to write.
    let end = tokio::task::spawn_blocking(move || std::io::read_to_string(reader));
    let end = tokio::time::timeout(std::time::Duration::from_secs(20), end).await;
    assert_eq!(end.expect("an end").expect("no panic").expect("readable"), "");
}
