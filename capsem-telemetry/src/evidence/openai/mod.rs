//! `OpenAI`'s APIs: Responses, the same over a WebSocket, Chat Completions, Realtime and Live.

mod asides;
mod chat;
mod item;
mod lanes;
mod live;
mod realtime;
mod responses;
mod usage;

pub(super) use chat::Chat;
pub(super) use lanes::Lanes;
pub(super) use live::Live;
pub(super) use realtime::Realtime;
pub(super) use responses::{Responses, is_create};
