//! What each provider counts in or out of its totals, brought to one meaning: all input, all output,
//! and what of either was cached, reasoning or audio. Where a provider gives a total of its own, the
//! record's two add up to it.

use std::time::Duration;

use crate::evidence::{HttpEvidence, RequestHead, ResponseHead, Seen, Settings, WsEvidence};
use crate::{Id, Usage, attribute};

const NOW: Duration = Duration::from_millis(1);

const OPENAI: (&str, &str) = ("api.openai.com", "/v1/responses");
const CHAT: (&str, &str) = ("api.openai.com", "/v1/chat/completions");
const XAI: (&str, &str) = ("api.x.ai", "/v1/chat/completions");
const ANTHROPIC: (&str, &str) = ("api.anthropic.com", "/v1/messages");
const GEMINI: (&str, &str) =
    ("generativelanguage.googleapis.com", "/v1beta/models/g:generateContent");
const LIVE: (&str, &str) = ("generativelanguage.googleapis.com", "/ws/x.BidiGenerateContent");
const REALTIME: (&str, &str) = ("api.openai.com", "/v1/realtime");

/// The usage of a call whose answer holds this, in place of `USAGE` there.
fn usage(target: (&str, &str), usage: &str) -> Option<Usage> {
    let settings = Settings::new(Id::fresh(), attribute(target.0, target.1), 1 << 20);
    let answer = match target {
        OPENAI => r#"{"id":"r","status":"completed","usage":USAGE}"#,
        CHAT | XAI => r#"{"id":"r","choices":[{"finish_reason":"stop"}],"usage":USAGE}"#,
        ANTHROPIC => r#"{"id":"r","content":[],"stop_reason":"end_turn","usage":USAGE}"#,
        GEMINI => r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":USAGE}"#,
        LIVE => r#"{"serverContent":{"modelTurn":{},"turnComplete":true},"usageMetadata":USAGE}"#,
        _ => r#"{"type":"response.done","response":{"id":"r","status":"completed","usage":USAGE}}"#,
    };
    let answer = answer.replace("USAGE", usage);
    let calls = if matches!(target, LIVE | REALTIME) {
        let mut socket = WsEvidence::new(settings);
        let (payload, len) = (answer.as_bytes(), answer.len() as u64);
        socket.server_message(NOW, Seen { payload, binary: true, truncated: false, len });
        socket.take_calls()
    } else {
        let head = RequestHead { method: "POST", ..RequestHead::default() };
        let mut exchange = HttpEvidence::new(settings, head);
        exchange.request_end(NOW);
        exchange.response_head(ResponseHead { status: 200, ..ResponseHead::default() });
        exchange.response_data(NOW, answer.as_bytes());
        exchange.finish(NOW, true).0
    };
    assert_eq!(calls.len(), 1, "{answer}");
    calls[0].usage
}

/// The record's counts in its order; 0 stands for none, which no row expects.
#[track_caller]
fn check(target: (&str, &str), json: &str, counts: [u64; 7]) {
    let said = |count: u64| (count > 0).then_some(count);
    let [input, output, cached, written, reasoning, audio_in, audio_out] = counts.map(said);
    let wanted = Usage {
        input_tokens: input,
        output_tokens: output,
        cached_input_tokens: cached,
        cache_write_tokens: written,
        reasoning_tokens: reasoning,
        audio_input_tokens: audio_in,
        audio_output_tokens: audio_out,
        time_ms: None,
    };
    assert_eq!(usage(target, json), Some(wanted), "{json}");
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    if let Some(total) = value.get("total_tokens").or(value.get("totalTokenCount")) {
        assert_eq!(total.as_u64(), Some(counts[0] + counts[1]), "{json}");
    }
}

#[test]
fn every_providers_counting() {
    // Cached input is in the input, reasoning in the output.
    check(
        OPENAI,
        r#"{"input_tokens":4210,"input_tokens_details":{"cached_tokens":3968,"cache_write_tokens":128},"output_tokens":187,"output_tokens_details":{"reasoning_tokens":96},"total_tokens":4397}"#,
        [4210, 187, 3968, 128, 96, 0, 0],
    );
    check(
        CHAT,
        r#"{"prompt_tokens":1117,"completion_tokens":346,"total_tokens":1463,"prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":40},"completion_tokens_details":{"reasoning_tokens":320,"audio_tokens":12,"accepted_prediction_tokens":0,"rejected_prediction_tokens":5}}"#,
        [1117, 346, 1024, 0, 320, 40, 12],
    );
    // The same names, and reasoning beside the output: the total tells.
    check(
        XAI,
        r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"prompt_tokens_details":{"cached_tokens":6},"completion_tokens_details":{"reasoning_tokens":94}}"#,
        [32, 103, 6, 0, 94, 0, 0],
    );
    // Both kinds of cached input are beside the input.
    check(
        ANTHROPIC,
        r#"{"input_tokens":4,"cache_creation_input_tokens":1200,"cache_read_input_tokens":18000,"cache_creation":{"ephemeral_5m_input_tokens":1200,"ephemeral_1h_input_tokens":0},"output_tokens":503}"#,
        [19204, 503, 18000, 1200, 0, 0, 0],
    );
    // Thoughts are beside the output, what tools put in is beside the prompt, cached input in it.
    check(
        GEMINI,
        r#"{"promptTokenCount":1300,"cachedContentTokenCount":1000,"toolUsePromptTokenCount":50,"candidatesTokenCount":88,"thoughtsTokenCount":212,"totalTokenCount":1650,"promptTokensDetails":[{"modality":"TEXT","tokenCount":1100},{"modality":"AUDIO","tokenCount":200}]}"#,
        [1350, 300, 1000, 0, 212, 200, 0],
    );
    check(
        LIVE,
        r#"{"promptTokenCount":310,"responseTokenCount":88,"thoughtsTokenCount":12,"totalTokenCount":410,"responseTokensDetails":[{"modality":"AUDIO","tokenCount":88}]}"#,
        [310, 100, 0, 0, 12, 0, 88],
    );
    check(
        LIVE,
        r#"{"prompt_token_count":310,"response_token_count":88,"cached_content_token_count":7,"total_token_count":398,"prompt_tokens_details":[{"modality":"AUDIO","token_count":300}]}"#,
        [310, 88, 7, 0, 0, 300, 0],
    );
    // Singular names; cached input is in the input.
    check(
        REALTIME,
        r#"{"total_tokens":320,"input_tokens":250,"output_tokens":70,"input_token_details":{"text_tokens":120,"audio_tokens":130,"image_tokens":0,"cached_tokens":64,"cached_tokens_details":{"text_tokens":64,"audio_tokens":0}},"output_token_details":{"text_tokens":20,"audio_tokens":50}}"#,
        [250, 70, 64, 0, 0, 130, 50],
    );
}

#[test]
fn what_is_not_said_is_not_zero() {
    for target in [OPENAI, CHAT, ANTHROPIC, GEMINI, LIVE, REALTIME] {
        assert_eq!(usage(target, "null"), None, "{target:?}");
        assert_eq!(usage(target, "7"), None, "{target:?}");
        assert_eq!(usage(target, "{}"), Some(Usage::default()), "{target:?}");
    }
    // A cache without input of its own makes no total.
    let cached = usage(ANTHROPIC, r#"{"cache_read_input_tokens":9}"#).unwrap();
    assert_eq!((cached.input_tokens, cached.cached_input_tokens), (None, Some(9)));
}

#[test]
fn counts_that_are_none_are_left_out() {
    for count in ["-1", "1.5", "\"12\"", "null", "1e99", "[]", "18446744073709551616"] {
        for (target, field) in [
            (OPENAI, "input_tokens"),
            (CHAT, "prompt_tokens"),
            (ANTHROPIC, "input_tokens"),
            (GEMINI, "promptTokenCount"),
        ] {
            let json = format!(r#"{{"{field}":{count}}}"#);
            assert_eq!(usage(target, &json), Some(Usage::default()), "{json}");
        }
    }
    let most = u64::MAX;
    let sum = format!(r#"{{"input_tokens":{most},"cache_read_input_tokens":{most}}}"#);
    assert_eq!(usage(ANTHROPIC, &sum).unwrap().input_tokens, Some(most));
}
