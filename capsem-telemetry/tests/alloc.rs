//! What reading allocates: nothing for what comes most, and never much more than `capture`.

use std::io::Write as _;
use std::time::Duration;

use allocation_counter::measure;
use capsem_telemetry::evidence::{
    HttpEvidence, RequestHead, ResponseHead, Seen, Settings, ToolMemory, WsEvidence,
};
use capsem_telemetry::{Id, attribute};
use capsem_ws_codec::{
    Deflate, FrameHead, Item, Limits, Message, Opcode, Reader, Role, encode_frame,
};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

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
fn nesting_costs_nothing() {
    for deep in ["[".repeat(8 << 20), r#"{"a":"#.repeat(2 << 20), r#"[{"\"":["#.repeat(2 << 20)] {
        let peak = peak("/v1/responses", &format!(r#"{{"type":"response.create","input":{deep}"#));
        assert!(peak < 64 * 1024, "{peak}");
    }
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

const CAPTURE: usize = 2 << 20;

/// What one direction may hold beside `capture`: the tables of its coding, and what is too small to
/// be counted.
const BESIDE: u64 = 2 * MIB;

/// The most memory one exchange takes whose response has this body, in pieces as they are read.
#[track_caller]
fn check_exchange(name: &str, media: &str, coding: Option<&str>, body: &[u8]) {
    let path = "/v1beta/models/g:streamGenerateContent";
    let attribution = attribute("generativelanguage.googleapis.com", path);
    let info = measure(|| {
        let settings = Settings::new(Id::fresh(), attribution, CAPTURE);
        let head = RequestHead { method: "POST", ..RequestHead::default() };
        let mut exchange = HttpEvidence::new(settings, head);
        exchange.request_end(NOW);
        exchange.response_head(ResponseHead {
            status: 200,
            content_type: Some(media),
            content_encoding: coding,
            ..ResponseHead::default()
        });
        body.chunks(16 << 10).for_each(|piece| exchange.response_data(NOW, piece));
        assert_eq!(exchange.finish(NOW, true).2, 1);
    });
    let most = CAPTURE as u64 + BESIDE;
    assert!(info.bytes_max <= most, "{name}: {} bytes of {most}", info.bytes_max);
}

/// The same of a request's body.
#[track_caller]
fn check_request(name: &str, coding: Option<&str>, body: &[u8]) {
    let attribution = attribute("chatgpt.com", "/backend-api/codex/responses");
    let info = measure(|| {
        let settings = Settings::new(Id::fresh(), attribution, CAPTURE);
        let head =
            RequestHead { method: "POST", content_encoding: coding, ..RequestHead::default() };
        let mut exchange = HttpEvidence::new(settings, head);
        body.chunks(16 << 10).for_each(|piece| exchange.request_data(NOW, piece));
        exchange.request_end(NOW);
        assert_eq!(exchange.finish(NOW, true).2, 1);
    });
    let most = CAPTURE as u64 + BESIDE;
    assert!(info.bytes_max <= most, "{name}: {} bytes of {most}", info.bytes_max);
}

/// More than twice as much as may be kept, of text that compresses no better than real text does.
fn text_of(start: &str, end: &str) -> Vec<u8> {
    let word = |n: u32| format!("{:x} ", n.wrapping_mul(0x9E37_79B9) >> (n % 13));
    let mut text = start.to_owned();
    let mut words = (0..).map(word);
    while text.len() < 5 * CAPTURE / 2 {
        text.extend(words.next());
    }
    (text + end).into_bytes()
}

#[test]
fn a_body_keeps_no_more_than_its_capture() {
    let whole = text_of(r#"{"a":""#, r#""}"#);
    let bodies = [
        ("json", "application/json", whole.clone()),
        ("array", "application/json", text_of(r#"[{"a":""#, r#""}]"#)),
        ("event", "text/event-stream", text_of("data: {\"a\":\"", "\"}\n\n")),
        ("lines", "text/event-stream", b"data: \"some of it\"\n".repeat(300_000)),
        ("events", "text/event-stream", b"data: {\"candidates\":[]}\n\n".repeat(200_000)),
        (
            "elements",
            "application/json",
            [&b"[{}"[..], &b",{\"candidates\":[]}".repeat(200_000), b"]"].concat(),
        ),
    ];
    for (name, media, body) in &bodies {
        check_exchange(name, media, None, body);
        let coded = format!("{name} in zstd, window of 2 MiB");
        check_exchange(&coded, media, Some("zstd"), &zstd(body, 11));
    }
    for (name, media, body) in &bodies[..3] {
        check_exchange(&format!("{name} in gzip"), media, Some("gzip"), &gzip(body));
        for window in [10, 18, 22] {
            let name = format!("{name} in br, window 2^{window}");
            check_exchange(&name, media, Some("br"), &brotli(body, window));
        }
        for window in [0, 10, 13] {
            let name = format!("{name} in zstd, window of {} KiB", 1 << window);
            check_exchange(&name, media, Some("zstd"), &zstd(body, window));
        }
    }
    let real = compress_to_vec(whole.as_slice(), CompressionLevel::Fastest);
    check_exchange("compressed by zstd", "application/json", Some("zstd"), &real);
    check_request("request", None, &whole);
    check_request("request in gzip", Some("gzip"), &gzip(&whole));
    check_request("request in br", Some("br"), &brotli(&whole, 22));
    check_request("request in zstd", Some("zstd"), &zstd(&whole, 11));
    check_request("one segment of zstd", Some("zstd"), &zstd_segment(&whole));
}

#[test]
fn a_message_keeps_no_more_than_its_capture() {
    #[track_caller]
    fn check(sender: Role, deflate: Option<Deflate>, wire: &[u8], count: u64) {
        let info = measure(|| {
            let limits = Limits { capture: CAPTURE, ..Limits::default() };
            let mut reader = Reader::new(sender, deflate, limits);
            let mut evidence = socket("api.openai.com", "/v1/responses");
            let mut read = 0;
            for mut chunk in wire.chunks(16 << 10) {
                while let Some(item) = reader.read(&mut chunk).unwrap() {
                    let Item::Message(message) = item else { continue };
                    let Message { payload, truncated, len, .. } = message;
                    let seen = Seen { payload, binary: false, truncated, len };
                    match sender {
                        Role::Client => evidence.client_message(NOW, seen),
                        Role::Server => evidence.server_message(NOW, seen),
                    }
                    read += 1;
                }
            }
            assert_eq!(read, count);
        });
        let most = CAPTURE as u64 + BESIDE;
        assert!(info.bytes_max <= most, "{sender:?} {deflate:?}: {} of {most}", info.bytes_max);
    }
    let long = text_of(r#"{"type":"response.create","input":""#, r#""}"#);
    for sender in [Role::Client, Role::Server] {
        let mask = (sender == Role::Client).then_some([1, 2, 3, 4]);
        let mut wire = Vec::new();
        let head = FrameHead { fin: true, rsv1: false, opcode: Opcode::Text, mask, len: 0 };
        encode_frame(head, &long, &mut wire);
        encode_frame(head, &long, &mut wire);
        check(sender, None, &wire, 2);
        wire.clear();
        for plain in [&long, &b" ".repeat(5 * CAPTURE)] {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.flush().unwrap();
            let squeezed = encoder.get_ref();
            let squeezed = &squeezed[..squeezed.len() - 4];
            encode_frame(FrameHead { rsv1: true, ..head }, squeezed, &mut wire);
        }
        let agreed = Deflate {
            client_no_context_takeover: true,
            server_no_context_takeover: true,
            ..Deflate::default()
        };
        check(sender, Some(agreed), &wire, 2);
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Brotli that is stored, in as large pieces as there are (RFC 7932, section 9.2).
fn brotli(plain: &[u8], window: u32) -> Vec<u8> {
    let mut coded = Vec::new();
    for (at, piece) in plain.chunks(1 << 16).enumerate() {
        // Not the last, four nibbles of length, the length less one, stored; then up to a byte.
        let head = u32::try_from(piece.len() - 1).unwrap() << 3 | 1 << 19;
        let (head, bytes) = match (at, window) {
            (0, 18..) => (head << 4 | (window - 17) << 1 | 1, 3),
            (0, _) => (head << 7 | (window - 8) << 4 | 1, 4),
            _ => (head, 3),
        };
        coded.extend_from_slice(&head.to_le_bytes()[..bytes]);
        coded.extend_from_slice(piece);
    }
    coded.push(0b11);
    coded
}

/// Zstd that is stored (RFC 8878, section 3.1.1), with a window of 1 KiB times two to `window`.
fn zstd(plain: &[u8], window: u8) -> Vec<u8> {
    let mut coded = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, window << 3];
    blocks(plain, 1 << (10 + window.min(7)), &mut coded);
    coded
}

/// The same in a frame whose content is its window.
fn zstd_segment(plain: &[u8]) -> Vec<u8> {
    let mut coded = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    coded.extend_from_slice(&u32::try_from(plain.len()).unwrap().to_le_bytes());
    blocks(plain, 1 << 17, &mut coded);
    coded
}

fn blocks(plain: &[u8], size: usize, coded: &mut Vec<u8>) {
    for piece in plain.chunks(size) {
        let head = u32::try_from(piece.len()).unwrap() << 3;
        coded.extend_from_slice(&head.to_le_bytes()[..3]);
        coded.extend_from_slice(piece);
    }
    coded.extend_from_slice(&[1, 0, 0]);
}
