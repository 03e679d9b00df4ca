//! Plain HTTP and SSE: forward the request, stream both bodies as they come, read a copy.

mod body;
pub(crate) mod forward;
pub(crate) mod headers;
pub(crate) mod hold;
mod lane;

pub(crate) use self::{body::Exchanged, lane::Lane};
