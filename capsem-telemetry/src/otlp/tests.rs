//! Calls as the messages a collector reads: each batch is decoded again.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;

use super::*;
use crate::record::samples::{id, model_call, session};
use crate::{CallError, CallStatus, Content, ModelCall};

fn at() -> Timestamp {
    "2026-11-23T10:00:00.000250Z".parse().expect("a time")
}

fn record(call: ModelCall) -> Record {
    Record::ModelCall(Box::new(call))
}

fn decode(batch: &Batch) -> ExportTraceServiceRequest {
    let request = ExportTraceServiceRequest::decode(batch.body()).expect("a request");
    let spans: usize =
        request.resource_spans.iter().flat_map(|it| &it.scope_spans).map(|it| it.spans.len()).sum();
    assert_eq!(spans as u64, batch.spans());
    request
}

/// The spans of these records.
async fn spans(records: impl IntoIterator<Item = Record>) -> Vec<Span> {
    let (mut feed, mut queued) = queue("test", "1");
    records.into_iter().for_each(|record| feed.see(at(), &record));
    drop(feed);
    let mut found = Vec::new();
    while let Some(batch) = queued.next().await {
        let request = decode(&batch);
        let scopes = request.resource_spans.into_iter().flat_map(|it| it.scope_spans);
        found.extend(scopes.flat_map(|it| it.spans));
    }
    found
}

async fn span(call: ModelCall) -> Span {
    spans([record(call)]).await.pop().expect("a span")
}

/// The attributes of a message, in words.
fn words(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> Vec<String> {
    fn word(value: &Any) -> String {
        match value {
            Any::StringValue(text) => text.clone(),
            Any::IntValue(number) => number.to_string(),
            Any::DoubleValue(number) => number.to_string(),
            Any::BoolValue(truth) => truth.to_string(),
            Any::ArrayValue(list) => {
                let values = list.values.iter().filter_map(|it| it.value.as_ref());
                format!("{:?}", values.map(word).collect::<Vec<_>>())
            }
            other => panic!("{other:?}"),
        }
    }
    let value = |it: &opentelemetry_proto::tonic::common::v1::AnyValue| it.value.as_ref().map(word);
    let pair = |it: &opentelemetry_proto::tonic::common::v1::KeyValue| {
        let value = it.value.as_ref().and_then(value);
        format!("{}={}", it.key, value.expect("a value"))
    };
    attributes.iter().map(pair).collect()
}

#[tokio::test]
async fn a_call_is_a_span_of_its_time_with_the_attributes_of_the_table() {
    let call = ModelCall {
        stop_reason: Some("stop".to_owned()),
        time_to_first_token_ms: Some(250),
        duration_ms: 1500,
        content: Some(Content {
            request: "a prompt".to_owned(),
            response: "an answer".to_owned(),
            cut: false,
        }),
        ..model_call()
    };
    let span = span(call).await;
    let end = 1_795_428_000_000_250_000;
    assert_eq!(span.name, "chat gpt-5");
    assert_eq!(span.kind(), SpanKind::Client);
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (end - 1_500_000_000, end));
    assert_eq!(span.flags, 1);
    assert!(span.parent_span_id.is_empty() && span.events.is_empty());
    let wanted = [
        "gen_ai.operation.name=chat",
        "gen_ai.provider.name=openai",
        "gen_ai.request.model=gpt-5",
        "gen_ai.request.stream=true",
        "gen_ai.response.id=resp_1",
        "gen_ai.response.model=gpt-5-2026",
        "gen_ai.response.finish_reasons=[\"stop\"]",
        "gen_ai.response.status=completed",
        "gen_ai.response.time_to_first_chunk=0.25",
        "gen_ai.usage.input_tokens=120",
        "gen_ai.usage.output_tokens=30",
        "gen_ai.usage.cache_read.input_tokens=0",
        "openai.api.type=responses",
    ];
    assert_eq!(words(&span.attributes), wanted);
}

#[tokio::test]
async fn a_call_that_failed_is_an_error_and_says_nothing_of_what_was_said() {
    use CallStatus::{Cancelled, Completed, ConnectionLost, Denied, Failed, Incomplete};
    for (status, code) in [
        (Completed, StatusCode::Unset),
        (Incomplete, StatusCode::Unset),
        (Cancelled, StatusCode::Unset),
        (Failed, StatusCode::Error),
        (Denied, StatusCode::Error),
        (ConnectionLost, StatusCode::Error),
    ] {
        let message = Some("your prompt has a secret".to_owned());
        let error = Some(CallError { code: Some("invalid".to_owned()), message });
        let span = span(ModelCall { status, error, ..model_call() }).await;
        let found = span.status.clone().expect("a status");
        assert_eq!((found.code(), found.message.as_str()), (code, ""), "{status}");
        let words = words(&span.attributes);
        let named = words.contains(&"error.type=invalid".to_owned());
        assert_eq!(named, code == StatusCode::Error, "{status}: {words:?}");
        assert!(!format!("{span:?}").contains("secret"), "{span:?}");
    }
}

#[tokio::test]
async fn ids_lead_back_to_the_ledger() {
    let call = |exchange, call| record(ModelCall { exchange, call, ..model_call() });
    let found = spans([call(id(7), id(1)), call(id(7), id(2)), call(id(8), id(3))]).await;
    let hex =
        |bytes: &[u8]| bytes.iter().map(|it| format!("{it:02x}")).collect::<Vec<_>>().concat();
    for (span, exchange, call) in
        [(&found[0], id(7), id(1)), (&found[1], id(7), id(2)), (&found[2], id(8), id(3))]
    {
        let (trace, span) = (hex(&span.trace_id), hex(&span.span_id));
        assert_eq!((trace.len(), span.len()), (32, 16));
        assert!(trace.starts_with(&exchange.to_string()) && span.starts_with(&call.to_string()));
    }
    assert_eq!(found[0].trace_id, found[1].trace_id);
    assert_ne!(found[0].trace_id[6..], found[2].trace_id[6..]);
    // Another process may have the same ids.
    assert_ne!(found[0].trace_id, spans([call(id(7), id(1))]).await[0].trace_id);
}

#[tokio::test]
async fn only_model_calls_are_spans() {
    assert_eq!(spans(session()).await.len(), 1);
}

#[tokio::test]
async fn every_batch_says_whose_it_is() {
    let (mut feed, mut queued) = queue("capsem-test", "1.2.3");
    feed.see(at(), &record(model_call()));
    drop(feed);
    let request = decode(&queued.next().await.expect("a batch"));
    let all = &request.resource_spans[0];
    let resource = words(&all.resource.as_ref().expect("a resource").attributes);
    assert_eq!(resource, ["service.name=capsem-test", "service.version=1.2.3"]);
    let scope = all.scope_spans[0].scope.as_ref().expect("a scope");
    assert_eq!(scope.name, "capsem-telemetry");
}

#[tokio::test(start_paused = true)]
async fn batches_are_full_or_a_second_old() {
    // (spans at once, batches of them)
    for (given, wanted) in
        [(1, &[1][..]), (511, &[511]), (512, &[512]), (513, &[512, 1]), (2048, &[512; 4])]
    {
        let (mut feed, mut queued) = queue("test", "1");
        (0..given).for_each(|_| feed.see(at(), &record(model_call())));
        let began = Instant::now();
        for (place, &len) in wanted.iter().enumerate() {
            assert_eq!(queued.next().await.expect("a batch").spans(), len, "{given}: {place}");
        }
        let waited = if given % 512 == 0 { Duration::ZERO } else { Duration::from_secs(1) };
        assert_eq!(began.elapsed().as_secs(), waited.as_secs(), "{given}");
        // What comes while a batch waits goes with it; an end is not waited for.
        feed.see(at(), &record(model_call()));
        let (batch, ()) =
            tokio::join!(queued.next(), async { feed.see(at(), &record(model_call())) });
        assert_eq!(batch.expect("a batch").spans(), 2);
        feed.see(at(), &record(model_call()));
        drop(feed);
        let began = Instant::now();
        assert_eq!(queued.next().await.expect("a batch").spans(), 1);
        assert!(queued.next().await.is_none());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_nobody_waited_for_is_not_lost() {
    let (mut feed, mut queued) = queue("test", "1");
    feed.see(at(), &record(model_call()));
    assert!(timeout_at(Instant::now(), queued.next()).await.is_err());
    assert_eq!(queued.next().await.expect("a batch").spans(), 1);
}

#[tokio::test]
async fn what_the_queue_has_no_room_for_is_counted() {
    let (mut feed, mut queued) = queue("test", "1");
    let tally = queued.tally();
    (0..2050).for_each(|_| feed.see(at(), &record(model_call())));
    assert_eq!((tally.made(), tally.no_room(), tally.exported()), (2050, 2, 0));
    assert_eq!(queued.next().await.expect("a batch").spans(), 512);
    (0..513).for_each(|_| feed.see(at(), &record(model_call())));
    assert_eq!((tally.made(), tally.no_room()), (2563, 3));
    drop(queued);
    feed.see(at(), &record(model_call()));
    assert_eq!((tally.made(), tally.no_room()), (2564, 4));
}

#[tokio::test]
async fn a_collector_may_take_a_part() {
    let answer = |rejected_spans| {
        let error_message = String::new();
        let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
        ExportTraceServiceResponse { partial_success }.encode_to_vec()
    };
    let (mut feed, mut queued) = queue("test", "1");
    (0..3).for_each(|_| feed.see(at(), &record(model_call())));
    drop(feed);
    let batch = queued.next().await.expect("a batch");
    for (answer, taken) in [
        (Vec::new(), 3),
        (answer(0), 3),
        (answer(1), 2),
        (answer(3), 0),
        (answer(4), 0),
        (answer(-1), 3),
        (b"{\"partialSuccess\":{}}".to_vec(), 3),
    ] {
        assert_eq!(batch.taken(&answer), taken, "{answer:?}");
    }
}
