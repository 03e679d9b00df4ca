//! Whose API a request is for, from its host and path. Knows names only; it reads no body, and a
//! name is no proof of who answers: that is TLS's work.

use crate::percent;
use crate::word::words;

mod path;

words! {
    /// Who serves a host.
    #[non_exhaustive]
    pub enum Provider {
        /// `OpenAI`, the public API and the `ChatGPT` backend.
        OpenAi = "openai",
        /// Anthropic.
        Anthropic = "anthropic",
        /// Google: Gemini API, Vertex AI and Code Assist.
        Google = "google",
        /// Azure `OpenAI`.
        Azure = "azure.ai.openai",
        /// xAI.
        XAi = "x_ai",
        /// None that is known by its host.
        Unknown = "unknown",
    }
}

words! {
    /// The family of messages on the wire, whoever serves it.
    #[non_exhaustive]
    pub enum Protocol {
        /// `OpenAI`'s.
        OpenAi = "openai",
        /// Anthropic's.
        Anthropic = "anthropic",
        /// Google's.
        Google = "google",
        /// The Model Context Protocol's, which its messages show and no host or path.
        Mcp = "mcp",
    }
}

words! {
    /// One API of a family: the shape of its messages.
    #[non_exhaustive]
    pub enum Api {
        /// `OpenAI` Responses, over HTTP or WebSocket.
        Responses = "responses",
        /// `OpenAI` Chat Completions.
        ChatCompletions = "chat_completions",
        /// `OpenAI` Completions.
        Completions = "completions",
        /// Embeddings of either family.
        Embeddings = "embeddings",
        /// `OpenAI` Realtime.
        Realtime = "realtime",
        /// `OpenAI` Live sessions.
        LiveSessions = "live_sessions",
        /// Anthropic Messages.
        Messages = "messages",
        /// Gemini `generateContent` and `streamGenerateContent`.
        GenerateContent = "generate_content",
        /// Gemini Live.
        Live = "live",
        /// MCP, which its messages show, over a WebSocket or HTTP.
        Mcp = "mcp",
        /// Lists and descriptions of models.
        Models = "models",
    }
}

words! {
    /// What is asked of a model API; the words of OpenTelemetry where it has one.
    #[non_exhaustive]
    pub enum Operation {
        /// Inference on a conversation.
        Chat = "chat",
        /// Inference on multimodal content (Gemini).
        GenerateContent = "generate_content",
        /// Inference on plain text.
        TextCompletion = "text_completion",
        /// Inference in a session of audio and text.
        Realtime = "realtime_inference",
        /// Speech written down, in a session (`OpenAI` Realtime).
        Transcription = "transcription",
        /// Vectors for a text; no inference.
        Embeddings = "embeddings",
        /// Tokens counted, no inference.
        CountTokens = "count_tokens",
        /// A conversation compacted.
        Compact = "compact",
        /// Models listed or described.
        Models = "models",
        /// An earlier response read again.
        Retrieve = "retrieve",
        /// An earlier response stopped.
        Cancel = "cancel",
        /// Work handed in for later.
        Batch = "batch",
        /// A tool run.
        ExecuteTool = "execute_tool",
    }
}

impl Operation {
    /// Whether a model answers: what counts as a model call.
    pub const fn is_inference(self) -> bool {
        match self {
            Self::Chat
            | Self::GenerateContent
            | Self::TextCompletion
            | Self::Realtime
            | Self::Transcription => true,
            Self::Embeddings
            | Self::CountTokens
            | Self::Compact
            | Self::Models
            | Self::Retrieve
            | Self::Cancel
            | Self::Batch
            | Self::ExecuteTool => false,
        }
    }
}

/// What host and path say about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// Who serves the host.
    pub provider: Provider,
    /// The wire family: the path's if it shows one, else the provider's.
    pub protocol: Option<Protocol>,
    /// The API, if the path is one of a model API.
    pub api: Option<Api>,
    /// What is asked of it.
    pub operation: Option<Operation>,
    /// The model, where the path names it: a Gemini model, an Azure deployment.
    pub model: Option<String>,
    /// Others, where the query names more than one: which of them counts is the server's to say.
    pub other_models: Vec<String>,
}

impl Attribution {
    /// Takes the models a query names: the Realtime API has them there, as `model` or as Azure's
    /// `deployment`, and a provider's path that is not known may. Everywhere else a query names none.
    #[must_use]
    pub fn with_query(mut self, query: &str) -> Self {
        let unknown = self.api.is_none() && self.provider != Provider::Unknown;
        if self.api != Some(Api::Realtime) && !unknown {
            return self;
        }
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if !matches!(&*percent::decode_lossy(key), "model" | "deployment") {
                continue;
            }
            let model = Some(percent::decode_lossy(value));
            if self.model.is_none() {
                self.model = model;
            } else if self.model != model && self.other_models.len() < MAX_MODELS {
                self.other_models.extend(model);
            }
        }
        self
    }

    /// All models that path and query name.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.model.iter().chain(&self.other_models).map(String::as_str)
    }
}

/// Tells whose API `path` on `host` is.
///
/// `host` is canonical: lower case, without port or trailing dot. `path` is as sent, without the
/// query. A path that has the shape of a model API on a host nobody knows, as of a gateway, gives
/// [`Provider::Unknown`] with protocol and API all the same.
///
/// ```
/// use capsem_telemetry::{Api, Protocol, Provider, attribute};
///
/// let it = attribute("chatgpt.com", "/backend-api/codex/responses");
/// assert_eq!((it.provider, it.api), (Provider::OpenAi, Some(Api::Responses)));
///
/// let it = attribute("llm.example.net", "/team/v1/messages");
/// assert_eq!((it.provider, it.protocol), (Provider::Unknown, Some(Protocol::Anthropic)));
/// ```
pub fn attribute(host: &str, path: &str) -> Attribution {
    let provider = provider(host);
    let shape = path::shape(provider, path);
    Attribution {
        provider,
        protocol: shape.protocol.or(family(provider)),
        api: shape.api,
        operation: shape.operation,
        model: shape.model,
        other_models: Vec::new(),
    }
}

/// Models of one query that are looked at. Each is judged by itself; no server takes so many.
const MAX_MODELS: usize = 256;

/// Hosts of one provider: the exact names, and the names below `.suffix`.
const HOSTS: &[(Provider, &str)] = &[
    (Provider::OpenAi, "api.openai.com"),
    (Provider::OpenAi, ".api.openai.com"),
    (Provider::OpenAi, "chatgpt.com"),
    (Provider::OpenAi, "chat.openai.com"),
    (Provider::Azure, ".openai.azure.com"),
    (Provider::Azure, ".cognitiveservices.azure.com"),
    (Provider::Azure, ".services.ai.azure.com"),
    (Provider::XAi, "api.x.ai"),
    (Provider::XAi, ".api.x.ai"),
    (Provider::Anthropic, "api.anthropic.com"),
    (Provider::Google, "generativelanguage.googleapis.com"),
    (Provider::Google, "aiplatform.googleapis.com"),
    (Provider::Google, "-aiplatform.googleapis.com"),
    (Provider::Google, "cloudcode-pa.googleapis.com"),
    (Provider::Google, "-cloudcode-pa.googleapis.com"),
];

fn provider(host: &str) -> Provider {
    let found = HOSTS.iter().find(|(_, name)| {
        if name.starts_with(['.', '-']) {
            host.strip_suffix(name).is_some_and(|before| !before.is_empty())
        } else {
            host == *name
        }
    });
    // Vertex also answers in multi-regions: aiplatform.eu.rep.googleapis.com.
    let regional = host.starts_with("aiplatform.") && host.ends_with(".rep.googleapis.com");
    match found {
        Some((provider, _)) => *provider,
        None if regional => Provider::Google,
        None => Provider::Unknown,
    }
}

fn family(provider: Provider) -> Option<Protocol> {
    match provider {
        Provider::OpenAi | Provider::Azure | Provider::XAi => Some(Protocol::OpenAi),
        Provider::Anthropic => Some(Protocol::Anthropic),
        Provider::Google => Some(Protocol::Google),
        Provider::Unknown => None,
    }
}

#[cfg(test)]
mod tests;
