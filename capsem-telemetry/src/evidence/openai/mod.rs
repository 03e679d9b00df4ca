//! `OpenAI`'s APIs: Responses, the same over a WebSocket, and Chat Completions.

mod chat;
mod item;
mod lanes;
mod responses;
mod usage;

pub(super) use chat::Chat;
pub(super) use lanes::Lanes;
pub(super) use responses::{Responses, is_create};
