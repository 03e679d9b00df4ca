//! Spans on their way to a collector: a scripted receiver on a real socket, and the message decoded.

use crate::{
    program::{configure, program, spawn, terminate, text},
    support::{Client, Connection, Front, HOST, Path, Upstream, check_whole, header, only, soon},
};
use capsem_mitm::otlp::{Endpoint, Exported, Exporter};
use capsem_telemetry::{
    Id, Record, Timestamp, attribute,
    evidence::{HttpEvidence, RequestHead, Settings},
    otlp::{Feed, queue},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    common::v1::any_value::Value as Any,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message as _;
use serde_json::Value;
use std::{net::SocketAddr, path::Path as FilePath, time::Duration};
use tokio::process::Child;

const SOON: Duration = Duration::from_secs(20);

const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A call that was lost.
fn call() -> Record {
    let attribution = attribute(HOST, "/v1/responses");
    let head = RequestHead { method: "POST", ..RequestHead::default() };
    let exchange = HttpEvidence::new(Settings::new(Id::fresh(), attribution, 1024), head);
    Record::ModelCall(Box::new(exchange.finish(Duration::ZERO, true).0.remove(0)))
}

fn give(feed: &mut Feed, spans: usize) {
    let call = call();
    (0..spans).for_each(|_| feed.see(Timestamp::now(), &call));
}

fn endpoint(upstream: &Upstream) -> Endpoint {
    format!("http://{}/base", upstream.address).parse().unwrap()
}

/// An address where nobody listens.
async fn refusing() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Reads one POST, and gives its spans.
async fn posted(connection: &mut Connection) -> Vec<Span> {
    let head = connection.head().await;
    assert!(head.starts_with("POST /base/v1/traces HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "content-type"), Some("application/x-protobuf"));
    let len = header(&head, "content-length").unwrap().parse().unwrap();
    let body = connection.exact(len).await;
    let request = ExportTraceServiceRequest::decode(&*body).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|it| it.scope_spans);
    scopes.flat_map(|it| it.spans).collect()
}

/// An answer that says so many spans were rejected.
fn rejecting(rejected_spans: i64) -> Vec<u8> {
    let error_message = "too old".to_owned();
    let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
    let body = ExportTraceServiceResponse { partial_success }.encode_to_vec();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

#[tokio::test]
async fn what_a_collector_answers_says_what_it_took() {
    let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat(65 * 1024));
    for (answer, exported) in [
        (TAKEN.into(), 3),
        ("HTTP/1.1 202 Accepted\r\n\r\n".into(), 3),
        (rejecting(0), 3),
        (rejecting(2), 1),
        (rejecting(9), 0),
        ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops".into(), 0),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n".into(), 0),
        ("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://a.test/\r\n\r\n".into(), 0),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".into(), 0),
        (long.into_bytes(), 0),
        ("ICY 200 OK\r\n\r\n".into(), 0),
        (Vec::new(), 0),
    ] {
        let mut collector = Upstream::plain().await;
        let (mut feed, spans) = queue("test", "1");
        let exporter = Exporter::start(endpoint(&collector), spans);
        give(&mut feed, 3);
        drop(feed);
        let mut connection = collector.next().await;
        assert_eq!(posted(&mut connection).await.len(), 3);
        connection.send(&answer).await;
        drop(connection);
        let done = exporter.finish(SOON).await;
        let said = String::from_utf8_lossy(&answer[..answer.len().min(80)]);
        assert_eq!((done.exported, done.lost), (exported, 3 - exported), "{said:?}");
        assert_eq!(collector.accepted(), 1, "{said:?}");
    }
}

#[tokio::test]
async fn a_batch_that_is_lost_keeps_none_from_the_next() {
    let mut collector = Upstream::plain().await;
    let (mut feed, spans) = queue("test", "1");
    let exporter = Exporter::start(endpoint(&collector), spans);
    for answer in ["HTTP/1.1 503 Busy\r\n\r\n", TAKEN, "", TAKEN] {
        give(&mut feed, 512);
        let mut connection = collector.next().await;
        assert_eq!(posted(&mut connection).await.len(), 512);
        connection.send(answer).await;
    }
    drop(feed);
    let Exported { exported, lost, .. } = exporter.finish(SOON).await;
    assert_eq!((exported, lost), (1024, 1024));
}

#[tokio::test]
async fn a_collector_that_is_not_there_loses_all_and_takes_no_time() {
    let port = refusing().await.port();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}");
        let (mut feed, spans) = queue("test", "1");
        let exporter = Exporter::start(url.parse().unwrap(), spans);
        give(&mut feed, 1000);
        drop(feed);
        let Exported { exported, lost, .. } = exporter.finish(SOON).await;
        assert_eq!((exported, lost), (0, 1000), "{url}");
    }
}

// The clock is the test's: it goes on to the next deadline as soon as nothing else is to be done.
#[tokio::test(start_paused = true)]
async fn a_collector_that_never_answers_costs_a_deadline_and_then_what_the_queue_has_no_room_for() {
    let collector = Upstream::plain().await;
    let (mut feed, spans) = queue("test", "1");
    let tally = spans.tally();
    let exporter = Exporter::start(endpoint(&collector), spans);
    give(&mut feed, 5000);
    assert_eq!(tally.no_room(), 5000 - 2048);
    // Four batches of five seconds each are left.
    drop(feed);
    let began = tokio::time::Instant::now();
    let Exported { exported, lost, .. } = exporter.finish(Duration::from_mins(1)).await;
    assert_eq!((exported, lost), (0, 5000));
    assert_eq!(began.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_end_does_not_wait_longer_than_it_may() {
    let collector = Upstream::plain().await;
    let (mut feed, spans) = queue("test", "1");
    let exporter = Exporter::start(endpoint(&collector), spans);
    give(&mut feed, 600);
    // A feed that stays, as of a ledger that cannot end, changes nothing.
    let began = tokio::time::Instant::now();
    let Exported { exported, lost, .. } = exporter.finish(Duration::from_secs(3)).await;
    assert_eq!((exported, lost), (0, 600));
    assert_eq!(began.elapsed().as_secs(), 3);
    drop(feed);
}

/// Has the program export to this address, with its log in a file.
async fn exporting(folder: &FilePath, upstream: &Upstream, collector: &str) -> (Child, Front) {
    configure(folder, upstream);
    let config = std::fs::read_to_string(folder.join("proxy.toml")).unwrap();
    let otlp = format!("otlp = \"http://{collector}/base\"\ncapture_bodies = true\n");
    std::fs::write(folder.join("proxy.toml"), config + &otlp).unwrap();
    let mut command = program(&["serve", "--config", "proxy.toml"], folder);
    command.stderr(std::fs::File::create(folder.join("log")).unwrap());
    spawn(command).await
}

/// One model call through the program.
async fn converse(front: &Front, upstream: &mut Upstream) {
    let request = r#"{"model":"gpt-5.5","input":"what was asked"}"#;
    let answer = r#"{"id":"resp_7","object":"response","status":"completed","model":"gpt-5.5-2026",
        "output":[],"usage":{"input_tokens":11,"output_tokens":5,"total_tokens":16}}"#;
    let mut client = Client::tls(front, Path::Explicit, HOST).await;
    let head = format!(
        "POST /v1/responses HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        request.len()
    );
    client.send(head + request).await;
    let mut server = upstream.next().await;
    server.head().await;
    server.exact(request.len()).await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
    server.send(format!("{head}Content-Length: {}\r\n\r\n{answer}", answer.len())).await;
    assert!(text(&client.rest().await).ends_with(answer));
}

/// The program's end, and its records.
async fn ended(mut child: Child, folder: &FilePath) -> (Vec<Value>, String) {
    let status = soon("the program's end", child.wait()).await.unwrap();
    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    assert_eq!(status.code(), Some(0), "{log}");
    let lines = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    let records: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    check_whole(&records);
    (records, log)
}

#[tokio::test]
async fn the_program_sends_what_it_recorded_and_at_its_end_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (mut upstream, mut collector) = (Upstream::tls(HOST).await, Upstream::plain().await);
    let (child, front) = exporting(folder, &upstream, &collector.address.to_string()).await;
    converse(&front, &mut upstream).await;
    // What is not sent when the signal comes is sent then, and the answer awaited.
    terminate(&child);
    let mut connection = collector.next().await;
    let spans = posted(&mut connection).await;
    connection.send(TAKEN).await;
    let (records, log) = ended(child, folder).await;
    assert!(log.contains("all spans are with the collector exported=1"), "{log}");

    let call = only(&records, "model_call");
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((span.name.as_str(), span.kind()), ("chat gpt-5.5", SpanKind::Client));
    assert_eq!(span.status.as_ref().unwrap().code(), StatusCode::Unset);
    let took = span.end_time_unix_nano - span.start_time_unix_nano;
    assert_eq!(took / 1_000_000, call["duration_ms"].as_u64().unwrap());
    for (name, value) in [
        ("gen_ai.operation.name", Any::StringValue("chat".into())),
        ("gen_ai.request.model", Any::StringValue("gpt-5.5".into())),
        ("gen_ai.response.model", Any::StringValue("gpt-5.5-2026".into())),
        ("gen_ai.response.id", Any::StringValue("resp_7".into())),
        ("gen_ai.usage.input_tokens", Any::IntValue(11)),
        ("gen_ai.usage.output_tokens", Any::IntValue(5)),
    ] {
        let found = span.attributes.iter().find(|it| it.key == name);
        let found = found.and_then(|it| it.value.as_ref()?.value.as_ref());
        assert_eq!(found, Some(&value), "{name}");
    }
    // The ledger has the content, the span has not.
    assert!(call["content"]["request"].as_str().unwrap().contains("what was asked"));
    assert!(!format!("{span:?}").contains("what was asked"));
}

#[tokio::test]
async fn a_collector_that_fails_holds_up_neither_traffic_nor_ledger() {
    let silent = Upstream::plain().await;
    for (collector, told) in [(silent.address, 0), (refusing().await, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut upstream = Upstream::tls(HOST).await;
        let (child, front) = exporting(folder, &upstream, &collector.to_string()).await;
        for _ in 0..3 {
            converse(&front, &mut upstream).await;
        }
        terminate(&child);
        let (records, log) = ended(child, folder).await;
        assert_eq!(records.iter().filter(|it| it["kind"] == "model_call").count(), 3);
        assert_eq!(log.matches("the collector lacks spans exported=0 lost=3").count(), 1, "{log}");
        assert_eq!(log.matches("spans are lost").count(), told, "{log}");
    }
}
