//! Plain HTTP and SSE: forward the request, stream both bodies as they come, read a copy.

mod body;
mod exchanged;
pub(crate) mod forward;
pub(crate) mod headers;
pub(crate) mod hold;
mod lane;
pub(crate) mod screen;

pub(crate) use self::{
    exchanged::{Exchanged, head_of},
    lane::Lane,
};
