//! The bodies of the fuzz targets. Each takes any bytes and panics if a promise does not hold.
//!
//! Called by the targets and by the test that replays their corpora. Not part of the public API.

mod relay;

pub use relay::relay;
