//! Identifiers of connections, exchanges and model calls. Knows nothing of what they name.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};

use crate::Error;

/// Twelve lower-case hexadecimal digits, unique within the process.
///
/// The values of one process walk all 48 bits once, from a random start in random odd steps: none
/// repeats, and two processes that write to one ledger one after the other do not follow each
/// other's track. An id is a name, not a secret; it must not be used where one is needed.
///
/// ```
/// use capsem_telemetry::Id;
///
/// let id = Id::fresh();
/// assert_ne!(id, Id::fresh());
/// assert_eq!(id.to_string().len(), 12);
/// assert_eq!(id.to_string().parse::<Id>()?, id);
/// # Ok::<(), capsem_telemetry::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u64);

const BITS: u64 = 48;
const MASK: u64 = (1 << BITS) - 1;
const DIGITS: usize = 12;

impl Id {
    /// An id this process has not handed out before.
    pub fn fresh() -> Self {
        static TRACK: OnceLock<(u64, u64)> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let (start, step) = *TRACK.get_or_init(|| (random(), random() | 1));
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(start.wrapping_add(step.wrapping_mul(count)) & MASK)
    }

    /// The bytes its digits stand for.
    #[cfg(feature = "otlp")]
    pub(crate) fn bytes(self) -> [u8; 6] {
        let [_, _, bytes @ ..] = self.0.to_be_bytes();
        bytes
    }
}

/// 64 bits from the randomness the standard library keys its hash maps with.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

impl FromStr for Id {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != DIGITS || !digits {
            return Err(Error::BadId);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| Error::BadId)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
