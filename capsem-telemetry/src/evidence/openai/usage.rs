//! Tokens as `OpenAI`'s APIs count them: totals include cached input and reasoning, so nothing is
//! added up; some models are billed by time. Knows the names of all its APIs, which differ.

use crate::Usage;

use super::super::json::Raw;
use super::super::limits;

/// Reads a `usage` object; `None` for `null` and anything else.
pub(super) fn usage(usage: Raw<'_>) -> Option<Usage> {
    if !usage.is_object() {
        return None;
    }
    let (mut read, mut total) = (Usage::default(), None);
    usage.members(|key, value| match key {
        "total_tokens" => total = value.count(),
        "input_tokens" | "prompt_tokens" => read.input_tokens = value.count(),
        "output_tokens" | "completion_tokens" => read.output_tokens = value.count(),
        "seconds" => read.time_ms = limits::seconds(value.json()),
        "input_tokens_details" | "input_token_details" | "prompt_tokens_details" => {
            value.members(|key, value| match key {
                "cached_tokens" => read.cached_input_tokens = value.count(),
                "cache_write_tokens" => read.cache_write_tokens = value.count(),
                "audio_tokens" => read.audio_input_tokens = value.count(),
                _ => {}
            });
        }
        "output_tokens_details" | "output_token_details" | "completion_tokens_details" => {
            value.members(|key, value| match key {
                "reasoning_tokens" => read.reasoning_tokens = value.count(),
                "audio_tokens" => read.audio_output_tokens = value.count(),
                _ => {}
            });
        }
        _ => {}
    });
    if let (Some(input), Some(output), Some(reasoning)) =
        (read.input_tokens, read.output_tokens, read.reasoning_tokens)
        && total == input.checked_add(output).and_then(|sum| sum.checked_add(reasoning))
    {
        // Some who speak this API count reasoning beside the output; their own total shows it.
        read.output_tokens = output.checked_add(reasoning);
    }
    Some(read)
}
