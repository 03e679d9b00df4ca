//! The bodies of the fuzz targets. Each takes any bytes and panics if a promise does not hold.
//!
//! Called by the targets and by the test that replays their corpora. Not part of the public API.

mod body;
mod exchange;
mod promises;
mod socket;

pub use body::redact_body;
pub use exchange::exchange;
pub use socket::{gemini_live, live_sessions, mcp, realtime, responses, unknown};
