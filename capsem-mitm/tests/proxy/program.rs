//! The built program: `serve` from its first line to its drain, `run` around a command, and the
//! commands that read what they leave.

use crate::support::{Client, Front, HOST, Path, Upstream, check_whole, only, soon};
use serde_json::{Value, json};
use std::{
    path::Path as FilePath,
    process::{Output, Stdio},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

const UPGRADE: &str = "GET /v1/responses?key=SECRET HTTP/1.1\r\nHost: api.openai.com\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer SECRET\r\n\r\n";
pub(crate) const ALLOW: &str = "version = 1\n[[rule]]\nid = \"openai\"\naction = \"allow\"\n\
    hosts = [\"api.openai.com\"]\n";

pub(crate) fn program(args: &[&str], folder: &FilePath) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_capsem-mitm"));
    command.args(args).current_dir(folder).kill_on_drop(true).env("NO_COLOR", "1");
    command
}

pub(crate) async fn output(args: &[&str], folder: &FilePath) -> Output {
    soon(&format!("{args:?}"), program(args, folder).output()).await.unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Writes a configuration with both listeners and both sinks.
pub(crate) fn configure(folder: &FilePath, upstream: &Upstream) {
    std::fs::write(folder.join("upstream.pem"), &upstream.ca_pem).unwrap();
    std::fs::write(folder.join("policy.toml"), ALLOW).unwrap();
    let config = format!(
        "[listen]\nproxy = \"127.0.0.1:0\"\ntransparent = \"127.0.0.1:0\"\n\
         [ca]\ndir = \"ca\"\n[upstream]\nextra_roots = [\"upstream.pem\"]\n\
         [upstream.resolve]\n\"{HOST}:443\" = \"{}\"\n[policy]\nfile = \"policy.toml\"\n\
         [telemetry]\nledger = \"session.db\"\njsonl = \"events.jsonl\"\n",
        upstream.address
    );
    std::fs::write(folder.join("proxy.toml"), config).unwrap();
}

pub(crate) async fn serve(folder: &FilePath) -> (Child, Front) {
    spawn(program(&["serve", "--config", "proxy.toml"], folder)).await
}

pub(crate) async fn spawn(mut command: Command) -> (Child, Front) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = soon("the first line", lines.next_line()).await.unwrap().unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(ready["kind"], "ready");
    let address = |key: &str| ready[key].as_str().unwrap().parse().unwrap();
    let ca_pem = std::fs::read_to_string(ready["ca"].as_str().unwrap()).unwrap();
    let front = Front { ca_pem, proxy: address("proxy"), transparent: address("transparent") };
    (child, front)
}

/// Sends SIGTERM.
pub(crate) fn terminate(child: &Child) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

#[tokio::test]
async fn serve_drains_and_leaves_a_whole_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    let (mut child, front) = serve(folder).await;

    let mut client = Client::tls(&front, Path::Transparent, HOST).await;
    client.send(UPGRADE).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    server.switch(&head, "").await;
    client.head().await;
    let created = r#"{"type":"response.create","model":"gpt-5.5","input":"hi"}"#;
    let mut frame = vec![0x81, 0x80 | u8::try_from(created.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(created.as_bytes());
    client.send(&frame).await;
    assert_eq!(server.exact(frame.len()).await, frame);

    // SIGTERM: both sides hear Close 1001, and the program ends well.
    terminate(&child);
    assert_eq!(client.rest().await, b"\x88\x0a\x03\xe9draining");
    assert_eq!(server.rest().await.len(), 16);
    drop((client, server));
    let status = soon("the program's end", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));

    let lines = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    assert!(!lines.contains("SECRET"), "{lines}");
    let records: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    check_whole(&records);
    assert_eq!(only(&records, "decided")["rule"], "openai");
    let call = only(&records, "model_call");
    assert_eq!(
        (&call["model_requested"], &call["status"]),
        (&json!("gpt-5.5"), &json!("connection_lost"))
    );

    // Both sinks hold the same.
    for file in ["session.db", "events.jsonl"] {
        let read = output(&["ledger", file, "--json"], folder).await;
        assert!(read.status.success(), "{}", text(&read.stderr));
        let read: Value = serde_json::from_slice(&read.stdout).unwrap();
        assert_eq!(read["exchanges"].as_array().unwrap().len(), 1, "{read}");
        assert_eq!(read["model_calls"][0]["call"], call["call"]);
        let table = output(&["ledger", file], folder).await;
        assert!(text(&table.stdout).contains("gpt-5.5"), "{}", text(&table.stdout));
    }
}

#[tokio::test]
async fn a_rule_may_name_the_clients_program() {
    let exe = std::env::current_exe().unwrap();
    let own = exe.file_name().unwrap().to_str().unwrap();
    for (named, status) in [(own, "204"), ("another", "403")] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut upstream = Upstream::tls(HOST).await;
        configure(folder, &upstream);
        let rules = format!("{ALLOW}processes = [\"{named}\"]\n");
        std::fs::write(folder.join("policy.toml"), rules).unwrap();
        let (child, front) = serve(folder).await;
        let mut client = Client::tls(&front, Path::Explicit, HOST).await;
        client.send(format!("GET /v1/models HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
        if named == own {
            let mut server = upstream.next().await;
            server.head().await;
            server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        }
        let head = client.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{named}: {head}");
        drop((client, child));
        // The first record of an exchange is there before its answer is.
        let lines = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
        let records: Vec<Value> =
            lines.lines().map_while(|it| serde_json::from_str(it).ok()).collect();
        assert_eq!(only(&records, "decided")["process"], own);
    }
}

#[tokio::test]
async fn run_gives_the_command_a_proxy_and_ends_with_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let script = "test -n \"$HTTPS_PROXY\" && test \"$HTTPS_PROXY\" = \"$https_proxy\" && \
        test -s \"$SSL_CERT_FILE\" && test -s \"$CODEX_CA_CERTIFICATE\" && exit 7";
    let done = output(&["run", "--", "sh", "-c", script], folder).await;
    assert_eq!(done.status.code(), Some(7), "{}", text(&done.stderr));
    assert_eq!(text(&done.stdout), "");
    let missing = output(&["run", "--", "no-such-command"], folder).await;
    assert_eq!(missing.status.code(), Some(127), "{}", text(&missing.stderr));
    assert_eq!(text(&missing.stderr).lines().count(), 1, "{}", text(&missing.stderr));
}

#[tokio::test]
async fn what_is_wrong_is_one_line_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, flag, content, expect) in [
        ("a.toml", "--config", "[listen]\nprxy = \"127.0.0.1:0\"\n", "a.toml:2:1: "),
        ("b.toml", "--config", "", "b.toml:1:1: "),
        (
            "c.toml",
            "--policy",
            "version = 1\n[[rule]]\nid = \"a\"\naction = \"alow\"\n",
            "c.toml:4:10: ",
        ),
        ("d.toml", "--policy", "version = 2\n", "d.toml:1:11: "),
    ] {
        std::fs::write(folder.join(name), content).unwrap();
        let done = output(&["check", flag, name], folder).await;
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{name}: {said}");
        assert!(said.starts_with(expect) && said.lines().count() == 1, "{name}: {said}");
    }
    std::fs::write(folder.join("good.toml"), ALLOW).unwrap();
    let done = output(&["check", "--policy", "good.toml"], folder).await;
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    for (url, action, rule) in [
        ("wss://api.openai.com/v1/responses", "allow", json!("openai")),
        ("https://evil.example/", "block", json!(null)),
    ] {
        let done = output(&["explain", "--policy", "good.toml", url], folder).await;
        let verdict: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!((&verdict["action"], &verdict["rule"]), (&json!(action), &rule), "{url}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_loses_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    let (mut child, front) = serve(folder).await;

    // Amid a frame, amid a response that does not come, before a first byte.
    let mut socket = Client::tls(&front, Path::Transparent, HOST).await;
    socket.send(UPGRADE).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    server.switch(&head, "").await;
    socket.head().await;
    socket.send(b"\x81\x85\0\0\0\0h").await;
    server.exact(7).await;
    let mut waiting = Client::tls(&front, Path::Explicit, HOST).await;
    waiting.send(format!("GET /v1/models HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    let mut silent = upstream.next().await;
    silent.head().await;
    let untold = Client::tcp(front.transparent).await;

    terminate(&child);
    // The listeners are gone once the first signal was heeded.
    soon("the listeners to close", async {
        while tokio::net::TcpStream::connect(front.proxy).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    terminate(&child);
    let status = soon("the program's end", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    drop((socket, waiting, untold, server, silent));

    let lines = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    let records: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    check_whole(&records);
    let closes: Vec<_> =
        records.iter().filter(|record| record["kind"] == "ended").map(|r| &r["close"]).collect();
    assert_eq!(closes.len(), 2);
    // The client that waited for its response did not leave: it was cut off.
    assert!(closes.iter().any(|close| close["kind"] == "timeout" && close["by"] == "proxy"));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    let config = std::fs::read_to_string(folder.join("proxy.toml")).unwrap();
    let config =
        config.replace("events.jsonl", "/dev/full").replace("ledger = \"session.db\"\n", "");
    std::fs::write(folder.join("proxy.toml"), config).unwrap();
    let (_child, front) = serve(folder).await;
    for path in [Path::Explicit, Path::Transparent, Path::Explicit] {
        let mut client = Client::tls(&front, path, HOST).await;
        client.send(UPGRADE).await;
        let answer = text(&client.rest().await);
        assert!(answer.starts_with("HTTP/1.1 503"), "{path:?}: {answer}");
    }
    assert_eq!(upstream.accepted(), 0);
}

#[tokio::test]
async fn no_log_and_no_record_holds_a_credential() {
    const CANARY: &str = "canary-4711-of-the-program";
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    let config = std::fs::read_to_string(folder.join("proxy.toml")).unwrap();
    let credential = "[[credential]]\nhost = \"api.openai.com\"\nheader = \"authorization\"\n\
        placeholder = \"Bearer capsem-openai\"\nvalue_env = \"OPENAI_TEST_KEY\"\nprefix = \"Bearer \"\n";
    std::fs::write(folder.join("proxy.toml"), config + credential).unwrap();

    // Without the value nothing begins.
    let done = output(&["serve", "--config", "proxy.toml"], folder).await;
    assert_eq!(done.status.code(), Some(2), "{}", text(&done.stderr));
    assert_eq!(
        text(&done.stderr),
        "capsem-mitm: the credential of api.openai.com: there is no text in the variable \
         OPENAI_TEST_KEY; set it\n"
    );

    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut command = program(&["serve", "--config", "proxy.toml"], folder);
    command.env("RUST_LOG", "trace").env("OPENAI_TEST_KEY", CANARY).stderr(log);
    let (mut child, front) = spawn(command).await;
    for request in [
        UPGRADE.replace("Bearer SECRET", "Bearer capsem-openai"),
        format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer capsem-openai\r\n\r\n"),
    ] {
        let mut client = Client::tls(&front, Path::Explicit, HOST).await;
        client.send(request).await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        assert!(head.contains(&format!("uthorization: Bearer {CANARY}\r\n")), "{head}");
        // Neither a good answer nor a broken one.
        server.send(format!("HTTP/1.1 200 {CANARY}\r\nX-Echo {CANARY}\r\n\r\n")).await;
        let answer = text(&client.rest().await);
        assert!(answer.starts_with("HTTP/1.1 502") && !answer.contains(CANARY), "{answer}");
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(soon("the program's end", child.wait()).await.unwrap().code(), Some(0));
    for name in ["log", "events.jsonl", "session.db"] {
        let written = std::fs::read(folder.join(name)).unwrap();
        assert!(!written.is_empty(), "{name}");
        let found = written.windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes());
        assert!(!found, "{name} holds the value");
    }
    let records = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    assert_eq!(records.matches("\"credential_ref\":\"capsem-openai\"").count(), 2, "{records}");
}

#[tokio::test]
async fn run_gives_the_command_the_placeholder_and_not_the_value() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = "[ca]\ndir = \"ca\"\n[[credential]]\nhost = \"api.openai.com\"\n\
        placeholder = \"capsem-openai\"\nvalue_env = \"OPENAI_TEST_KEY\"\n";
    std::fs::write(folder.join("proxy.toml"), config).unwrap();
    let script = "test \"$OPENAI_TEST_KEY\" = capsem-openai && exit 7";
    let mut command = program(&["run", "--config", "proxy.toml", "--", "sh", "-c", script], folder);
    command.env("OPENAI_TEST_KEY", "a-value-of-its-own");
    let done = soon("run", command.output()).await.unwrap();
    assert_eq!(done.status.code(), Some(7), "{}", text(&done.stderr));
}

#[tokio::test]
async fn rules_are_read_again_when_they_change_and_on_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut command = program(&["serve", "--config", "proxy.toml"], folder);
    command.stderr(log);
    let (mut child, front) = spawn(command).await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    let hang_up = || rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    let said = async |words: &str, times: usize| {
        let path = folder.join("log");
        soon(words, async {
            while std::fs::read_to_string(&path).unwrap().matches(words).count() < times {
                tokio::task::yield_now().await;
            }
        })
        .await;
    };

    let mut client = Client::tls(&front, Path::Explicit, HOST).await;
    client.send(UPGRADE).await;
    let mut server = upstream.next().await;
    let head = server.head().await;
    server.switch(&head, "").await;
    client.head().await;

    // What cannot be read changes nothing: the socket stays, and another is let in.
    std::fs::write(folder.join("policy.toml"), "version = 1\n[[rule]]\nid = 'a'\nactoin = 'b'\n")
        .unwrap();
    said("the rules before it stay in force: policy.toml:4:1: unknown key `actoin`", 1).await;
    server.send(b"\x81\x02hi").await;
    assert_eq!(client.exact(4).await, b"\x81\x02hi");
    let mut other = Client::tls(&front, Path::Explicit, HOST).await;
    other.send(UPGRADE).await;
    upstream.next().await.head().await;

    // A change is seen; the socket it would block is closed.
    std::fs::write(folder.join("new.toml"), "version = 1\n").unwrap();
    std::fs::rename(folder.join("new.toml"), folder.join("policy.toml")).unwrap();
    assert_eq!(client.rest().await, b"\x88\x02\x03\xf0");
    let mut client = Client::tls(&front, Path::Explicit, HOST).await;
    client.send(UPGRADE).await;
    assert!(client.head().await.starts_with("HTTP/1.1 403"));

    // SIGHUP reads it whether it has changed or not.
    hang_up();
    said("new rules are in force file=policy.toml rules=0", 2).await;
    std::fs::write(folder.join("policy.toml"), ALLOW).unwrap();
    hang_up();
    said("new rules are in force file=policy.toml rules=1", 1).await;
    let mut client = Client::tls(&front, Path::Explicit, HOST).await;
    client.send(UPGRADE).await;
    upstream.next().await.head().await;

    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    drop((client, other, server));
    assert_eq!(soon("the program's end", child.wait()).await.unwrap().code(), Some(0));
    let lines = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    let records: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    check_whole(&records);
    let fault = |record: &&Value| record["class"] == "policy";
    let faults: Vec<_> = records.iter().filter(fault).collect();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!((&faults[0]["side"], &faults[0]["conn"]), (&json!("proxy"), &json!(null)));
    let detail = faults[0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("policy.toml:4:1: "), "{detail}");
    let revoked: Vec<_> = records.iter().filter(|r| r["close"]["code"] == 1008).collect();
    assert_eq!(revoked.len(), 1, "{revoked:?}");
    assert_eq!(revoked[0]["close"]["kind"], "policy");
}

#[tokio::test]
async fn a_command_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut upstream = Upstream::tls(HOST).await;
    configure(folder, &upstream);
    std::fs::write(folder.join("policy.toml"), ALLOW.replace("\"allow\"", "\"ask\"")).unwrap();
    let config = std::fs::read_to_string(folder.join("proxy.toml")).unwrap();
    let script = "cat > question.json; grep -q '\"method\":\"GET\"' question.json || exit 1";
    let asker = format!("[policy]\nasker = [\"sh\", \"-c\", '''{script}''']\n");
    std::fs::write(folder.join("proxy.toml"), config.replace("[policy]\n", &asker)).unwrap();
    let (_child, front) = serve(folder).await;
    let mut client = Client::tls(&front, Path::Explicit, HOST).await;
    client.send(format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    let mut server = upstream.next().await;
    server.head().await;
    let question: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("question.json")).unwrap())
            .unwrap();
    assert_eq!((&question["rule"], &question["path"]), (&json!("openai"), &json!("/a")));
    let mut client = Client::tls(&front, Path::Explicit, HOST).await;
    client.send(format!("DELETE /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    assert!(client.head().await.starts_with("HTTP/1.1 403"));
    let records = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    assert!(records.contains("\"answer\":\"allow\"") && records.contains("\"answer\":\"block\""));
}
