//! The cases by their numbers, and which of them `ci` runs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many cases the suite has.
pub(super) const ALL: usize = 517;

/// The sections, as the suite numbers them.
pub(super) const SECTIONS: [(u8, &str); 11] = [
    (1, "framing"),
    (2, "pings"),
    (3, "reserved bits"),
    (4, "opcodes"),
    (5, "fragmentation"),
    (6, "UTF-8"),
    (7, "closing"),
    (9, "limits"),
    (10, "automatic fragments"),
    (12, "deflate, by payload"),
    (13, "deflate, by parameters"),
];

/// A case by its number, such as 9.1.6.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Case(String);

impl Case {
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    pub(super) fn section(&self) -> u8 {
        self.numbers().0
    }

    /// Everything but the long ones: of the limits those below a mebibyte in large pieces, of
    /// compression a thousand messages of 16 bytes, and of 8 KiB in fragments.
    pub(super) fn is_quick(&self) -> bool {
        match self.numbers() {
            (9, 1 | 2, last) => last <= 2,
            (9, 3 | 4, last) => matches!(last, 5 | 9),
            (9, 5 | 6, last) => last >= 5,
            (9, 7 | 8, last) => last == 5,
            (12 | 13, _, last) => matches!(last, 1 | 11),
            _ => true,
        }
    }

    /// Section, group and number in it; 0 for what is not there.
    fn numbers(&self) -> (u8, u8, u8) {
        let mut numbers = self.0.split('.').map(|number| number.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        (next(), next(), next())
    }
}

impl From<&str> for Case {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests;
