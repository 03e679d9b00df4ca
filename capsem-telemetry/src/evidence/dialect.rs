//! What a provider's HTTP API must be able to tell: how its request, its events and its whole
//! answers are read into a call. Knows no bytes, codings or connections.

use std::fmt::Debug;
use std::time::Duration;

use crate::{Api, CallStatus};

use super::call::Call;
use super::input::Payload;
use super::limits::Limits;
use super::{anthropic, gemini, openai};

/// Reads the payloads of one API's calls, one call at a time.
pub(super) trait Dialect: Debug + Send {
    /// Reads the request.
    fn request(&mut self, call: &mut Call, body: Payload<'_>);

    /// Reads one event of a streamed answer. `Some` if that ends the call.
    fn event(
        &mut self,
        call: &mut Call,
        limits: &mut Limits,
        now: Duration,
        event: Payload<'_>,
    ) -> Option<CallStatus>;

    /// Reads an answer that came in one piece. `None` if it does not say how the call ended.
    fn answer(&mut self, call: &mut Call, body: Payload<'_>) -> Option<CallStatus>;

    /// The stream is over. `None` if its events never said how the call ended.
    fn stream_ended(&mut self, call: &mut Call) -> Option<CallStatus>;
}

/// The dialect of an API; `None` where none is known.
pub(super) fn dialect(api: Api) -> Option<Box<dyn Dialect>> {
    match api {
        Api::Responses => Some(Box::new(openai::Responses)),
        Api::ChatCompletions => Some(Box::new(openai::Chat::default())),
        Api::Messages => Some(Box::new(anthropic::Messages::default())),
        Api::GenerateContent => Some(Box::new(gemini::Generate::default())),
        Api::Completions
        | Api::Embeddings
        | Api::Realtime
        | Api::LiveSessions
        | Api::Live
        | Api::Mcp
        | Api::Models => None,
    }
}
