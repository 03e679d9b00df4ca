//! The bodies of fuzz targets that need a foreign library, which only this workspace may depend on.
//!
//! All others are library functions of the crates they test.

mod against_tungstenite;

pub use against_tungstenite::{Difference, against_tungstenite};
