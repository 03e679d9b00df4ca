//! The time of a record. Knows no time zone but UTC and no unit finer than a microsecond.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::{OffsetDateTime, UtcOffset};

use crate::Error;

/// A moment in UTC, in whole microseconds, written as RFC 3339 with exactly six decimals.
///
/// Two of them sort as text the way they sort as times, so a text column or a line of JSON can be
/// compared without parsing. It comes from the system clock and may step back when that does;
/// order is what `seq` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    micros: i64,
}

/// The last microsecond of the year 9999, beyond which RFC 3339 has no form.
const LATEST: i64 = 253_402_300_799_999_999;

impl Timestamp {
    /// The present moment.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Whole milliseconds since `earlier`; 0 if that is later.
    pub(crate) fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from((self.micros - earlier.micros) / 1000).unwrap_or(0)
    }

    /// So many milliseconds after 1970-01-01T00:00:00Z; `None` beyond the year 9999.
    pub(crate) fn from_unix_millis(millis: u64) -> Option<Self> {
        let micros = i64::try_from(millis).ok()?.checked_mul(1000)?;
        (micros <= LATEST).then_some(Self { micros })
    }

    /// The date of a header, such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
    pub(crate) fn from_http_date(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc2822).ok().and_then(Self::of)
    }

    /// `None` before 1970 and after 9999; what is finer than a microsecond is cut off.
    fn of(at: OffsetDateTime) -> Option<Self> {
        let nanos = at.to_offset(UtcOffset::UTC).unix_timestamp_nanos();
        let micros = i64::try_from(nanos.div_euclid(1000)).ok()?;
        (0..=LATEST).contains(&micros).then_some(Self { micros })
    }

    /// Whole microseconds since 1970-01-01T00:00:00Z.
    pub fn unix_micros(self) -> i64 {
        self.micros
    }
}

impl From<SystemTime> for Timestamp {
    /// A clock set before 1970 or after 9999 is taken as the nearer of the two ends.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { micros: i64::try_from(since.as_micros()).map_or(LATEST, |m| m.min(LATEST)) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.micros) * 1000)
            .map_err(|_| fmt::Error)?;
        let (date, time) = (at.date(), at.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.microsecond()
        )
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Any RFC 3339 time from 1970 to 9999; what is finer than a microsecond is cut off.
    fn from_str(text: &str) -> Result<Self, Error> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok();
        at.and_then(Self::of).ok_or(Error::BadTimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
