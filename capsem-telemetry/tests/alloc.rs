//! What reading allocates: nothing for what comes most, and never much more than `capture`.

use std::time::Duration;

use allocation_counter::measure;
use capsem_telemetry::evidence::{
    HttpEvidence, RequestHead, ResponseHead, Seen, Settings, ToolMemory, WsEvidence,
};
use capsem_telemetry::{Id, attribute};

const NOW: Duration = Duration::from_millis(1);
const MIB: u64 = 1 << 20;

fn socket(host: &str, path: &str) -> WsEvidence {
    WsEvidence::new(Settings::new(Id::fresh(), attribute(host, path), 1 << 20))
}

fn text(json: &str) -> Seen<'_> {
    Seen { payload: json.as_bytes(), binary: false, truncated: false, len: json.len() as u64 }
}

#[track_caller]
fn check_free(mut socket: WsEvidence, opening: &[(&str, &str)], repeated: (&str, &str)) {
    let mut feed = |(side, json): (&str, &str)| match side {
        "client" => socket.client_message(NOW, text(json)),
        _ => socket.server_message(NOW, text(json)),
    };
    opening.iter().copied().for_each(&mut feed);
    let info = measure(|| (0..1000).for_each(|_| feed(repeated)));
    assert_eq!((info.count_total, info.bytes_total), (0, 0), "{}", repeated.1);
}

#[test]
fn deltas_and_audio_cost_no_memory() {
    let created = ("server", r#"{"type":"response.created","response":{"id":"r"}}"#);
    let create = ("client", r#"{"type":"response.create","model":"m"}"#);
    check_free(
        socket("api.openai.com", "/v1/responses"),
        &[create, created],
        ("server", r#"{"type":"response.output_text.delta","delta":"\u00e9 and more"}"#),
    );
    let realtime = || socket("api.openai.com", "/v1/realtime");
    let audio = r#"{"type":"input_audio_buffer.append","audio":"UklGRgAAUklGRgAA"}"#;
    check_free(realtime(), &[create, created], ("client", audio));
    check_free(
        realtime(),
        &[create, created],
        (
            "server",
            r#"{"type":"response.output_audio.delta","response_id":"r","delta":"UklGRg=="}"#,
        ),
    );
}

/// Feeds one message of 8 MiB and says how much memory that took at most.
fn peak(path: &str, json: &str) -> u64 {
    let mut socket = socket("api.openai.com", path);
    socket.client_message(NOW, text(r#"{"type":"response.create","model":"m"}"#));
    let info = measure(|| {
        socket.client_message(NOW, text(json));
        socket.server_message(NOW, text(json));
    });
    info.bytes_max
}

#[test]
fn a_large_message_is_not_copied() {
    let bulk = "QUJD".repeat(2 << 20);
    let numbers = "1,".repeat(4 << 20);
    for (path, json) in [
        ("/v1/responses", format!(r#"{{"type":"response.create","input":"{bulk}"}}"#)),
        (
            "/v1/responses",
            format!(r#"{{"type":"response.create","input":[{{"type":"x","a":"{bulk}"}}]}}"#),
        ),
        ("/v1/responses", format!(r#"{{"type":"response.image","partial_image_b64":"{bulk}"}}"#)),
        ("/v1/responses", format!(r#"{{"type":"response.create","a":[{numbers}1]}}"#)),
        ("/v1/responses", format!(r#"{{"type":"response.create","model":"\u00e9{bulk}"}}"#)),
        ("/v1/responses", format!(r#"{{"type":"{bulk}"}}"#)),
        ("/v1/realtime", format!(r#"{{"type":"input_audio_buffer.append","audio":"{bulk}"}}"#)),
        (
            "/v1/realtime",
            format!(r#"{{"event_id":"e","type":"response.audio.delta","delta":"{bulk}"}}"#),
        ),
    ] {
        let peak = peak(path, &json);
        assert!(peak < 64 * 1024, "{peak} bytes for {}", &json[..60]);
    }
}

#[test]
fn nesting_costs_no_more_than_its_length() {
    let deep = "[".repeat(8 << 20);
    let peak = peak("/v1/responses", &format!(r#"{{"type":"response.create","input":{deep}"#));
    assert!(peak <= 24 * MIB, "{peak}");
}

#[test]
fn a_socket_that_goes_on_for_ever_does_not_grow() {
    let long = "x".repeat(5000);
    let mut socket = socket("api.openai.com", "/v1/responses");
    let mut flood = |from: u32, to: u32| {
        for id in from..to {
            let created =
                format!(r#"{{"type":"response.created","response":{{"id":"{id}{long}"}}}}"#);
            socket.server_message(NOW, text(&created));
            let create = format!(
                r#"{{"type":"response.create","stream_id":"{id}{long}","input":[{{"type":"function_call_output","call_id":"{id}{long}"}}]}}"#
            );
            socket.client_message(NOW, text(&create));
            drop(socket.take_calls());
        }
    };
    flood(0, 4500); // past every limit
    let info = measure(|| flood(4500, 8000));
    assert!(info.bytes_current < 64 * 1024, "{} bytes more", info.bytes_current);
}

#[test]
fn the_memory_of_tools_is_bounded() {
    let tools = ToolMemory::default();
    let info = measure(|| {
        for id in 0..10_000 {
            let attribution = attribute("api.openai.com", "/v1/responses");
            let settings = Settings::new(Id::fresh(), attribution, 1 << 20);
            let mut socket = WsEvidence::new(Settings { tools: tools.clone(), ..settings });
            socket.server_message(
                NOW,
                text(&format!(
                    r#"{{"type":"response.completed","response":{{"id":"r","output":[{{"type":"function_call","call_id":"{id}","name":"n"}}]}}}}"#
                )),
            );
            assert_eq!(socket.finish(NOW, false).2, 1);
        }
    });
    assert!(
        u64::try_from(info.bytes_current).is_ok_and(|kept| kept < MIB),
        "{}",
        info.bytes_current
    );
}

/// The most memory one exchange takes whose answer is `piece` over and over, 8 MiB of it.
#[track_caller]
fn check_exchange(media: &str, start: &[u8], piece: &[u8]) {
    let path = "/v1beta/models/g:streamGenerateContent";
    let attribution = attribute("generativelanguage.googleapis.com", path);
    let info = measure(|| {
        let settings = Settings::new(Id::fresh(), attribution, 1 << 20);
        let head = RequestHead { method: "POST", ..RequestHead::default() };
        let mut exchange = HttpEvidence::new(settings, head);
        exchange.request_end(NOW);
        let content_type = Some(media);
        let head = ResponseHead { status: 200, content_type, ..ResponseHead::default() };
        exchange.response_head(head);
        exchange.response_data(NOW, start);
        for _ in 0..(8 << 20) / piece.len() {
            exchange.response_data(NOW, piece);
        }
        assert_eq!(exchange.finish(NOW, true).2, 1);
    });
    // A buffer doubles as it grows, and the old one is there while the new one is filled.
    assert!(info.bytes_max <= 4 * MIB, "{media}: {} bytes", info.bytes_max);
}

#[test]
fn an_exchange_keeps_no_more_than_its_capture() {
    let bulk = "QUJD".repeat(16 << 10);
    let bulk = bulk.as_bytes();
    check_exchange("application/json", b"{\"a\":\"", bulk);
    check_exchange("application/json", b"[{\"a\":\"", bulk);
    check_exchange("text/event-stream", b"data: {\"a\":\"", bulk);
    let event = b"data: {\"candidates\":[]}\n\n".repeat(1000);
    check_exchange("text/event-stream", b"", &event);
    let elements = b",{\"candidates\":[]}".repeat(1000);
    check_exchange("application/json", b"[{}", &elements);
}
