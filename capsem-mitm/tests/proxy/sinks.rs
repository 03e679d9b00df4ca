//! The built program while its ledger cannot be written: a pipe nobody reads, a file that may grow no
//! further, a terminal that is gone.

use crate::{
    program::{configure, serve, terminate, text},
    support::{Client, Connection, Front, HOST, Path, Upstream, check_whole, only, soon, upgrade},
};
use capsem_telemetry::sink::{Sink as _, Sqlite};
use rustix::{
    fs::{CWD, Mode, OFlags, fcntl_setfl, mkfifoat, open},
    process::{Pid, Resource, Rlimit, prlimit},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use serde_json::Value;
use std::{fs::File, path::Path as FilePath, time::Duration};
use tokio::{io::AsyncReadExt as _, process::Child, time::timeout};

/// Long enough for whatever flows to have come.
const QUIET: Duration = Duration::from_millis(500);

/// Has every record go to this target alone.
fn record_to(folder: &FilePath, target: &str) {
    let config = std::fs::read_to_string(folder.join("proxy.toml")).unwrap();
    let before = "ledger = \"session.db\"\njsonl = \"events.jsonl\"\n";
    assert!(config.contains(before));
    std::fs::write(folder.join("proxy.toml"), config.replace(before, target)).unwrap();
}

/// The status of a request that policy blocks: no upstream has a part in it.
async fn status(front: &Front) -> String {
    let mut client = Client::tcp(front.proxy).await;
    client.send("GET http://blocked.example/ HTTP/1.1\r\nHost: blocked.example\r\nConnection: close\r\n\r\n").await;
    let answer = text(&client.rest().await);
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Makes requests until one is answered with `wanted`; how many that were, it among them.
async fn until(front: &Front, wanted: &str) -> usize {
    soon(&format!("a {wanted}"), async {
        let mut requests = 1;
        while status(front).await != wanted {
            requests += 1;
        }
        requests
    })
    .await
}

/// Both ends of a socket to a model.
async fn socket(front: &Front, upstream: &mut Upstream) -> (Client, Connection) {
    let mut client = Client::tls(front, Path::Transparent, HOST).await;
    client.send(upgrade("/v1/responses", "")).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    server.switch(&head, "").await;
    assert!(client.head().await.starts_with("HTTP/1.1 101"));
    (client, server)
}

/// The lines of a ledger that lost nothing, in order.
fn whole(lines: &str) -> Vec<Value> {
    let records = records(lines);
    let numbers: Vec<u64> = records.iter().map(|it| it["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=records.len() as u64).collect::<Vec<_>>());
    check_whole(&records);
    records
}

fn records(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_kind(records: &[Value], kind: &str) -> usize {
    records.iter().filter(|record| record["kind"] == kind).count()
}

/// Bytes any of the program's files may have from now on.
fn let_files_have(child: &Child, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

async fn exit_code(mut child: Child) -> Option<i32> {
    terminate(&child);
    soon("the program's end", child.wait()).await.unwrap().code()
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_stops_what_is_new_then_all_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    record_to(folder, "jsonl = \"pipe\"\n");
    mkfifoat(CWD, folder.join("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    let pipe = open(folder.join("pipe"), OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
    let (child, front) = serve(folder).await;
    let (mut client, mut server) = socket(&front, &mut upstream).await;

    // The pipe fills: what is new is refused, and what runs goes on.
    until(&front, "503").await;
    let calls = 24_000;
    let said: Vec<u8> = (0..calls).flat_map(failed).collect();
    let all = said.len();
    let saying = tokio::spawn(async move {
        server.send(said).await;
        server
    });
    // The queue fills: what runs waits.
    let (mut heard, mut some) = (0, vec![0; 64 * 1024]);
    while let Ok(read) = timeout(QUIET, client.io.read(&mut some)).await {
        heard += read.unwrap();
        assert!(heard < all, "the whole went through");
    }
    assert_eq!(status(&front).await, "503");
    // Somebody reads.
    fcntl_setfl(&pipe, OFlags::empty()).unwrap();
    let reader = std::thread::spawn(move || std::io::read_to_string(File::from(pipe)).unwrap());
    client.exact(all - heard).await;
    until(&front, "403").await;
    drop((client, saying.await.unwrap()));
    assert_eq!(exit_code(child).await, Some(0));
    let records = whole(&reader.join().unwrap());
    assert_eq!(of_kind(&records, "model_call"), calls);
}

#[tokio::test]
async fn a_file_that_may_grow_no_further_refuses_until_it_may_and_loses_nothing() {
    for (target, file) in [
        ("jsonl = \"events.jsonl\"\n", "events.jsonl"),
        ("ledger = \"session.db\"\n", "session.db-wal"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let upstream = Upstream::tls(HOST).await;
        configure(folder, &upstream);
        record_to(folder, target);
        let (child, front) = serve(folder).await;
        let has = std::fs::metadata(folder.join(file)).unwrap().len();
        let_files_have(&child, Some(has + 20_000));
        let before = until(&front, "503").await - 1;
        assert!(before > 0, "{file}: there was room for some");
        let_files_have(&child, None);
        until(&front, "403").await;
        assert_eq!(exit_code(child).await, Some(0), "{file}");
        let lines = match file {
            "events.jsonl" => std::fs::read_to_string(folder.join(file)).unwrap(),
            _ => stored(&folder.join("session.db")),
        };
        let records = whole(&lines);
        assert!(of_kind(&records, "decided") > before, "{file}");
        let fault = only(&records, "fault");
        assert_eq!(fault["class"], "sink", "{file}");
        let detail = fault["detail"].as_str().unwrap();
        assert!(detail.contains("lost 0 records"), "{file}: {detail}");
    }
}

#[tokio::test]
async fn open_mode_goes_on_and_counts_what_a_file_had_no_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    record_to(folder, "jsonl = \"events.jsonl\"\nmode = \"open\"\n");
    let (child, front) = serve(folder).await;
    let_files_have(&child, Some(20_000));
    let requests = 60;
    for _ in 0..requests / 2 {
        assert_eq!(status(&front).await, "403");
    }
    let_files_have(&child, None);
    for _ in 0..requests / 2 {
        assert_eq!(status(&front).await, "403");
    }
    // That records were lost is a failure, at the end.
    assert_eq!(exit_code(child).await, Some(1));
    let records = records(&std::fs::read_to_string(folder.join("events.jsonl")).unwrap());
    let lost = records.iter().filter(|it| it["class"] == "sink").map(|it| {
        let detail = it["detail"].as_str().unwrap();
        let (_, lost) = detail.split_once("lost ").unwrap();
        lost.split(' ').next().unwrap().parse::<usize>().unwrap()
    });
    let lost: usize = lost.sum();
    let held = records.iter().filter(|it| it["class"] != "sink").count();
    // `opened`, `decided`, `responded`, `ended`, `closed`.
    assert!(lost > 0 && held + lost == 5 * requests, "{held} held, {lost} lost");
}

#[tokio::test]
async fn a_terminal_that_is_gone_refuses_all_and_holds_nobody_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    record_to(folder, &format!("jsonl = \"{name}\"\n"));
    let (child, front) = serve(folder).await;
    assert_eq!(status(&front).await, "403");
    drop(terminal);
    until(&front, "503").await;
    assert_eq!(status(&front).await, "503");
    // Its last records are nowhere, and that is a failure.
    assert_eq!(exit_code(child).await, Some(1));
}

/// The frame of a response nobody asked for, which has failed.
fn failed(number: usize) -> Vec<u8> {
    let json = format!(r#"{{"type":"response.failed","response":{{"id":"r{number}"}}}}"#);
    let mut frame = vec![0x81, u8::try_from(json.len()).unwrap()];
    frame.extend_from_slice(json.as_bytes());
    frame
}

/// The records of a database as lines.
fn stored(database: &FilePath) -> String {
    let mut lines = String::new();
    Sqlite::open(database).unwrap().read_back(&mut |line| lines.extend([line, "\n"])).unwrap();
    lines
}
