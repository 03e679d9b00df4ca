//! Hosts and paths of the providers, of gateways, and of what is neither.

use super::*;

/// `None` for the API stands for one that is not known.
#[track_caller]
fn check(host: &str, path: &str, provider: &str, protocol: &str, api: &str, operation: &str) {
    let it = attribute(host, path);
    let or_dash = |word: Option<&'static str>| word.unwrap_or("-");
    let found = (
        it.provider.as_str(),
        or_dash(it.protocol.map(Protocol::as_str)),
        or_dash(it.api.map(Api::as_str)),
        or_dash(it.operation.map(Operation::as_str)),
    );
    assert_eq!(found, (provider, protocol, api, operation), "{host}{path}");
}

#[track_caller]
fn check_model(host: &str, path: &str, model: Option<&str>) {
    assert_eq!(attribute(host, path).model.as_deref(), model, "{host}{path}");
}

#[test]
fn openai() {
    let host = "api.openai.com";
    check(host, "/v1/responses", "openai", "openai", "responses", "chat");
    check(host, "/v1/responses/", "openai", "openai", "responses", "chat");
    check(host, "//v1/responses", "openai", "openai", "responses", "chat");
    check(host, "/v1/responses/compact", "openai", "openai", "responses", "compact");
    check(host, "/v1/responses/input_tokens", "openai", "openai", "responses", "count_tokens");
    check(host, "/v1/responses/resp_1", "openai", "openai", "responses", "retrieve");
    check(host, "/v1/responses/resp_1/cancel", "openai", "openai", "responses", "cancel");
    check(host, "/v1/chat/completions", "openai", "openai", "chat_completions", "chat");
    check(host, "/v1/completions", "openai", "openai", "completions", "text_completion");
    check(host, "/v1/embeddings", "openai", "openai", "embeddings", "embeddings");
    check(host, "/v1/realtime", "openai", "openai", "realtime", "realtime_inference");
    check(host, "/v1/realtime/translations", "openai", "openai", "realtime", "realtime_inference");
    check(host, "/v1/live/sessions", "openai", "openai", "live_sessions", "realtime_inference");
    let attach = "/v1/live/sessions/live_1/attach";
    check(host, attach, "openai", "openai", "live_sessions", "realtime_inference");
    check(host, "/v1/live/other", "openai", "openai", "-", "-");
    check(host, "/live/v1/responses", "openai", "openai", "responses", "chat");
    check(host, "/v1/models", "openai", "openai", "models", "models");
    check(host, "/v1/models/gpt-5", "openai", "openai", "models", "models");
    check(host, "/v1/files", "openai", "openai", "-", "-");
    check(host, "/", "openai", "openai", "-", "-");
    check(host, "", "openai", "openai", "-", "-");
    check("eu.api.openai.com", "/v1/responses", "openai", "openai", "responses", "chat");
    check("chatgpt.com", "/backend-api/codex/responses", "openai", "openai", "responses", "chat");
    check(
        "chatgpt.com",
        "/backend-api/codex/responses/compact",
        "openai",
        "openai",
        "responses",
        "compact",
    );
    check("chatgpt.com", "/backend-api/codex/models", "openai", "openai", "models", "models");
    check("chatgpt.com", "/backend-api/wham/tasks", "openai", "openai", "-", "-");
}

#[test]
fn the_model_of_a_realtime_socket_is_in_its_query() {
    #[track_caller]
    fn check(path: &str, query: &str, models: &[&str]) {
        let it = attribute("res.openai.azure.com", path).with_query(query);
        assert_eq!(it.models().collect::<Vec<_>>(), models, "{path}?{query}");
    }
    check("/openai/v1/realtime", "model=voice-1", &["voice-1"]);
    check("/openai/realtime", "api-version=1&deployment=my%2Dvoice", &["my-voice"]);
    check("/openai/v1/realtime", "intent=transcription", &[]);
    check("/openai/v1/responses", "model=m", &[]);
    // Which of several counts nobody here knows, nor how a server reads a key.
    check("/openai/v1/realtime", "model=a&model=b&deployment=c&model=a", &["a", "b", "c"]);
    check("/openai/v1/realtime", "mod%65l=a", &["a"]);
    check("/openai/v1/Realtime", "model=a", &["a"]);
}

#[test]
fn the_model_of_a_path_that_is_not_known() {
    let google = "generativelanguage.googleapis.com";
    check_model(google, "/v1beta/models/veo-3:predictLongRunning", Some("veo-3"));
    check_model(google, "/v1beta/models/veo-3%3ApredictLongRunning", Some("veo-3"));
    let vertex = "/v1/projects/p/locations/l/publishers/mistralai/models/m:rawPredict";
    check_model("aiplatform.googleapis.com", vertex, Some("m"));
    let azure = "res.openai.azure.com";
    check_model(azure, "/openai/deployments/dall-e-3/images/generations", Some("dall-e-3"));
    check_model(azure, "/openai/deployments/my%2Dvoice/audio/speech", Some("my-voice"));
    check_model("api.openai.com", "/v1/engines/davinci/completions", Some("davinci"));
    check_model("www.example", "/deployments/a/b", None);
    check_model("www.example", "/models/a:b", None);
}

#[test]
fn azure_and_xai() {
    let host = "res.openai.azure.com";
    check(host, "/openai/v1/responses", "azure.ai.openai", "openai", "responses", "chat");
    check(host, "/openai/responses", "azure.ai.openai", "openai", "responses", "chat");
    check(host, "/openai/realtime", "azure.ai.openai", "openai", "realtime", "realtime_inference");
    let deployed = "/openai/deployments/my-gpt/chat/completions";
    check(host, deployed, "azure.ai.openai", "openai", "chat_completions", "chat");
    check_model(host, deployed, Some("my-gpt"));
    check_model(host, "/openai/v1/responses", None);
    check("openai.azure.com", "/", "unknown", "-", "-", "-");
    check("api.x.ai", "/v1/responses", "x_ai", "openai", "responses", "chat");
    check("api.x.ai", "/v1/messages", "x_ai", "anthropic", "messages", "chat");
}

#[test]
fn anthropic() {
    let host = "api.anthropic.com";
    check(host, "/v1/messages", "anthropic", "anthropic", "messages", "chat");
    check(host, "/v1/messages/count_tokens", "anthropic", "anthropic", "messages", "count_tokens");
    check(host, "/v1/messages/batches", "anthropic", "anthropic", "messages", "batch");
    check(host, "/v1/models", "anthropic", "anthropic", "models", "models");
    check(host, "/api/hello", "anthropic", "anthropic", "-", "-");
}

#[test]
fn google() {
    let host = "generativelanguage.googleapis.com";
    let stream = "/v1beta/models/gemini-3-pro:streamGenerateContent";
    check(host, stream, "google", "google", "generate_content", "generate_content");
    check_model(host, stream, Some("gemini-3-pro"));
    check_model(host, "/v1beta/models/gemini-3%2Dpro%3AgenerateContent", Some("gemini-3-pro"));
    check(
        host,
        "/v1beta/models/g:countTokens",
        "google",
        "google",
        "generate_content",
        "count_tokens",
    );
    check(host, "/v1beta/models/e:embedContent", "google", "google", "embeddings", "embeddings");
    check(host, "/v1beta/models", "google", "google", "models", "models");
    check(host, "/v1beta/openai/chat/completions", "google", "openai", "chat_completions", "chat");
    let live = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
    check(host, live, "google", "google", "live", "realtime_inference");
    check(host, &format!("/{live}"), "google", "google", "live", "realtime_inference");
    for host in [
        "aiplatform.googleapis.com",
        "us-central1-aiplatform.googleapis.com",
        "aiplatform.eu.rep.googleapis.com",
    ] {
        let path = "/v1/projects/p/locations/l/publishers/google/models/g:generateContent";
        check(host, path, "google", "google", "generate_content", "generate_content");
        let path =
            "/v1/projects/p/locations/l/publishers/anthropic/models/claude-5:streamRawPredict";
        check(host, path, "google", "anthropic", "messages", "chat");
        check_model(host, path, Some("claude-5"));
    }
    let path = "/v1internal:streamGenerateContent";
    check(
        "cloudcode-pa.googleapis.com",
        path,
        "google",
        "google",
        "generate_content",
        "generate_content",
    );
    check_model("cloudcode-pa.googleapis.com", path, None);
    check(
        "cloudcode-pa.googleapis.com",
        "/v1internal:loadCodeAssist",
        "google",
        "google",
        "-",
        "-",
    );
    check(
        "www.googleapis.com",
        stream,
        "unknown",
        "google",
        "generate_content",
        "generate_content",
    );
}

#[test]
fn gateways_are_told_by_their_paths() {
    let host = "gateway.example";
    check(host, "/v1/responses", "unknown", "openai", "responses", "chat");
    check(host, "/responses", "unknown", "openai", "responses", "chat");
    check(host, "/api/v1/responses", "unknown", "openai", "responses", "chat");
    check(host, "/v1/acct/gw/openai/responses", "unknown", "openai", "responses", "chat");
    check(host, "/chat/completions", "unknown", "openai", "chat_completions", "chat");
    check(host, "/some/base/chat/completions", "unknown", "openai", "chat_completions", "chat");
    check(host, "/team/v1/messages", "unknown", "anthropic", "messages", "chat");
    check(
        host,
        "/v1beta/models/g:generateContent",
        "unknown",
        "google",
        "generate_content",
        "generate_content",
    );
}

#[test]
fn what_only_looks_alike_is_not_attributed() {
    let host = "www.example";
    check(host, "/survey/responses", "unknown", "-", "-", "-");
    check(host, "/responses/1", "unknown", "-", "-", "-");
    check(host, "/V1/Responses", "unknown", "-", "-", "-");
    check(host, "/v1/responsesx", "unknown", "-", "-", "-");
    check(host, "/chat", "unknown", "-", "-", "-");
    check(host, "/messages", "unknown", "-", "-", "-");
    check(host, "/v1/models", "unknown", "-", "-", "-");
    check(host, "/realtime/feed", "unknown", "-", "-", "-");
    check(host, "/a:generateContent", "unknown", "-", "-", "-");
    check("notapi.openai.com.evil.example", "/", "unknown", "-", "-", "-");
    check("evil-api.openai.com", "/", "unknown", "-", "-", "-");
    check("evilapi.anthropic.com", "/", "unknown", "-", "-", "-");
    check("xaiplatform.googleapis.com", "/", "unknown", "-", "-", "-");
}
