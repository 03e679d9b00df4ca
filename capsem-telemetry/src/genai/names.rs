//! The names of the conventions' attributes, by version. Knows names only.

/// A version of the GenAI conventions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Version {
    /// 1.41 of `open-telemetry/semantic-conventions`, the last that held them.
    V1_41,
    /// `open-telemetry/semantic-conventions-genai` as it stood in October 2026, before any release.
    Genai2026_10,
}

impl Version {
    /// The newest there is a table for.
    pub const LATEST: Self = Self::Genai2026_10;

    pub(super) const fn names(self) -> &'static Names {
        match self {
            Self::V1_41 => &V1_41,
            Self::Genai2026_10 => &GENAI_2026_10,
        }
    }
}

/// The name of each attribute; none where a version has none.
pub(super) struct Names {
    pub(super) operation: Option<&'static str>,
    pub(super) provider: Option<&'static str>,
    pub(super) request_model: Option<&'static str>,
    pub(super) request_stream: Option<&'static str>,
    pub(super) previous_response: Option<&'static str>,
    pub(super) response_id: Option<&'static str>,
    pub(super) response_model: Option<&'static str>,
    pub(super) response_status: Option<&'static str>,
    pub(super) finish_reasons: Option<&'static str>,
    pub(super) first_chunk: Option<&'static str>,
    pub(super) input_tokens: Option<&'static str>,
    pub(super) output_tokens: Option<&'static str>,
    pub(super) cache_read: Option<&'static str>,
    pub(super) cache_write: Option<&'static str>,
    pub(super) reasoning: Option<&'static str>,
    pub(super) audio_input: Option<&'static str>,
    pub(super) audio_output: Option<&'static str>,
    pub(super) tool_name: Option<&'static str>,
    pub(super) mcp_method: Option<&'static str>,
    pub(super) rpc_request: Option<&'static str>,
    pub(super) openai_api: Option<&'static str>,
    pub(super) error: Option<&'static str>,
}

const V1_41: Names = Names {
    operation: Some("gen_ai.operation.name"),
    provider: Some("gen_ai.provider.name"),
    request_model: Some("gen_ai.request.model"),
    request_stream: Some("gen_ai.request.stream"),
    previous_response: None,
    response_id: Some("gen_ai.response.id"),
    response_model: Some("gen_ai.response.model"),
    response_status: None,
    finish_reasons: Some("gen_ai.response.finish_reasons"),
    first_chunk: Some("gen_ai.response.time_to_first_chunk"),
    input_tokens: Some("gen_ai.usage.input_tokens"),
    output_tokens: Some("gen_ai.usage.output_tokens"),
    cache_read: Some("gen_ai.usage.cache_read.input_tokens"),
    cache_write: Some("gen_ai.usage.cache_creation.input_tokens"),
    reasoning: Some("gen_ai.usage.reasoning.output_tokens"),
    audio_input: None,
    audio_output: None,
    tool_name: Some("gen_ai.tool.name"),
    mcp_method: Some("mcp.method.name"),
    rpc_request: Some("jsonrpc.request.id"),
    openai_api: Some("openai.api.type"),
    error: Some("error.type"),
};

const GENAI_2026_10: Names = Names {
    previous_response: Some("gen_ai.request.previous_response.id"),
    response_status: Some("gen_ai.response.status"),
    cache_write: Some("gen_ai.usage.cache_write.input_tokens"),
    audio_input: Some("gen_ai.usage.audio.input_tokens"),
    audio_output: Some("gen_ai.usage.audio.output_tokens"),
    ..V1_41
};
