//! The shapes of model API paths. Knows the paths of each family and, of the host, only its
//! provider: a gateway's path counts as much as the provider's own.

use super::{Api, Operation, Protocol, Provider};
use crate::percent;

/// What a path alone shows.
#[derive(Default)]
pub(super) struct Shape {
    pub(super) protocol: Option<Protocol>,
    pub(super) api: Option<Api>,
    pub(super) operation: Option<Operation>,
    pub(super) model: Option<String>,
}

/// The model API a path belongs to, if any.
///
/// Anything may stand before the API's own segments, since clients append them to whatever base
/// URL they are given; but on a host nobody knows, a segment that is a common word must follow one
/// that is not (`/v1/responses`), or stand alone.
pub(super) fn shape(provider: Provider, path: &str) -> Shape {
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    google(&segments)
        .or_else(|| anthropic(&segments))
        .or_else(|| openai(provider, &segments))
        .or_else(|| models(provider, &segments))
        .unwrap_or_else(|| Shape { model: named(provider, &segments), ..Shape::default() })
}

/// The model that the path of an API nobody knows names on a provider's host: before a verb of
/// Google's, behind `deployments` of Azure's or `engines` of old.
fn named(provider: Provider, segments: &[&str]) -> Option<String> {
    let last = percent::decode_lossy(segments.last()?);
    let model = match (provider, segments) {
        (Provider::Unknown, _) => return None,
        (Provider::Google, [.., "models" | "tunedModels" | "endpoints", _]) => {
            return last.rsplit_once(':').map(|(name, _)| name.to_owned());
        }
        _ => segments.windows(2).rfind(|pair| matches!(pair[0], "deployments" | "engines"))?[1],
    };
    Some(percent::decode_lossy(model))
}

/// `models/{model}:verb`, `v1internal:verb`, Live's sockets.
fn google(segments: &[&str]) -> Option<Shape> {
    let last = percent::decode_lossy(segments.last()?);
    if matches!(segments, ["ws", ..]) && last.ends_with("BidiGenerateContent") {
        let (api, operation) = (Some(Api::Live), Some(Operation::Realtime));
        return Some(Shape { protocol: Some(Protocol::Google), api, operation, model: None });
    }
    let (name, verb) = last.rsplit_once(':')?;
    let named = match segments {
        [.., "models" | "tunedModels" | "endpoints", _] => Some(name.to_owned()),
        // Code Assist names the model in the body.
        [_] if name == "v1internal" => None,
        _ => return None,
    };
    let (protocol, api, operation) = match verb {
        "generateContent" | "streamGenerateContent" => {
            (Protocol::Google, Api::GenerateContent, Operation::GenerateContent)
        }
        "countTokens" => (Protocol::Google, Api::GenerateContent, Operation::CountTokens),
        "batchGenerateContent" => (Protocol::Google, Api::GenerateContent, Operation::Batch),
        "embedContent" | "batchEmbedContents" | "predict" if named.is_some() => {
            (Protocol::Google, Api::Embeddings, Operation::Embeddings)
        }
        // Claude on Vertex: Anthropic's messages under Google's verbs.
        "rawPredict" | "streamRawPredict" if segments.contains(&"anthropic") => {
            let counting = name.starts_with("count-tokens");
            let operation = if counting { Operation::CountTokens } else { Operation::Chat };
            (Protocol::Anthropic, Api::Messages, operation)
        }
        _ => return None,
    };
    Some(Shape {
        protocol: Some(protocol),
        api: Some(api),
        operation: Some(operation),
        model: named,
    })
}

/// `v1/messages` and what is below it.
fn anthropic(segments: &[&str]) -> Option<Shape> {
    let operation = match segments {
        [.., "v1", "messages"] => Operation::Chat,
        [.., "v1", "messages", "count_tokens"] => Operation::CountTokens,
        [.., "v1", "messages", "batches"] | [.., "v1", "messages", "batches", _] => {
            Operation::Batch
        }
        _ => return None,
    };
    Some(Shape {
        protocol: Some(Protocol::Anthropic),
        api: Some(Api::Messages),
        operation: Some(operation),
        model: None,
    })
}

/// `responses`, `chat/completions`, `completions`, `embeddings`, `realtime`, `live` and below.
fn openai(provider: Provider, segments: &[&str]) -> Option<Shape> {
    let (base, rest) = split_base(provider, segments)?;
    let (api, operation) = match rest {
        ["responses"] => (Api::Responses, Operation::Chat),
        ["responses", "compact"] => (Api::Responses, Operation::Compact),
        ["responses", "input_tokens"] => (Api::Responses, Operation::CountTokens),
        ["responses", _] | ["responses", _, "input_items"] => (Api::Responses, Operation::Retrieve),
        ["responses", _, "cancel"] => (Api::Responses, Operation::Cancel),
        ["chat", "completions"] => (Api::ChatCompletions, Operation::Chat),
        ["completions"] => (Api::Completions, Operation::TextCompletion),
        ["embeddings"] => (Api::Embeddings, Operation::Embeddings),
        ["realtime"] | ["realtime", "translations"] => (Api::Realtime, Operation::Realtime),
        ["live", "sessions"] | ["live", "sessions", _, "attach" | "fork"] => {
            (Api::LiveSessions, Operation::Realtime)
        }
        _ => return None,
    };
    let model = match base {
        [.., "deployments", deployment] => Some(percent::decode_lossy(deployment)),
        _ => None,
    };
    Some(Shape {
        protocol: Some(Protocol::OpenAi),
        api: Some(api),
        operation: Some(operation),
        model,
    })
}

/// Cuts a path before the first segment that names an API of `OpenAI`'s, if what stands before it
/// may be a base URL.
fn split_base<'a, 's>(
    provider: Provider,
    segments: &'a [&'s str],
) -> Option<(&'a [&'s str], &'a [&'s str])> {
    let at = segments.iter().enumerate().position(|(at, name)| match *name {
        "responses" | "chat" | "completions" | "embeddings" | "realtime" => true,
        "live" => segments.get(at + 1) == Some(&"sessions"), // too common a word to cut at
        _ => false,
    })?;
    let (base, rest) = segments.split_at_checked(at)?;
    let known = provider != Provider::Unknown;
    let plausible = rest == ["chat", "completions"]
        || match base {
            [] => known || rest.len() == 1,
            [.., "v1" | "openai" | "codex"] => true,
            [.., "deployments", _] => known,
            _ => false,
        };
    plausible.then_some((base, rest))
}

/// `models` and one model: only on a known host, as the word alone says too little.
fn models(provider: Provider, segments: &[&str]) -> Option<Shape> {
    let listed = matches!(
        segments,
        [.., "v1" | "v1beta" | "v1beta1" | "v1alpha" | "codex" | "openai", "models"]
            | [.., "v1" | "v1beta" | "v1beta1" | "v1alpha" | "codex" | "openai", "models", _]
    );
    // Behind Google's colon stands what is asked of one.
    let asked = provider == Provider::Google
        && segments.last().is_some_and(|last| percent::decode_lossy(last).contains(':'));
    (listed && !asked && provider != Provider::Unknown).then_some(Shape {
        protocol: None,
        api: Some(Api::Models),
        operation: Some(Operation::Models),
        model: None,
    })
}
