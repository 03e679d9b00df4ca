//! Files that the built program reads again: rotated values, rules replaced under load, and what a file
//! can be in the middle of a change.

use crate::{
    program::{ALLOW, configure, program, spawn},
    support::{Client, Front, HOST, Path, Upstream, check_whole, header, soon},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::{Path as FilePath, PathBuf};
use tokio::process::Child;

/// The program at work in a folder.
struct Served {
    folder: PathBuf,
    child: Child,
    front: Front,
}

impl Served {
    async fn start(folder: &FilePath, level: &str) -> Self {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut command = program(&["serve", "--config", "proxy.toml"], folder);
        command.env("RUST_LOG", level).stderr(log);
        let (child, front) = spawn(command).await;
        Self { folder: folder.to_owned(), child, front }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Puts a file in the place of another at once.
    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.folder.join("new"), text).unwrap();
        std::fs::rename(self.folder.join("new"), self.folder.join(name)).unwrap();
    }

    /// Waits until the log has these words so often.
    async fn said(&self, words: &str, times: usize) {
        let path = self.folder.join("log");
        soon(words, async {
            while String::from_utf8_lossy(&std::fs::read(&path).unwrap()).matches(words).count()
                < times
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn client(&self) -> Client {
        Client::tls(&self.front, Path::Explicit, HOST).await
    }

    /// Ends it, and gives its records.
    async fn end(mut self) -> Vec<Value> {
        self.signal(Signal::TERM);
        assert_eq!(soon("the program's end", self.child.wait()).await.unwrap().code(), Some(0));
        let lines = std::fs::read_to_string(self.folder.join("events.jsonl")).unwrap();
        let records: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        check_whole(&records);
        records
    }
}

const VALUES: [&str; 3] = ["canary-one-4711", "canary-two-4712", "canary-three-4713"];

#[tokio::test]
async fn a_rotated_value_needs_no_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    let config = std::fs::read_to_string(folder.join("proxy.toml")).unwrap();
    let credential = "[[credential]]\nhost = \"api.openai.com\"\nplaceholder = \"Bearer stand-in\"\n\
        prefix = \"Bearer \"\nvalue_file = \"key\"\n";
    std::fs::write(folder.join("proxy.toml"), config + credential).unwrap();
    std::fs::write(folder.join("key"), format!("{}\n", VALUES[0])).unwrap();
    let running = Served::start(folder, "trace").await;

    let mut client = running.client().await;
    let get = format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer stand-in\r\n\r\n");
    client.send(&get).await;
    let mut server = upstream.next().await;
    // On one connection: the value in force, and every one hidden that has been in force.
    let mut given = async |value: &str, again: bool| {
        if again {
            client.send(&get).await;
        }
        let head = server.head().await;
        assert_eq!(header(&head, "authorization"), Some(&*format!("Bearer {value}")));
        let echo = VALUES.join(" ");
        let answer = format!("HTTP/1.1 204 {value}\r\nX-Echo: {echo}\r\n\r\n");
        server.send(answer).await;
        client.head().await
    };
    let hidden = |head: &str, values: &[&str]| {
        let found = values.iter().find(|value| head.contains(**value));
        assert!(found.is_none(), "{head}");
    };
    hidden(&given(VALUES[0], false).await, &VALUES[..1]);

    // It is seen to have changed.
    running.put("key", VALUES[1]);
    running.said("a new value of a credential is in force", 1).await;
    hidden(&given(VALUES[1], true).await, &VALUES[..2]);

    // What cannot be read leaves the value as it is, and is told each time it is asked for.
    let kept = "the value before it stays in force: the credential of api.openai.com: ";
    std::fs::remove_file(folder.join("key")).unwrap();
    running.signal(Signal::HUP);
    running.said(&format!("{kept}cannot read"), 1).await;
    running.put("key", "short\n");
    running.signal(Signal::HUP);
    running.said(&format!("{kept}the credential has bytes"), 1).await;
    running.put("key", vec![b'a'; 70_000]);
    running.signal(Signal::HUP);
    running.said("has more than 64 KiB", 1).await;
    // What is no file is seen to have come, and is told once.
    let new = folder.join("new");
    assert!(std::process::Command::new("mkfifo").arg(&new).status().unwrap().success());
    std::fs::rename(&new, folder.join("key")).unwrap();
    running.said("key is now a pipe; put a regular file there", 1).await;
    std::os::unix::fs::symlink("/dev/null", &new).unwrap();
    std::fs::rename(&new, folder.join("key")).unwrap();
    running.said("key is now a device; put a regular file there", 1).await;
    hidden(&given(VALUES[1], true).await, &VALUES[..2]);

    // SIGHUP reads it at once; one that has not changed is nothing new.
    running.put("key", format!("{}\r\n", VALUES[2]));
    running.signal(Signal::HUP);
    running.said("a new value of a credential is in force", 2).await;
    running.signal(Signal::HUP);
    running.said("new rules are in force", 5).await;
    hidden(&given(VALUES[2], true).await, &VALUES);
    drop((client, server));
    let records = running.end().await;

    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    assert_eq!(log.matches("a new value of a credential is in force").count(), 2, "{log}");
    let faults: Vec<_> = records.iter().filter(|it| it["class"] == "credential").collect();
    assert_eq!(faults.len(), 5, "{faults:#?}");
    for fault in faults {
        assert_eq!((&fault["side"], &fault["conn"]), (&"proxy".into(), &Value::Null));
        let detail = fault["detail"].as_str().unwrap();
        assert!(detail.starts_with("the credential of api.openai.com: "), "{detail}");
    }
    for name in ["log", "events.jsonl", "session.db"] {
        let written = std::fs::read(folder.join(name)).unwrap();
        let written = String::from_utf8_lossy(&written);
        let found = VALUES.iter().find(|value| written.contains(**value));
        assert!(found.is_none(), "{name} holds {found:?}");
    }
}

#[tokio::test]
async fn rules_change_as_one_under_load_and_a_storm_of_signals() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    // Of each file all is told or nothing: status, reason and id.
    let rules = |letter: &str, status: u16| {
        let others = (0..200).map(|n| {
            format!("[[rule]]\nid = \"{letter}{n}\"\naction = \"allow\"\nhosts = [\"{n}.test\"]\n")
        });
        let last = format!(
            "[[rule]]\nid = \"{letter}\"\naction = \"block\"\nstatus = {status}\nreason = \"{letter}!\"\n"
        );
        format!("version = 1\n{}{last}", others.collect::<String>())
    };
    let (a, b) = (rules("a", 451), rules("b", 452));
    std::fs::write(folder.join("policy.toml"), &a).unwrap();
    let running = Served::start(folder, "error").await;
    let mut client = running.client().await;
    let mut answer = async || {
        client.send(format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
        let head = client.head().await;
        let len = header(&head, "content-length").unwrap().parse().unwrap();
        let body = String::from_utf8(client.exact(len).await).unwrap();
        let error: Value = serde_json::from_str(&body).unwrap();
        let letter = error["error"]["code"].as_str().unwrap().to_owned();
        let status = if letter == "a" { "451" } else { "452" };
        assert_eq!(head.split(' ').nth(1), Some(status), "{head}{body}");
        assert_eq!(error["error"]["message"], format!("{letter}!"));
        letter
    };
    for turn in 0..150 {
        match turn % 3 {
            0 => running.put("policy.toml", &b),
            1 => running.put("policy.toml", &a),
            // In the middle of being written, and broken by it.
            _ => std::fs::write(folder.join("policy.toml"), &a[..a.len() - 30]).unwrap(),
        }
        for _ in 0..4 {
            running.signal(Signal::HUP);
        }
        answer().await;
    }
    running.put("policy.toml", &b);
    running.signal(Signal::HUP);
    soon("the last rules", async { while answer().await != "b" {} }).await;
    drop(client);
    let records = running.end().await;
    // What was broken was told, and nothing else was wrong.
    let faults = records.iter().filter(|it| it["kind"] == "fault");
    assert!(faults.clone().all(|it| it["class"] == "policy"), "{:?}", faults.collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_file_can_be_amid_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    let running = Served::start(folder, "info").await;
    let path = folder.join("policy.toml");
    let remove = || {
        let _ = std::fs::remove_file(&path);
        let _ = std::fs::remove_dir(&path);
    };
    let pipe =
        || assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let states: [(&str, &dyn Fn()); 7] = [
        ("No such file or directory", &|| ()),
        ("`version` is missing", &|| std::fs::write(&path, "").unwrap()),
        ("not valid TOML", &|| std::fs::write(&path, &ALLOW[..ALLOW.len() - 4]).unwrap()),
        ("this is a folder", &|| std::fs::create_dir(&path).unwrap()),
        ("this is a pipe", &pipe),
        ("is no UTF-8", &|| std::fs::write(&path, b"version = 1 # \xff").unwrap()),
        ("more than 8388608 bytes", &|| {
            std::fs::File::create(&path).unwrap().set_len(1 << 33).unwrap();
        }),
    ];
    for (turn, (words, put)) in states.iter().enumerate() {
        remove();
        put();
        // The one by the look at the file, the other when asked.
        if turn % 2 == 0 {
            running.signal(Signal::HUP);
        }
        running.said("the rules before it stay in force: policy.toml:", turn + 1).await;
        running.said(words, 1).await;
        let mut client = running.client().await;
        client.send(format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
        let mut server = upstream.next().await;
        server.head().await;
        remove();
        running.put("policy.toml", ALLOW);
        running.signal(Signal::HUP);
        running.said("new rules are in force", turn + 1).await;
    }
    let records = running.end().await;
    let faults: Vec<_> = records.iter().filter(|it| it["class"] == "policy").collect();
    assert!(faults.len() >= states.len(), "{faults:#?}");
    for (words, _) in states {
        let told = faults.iter().any(|it| it["detail"].as_str().unwrap().contains(words));
        assert!(told, "{words}: {faults:#?}");
    }
}
