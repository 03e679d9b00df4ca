//! The names of members that facts are read from, and when two readers would not agree on one.

/// The names of members that are looked for.
const NAMES: [&str; 64] = [
    "allowed_tools",
    "approval_request_id",
    "audio",
    "batch",
    "body",
    "call_id",
    "candidates",
    "choices",
    "clientContent",
    "client_content",
    "content",
    "content_block",
    "contents",
    "delta",
    "event_id",
    "fallbacks",
    "function",
    "functionCall",
    "functionCalls",
    "functionDeclarations",
    "functionResponse",
    "functionResponses",
    "function_call",
    "function_calls",
    "function_declarations",
    "function_response",
    "function_responses",
    "functions",
    "id",
    "input",
    "inputConfig",
    "input_audio_transcription",
    "input_config",
    "item",
    "message",
    "messages",
    "method",
    "model",
    "modelTurn",
    "models",
    "name",
    "output",
    "params",
    "parts",
    "request",
    "requests",
    "response",
    "response_id",
    "result",
    "serverContent",
    "session",
    "setup",
    "stream_id",
    "toolCall",
    "toolResponse",
    "tool_call",
    "tool_call_id",
    "tool_calls",
    "tool_response",
    "tool_use_id",
    "tools",
    "transcription",
    "turns",
    "type",
];

/// Whether a member of this name is one that is looked for, to some readers and not to others: some
/// do not tell upper from lower case, and of `Model` take the model.
pub(super) fn is_misspelt(key: &str) -> bool {
    NAMES.iter().any(|name| *name != key && is_folded(key, name))
}

/// Takes what a member says that may be there once. Of two that differ, two readers would not see
/// the same one.
pub(super) fn once(slot: &mut Option<String>, value: Option<String>, readable: &mut bool) {
    *readable &= slot.is_none() || value == *slot;
    *slot = value.or(slot.take());
}

/// Whether `key` is `name` to a reader that folds case, the two letters beyond ASCII that fold into
/// it among them.
pub(super) fn is_folded(key: &str, name: &str) -> bool {
    let folded = key.chars().map(|letter| match letter {
        'ſ' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    });
    folded.eq(name.chars().map(|letter| letter.to_ascii_lowercase()))
}
