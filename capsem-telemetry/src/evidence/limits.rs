//! What services say of rate limits in one exchange, and which of it is new. Knows no spelling: of
//! headers they are in `limits/headers.rs`, of errors in `limits/errors.rs`, of events with their
//! protocols.

use crate::{
    Amount, Evidence, EvidenceReason, Id, LimitSource, Provider, RateLimit, RateLimits, Timestamp,
    redact,
};

use super::json::{self, Raw};

mod errors;
mod headers;

/// Limits kept of what is said at once. Services name about a dozen.
const MAX_LIMITS: usize = 32;

/// Names remembered in an exchange, to tell what is new.
const MAX_KNOWN: usize = 64;

/// Records of one exchange. A socket of an hour may hear of its limits with each response.
const MAX_RECORDS: usize = 1024;

/// Longest name, plan or status kept.
const MAX_WORD: usize = 64;

/// The limits an exchange has heard of.
#[derive(Debug)]
pub(super) struct Limits {
    exchange: Id,
    provider: Provider,
    /// The answer's status is one that says to come back later.
    refused: bool,
    plan: Option<String>,
    known: Vec<RateLimit>,
    heard: Vec<RateLimits>,
    records: usize,
    missing: Option<EvidenceReason>,
}

impl Limits {
    pub(super) fn new(exchange: Id, provider: Provider) -> Self {
        Self {
            exchange,
            provider,
            refused: false,
            plan: None,
            known: Vec::new(),
            heard: Vec::new(),
            records: 0,
            missing: None,
        }
    }

    /// Takes the status of a response, before its headers: `retry-after` is of a limit only where
    /// too much was asked for.
    pub(super) fn answered(&mut self, status: u16) {
        self.refused = matches!(status, 429 | 503 | 529);
    }

    /// Reads the headers of a response.
    pub(super) fn headers<'h>(&mut self, headers: impl IntoIterator<Item = (&'h str, &'h str)>) {
        let mut said = Said::default();
        for (name, value) in headers {
            if self.refused || !headers::is_retry(name) {
                said.header(name, value);
            }
        }
        self.hear(LimitSource::Headers, said);
    }

    /// Reads the error object of a refusal.
    pub(super) fn refusal(&mut self, error: Raw<'_>) {
        let mut said = Said::default();
        said.error(error);
        self.hear(LimitSource::Event, said);
    }

    /// Takes what an event said; a record comes of it if any of it is new.
    pub(super) fn hear(&mut self, source: LimitSource, said: Said) {
        let Said { plan, mut limits, mut cut } = said;
        // A word that is no number says nothing.
        limits.retain(|limit| *limit != RateLimit::new(limit.name.clone()));
        if limits.is_empty() && !cut {
            return;
        }
        let mut new = plan.is_some() && plan != self.plan;
        if new {
            self.plan.clone_from(&plan);
        }
        for limit in &limits {
            let room = self.known.len() < MAX_KNOWN;
            match self.known.iter_mut().find(|known| known.name == limit.name) {
                Some(known) if same(known, limit) => {}
                Some(known) => {
                    known.clone_from(limit);
                    new = true;
                }
                None if room => {
                    self.known.push(limit.clone());
                    new = true;
                }
                None => cut = true,
            }
        }
        if cut || (new && self.records >= MAX_RECORDS) {
            self.missing = Some(EvidenceReason::CaptureLimit);
        }
        if new && self.records < MAX_RECORDS {
            self.records += 1;
            let (exchange, provider) = (self.exchange, self.provider);
            let evidence =
                if cut { Evidence::partial(EvidenceReason::CaptureLimit) } else { Evidence::FULL };
            self.heard.push(RateLimits { exchange, provider, source, plan, limits, evidence });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heard.is_empty()
    }

    /// What is new since this was last asked.
    pub(super) fn take(&mut self) -> Vec<RateLimits> {
        std::mem::take(&mut self.heard)
    }

    /// Why not all that was said is in a record.
    pub(super) fn missing(&self) -> Option<EvidenceReason> {
        self.missing
    }
}

/// Whether two words of one limit say the same. A span to the next reset shrinks all the time, and
/// says nothing new; alone it stands in a refusal, which is new each time.
fn same(known: &RateLimit, said: &RateLimit) -> bool {
    let nothing = RateLimit::new(said.name.clone());
    if *said == (RateLimit { resets_in_ms: said.resets_in_ms, ..nothing }) {
        return false;
    }
    let RateLimit { name, limit, remaining, used_percent, .. } = said;
    let RateLimit { window_minutes, resets_at, resets_in_ms: _, status, .. } = said;
    (&known.name, known.limit, known.remaining, known.used_percent)
        == (name, *limit, *remaining, *used_percent)
        && (known.window_minutes, known.resets_at, &known.status)
            == (*window_minutes, *resets_at, status)
}

/// What is said at once, as it is put together.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) plan: Option<String>,
    limits: Vec<RateLimit>,
    /// There was more of it than is kept.
    cut: bool,
}

impl Said {
    /// The limit of a name, which is put in lower case and with dashes; `None` if there are too many.
    pub(super) fn limit(&mut self, name: &str) -> Option<&mut RateLimit> {
        let name = word(name).to_ascii_lowercase().replace('_', "-");
        if let Some(place) = self.limits.iter().position(|limit| limit.name == name) {
            return self.limits.get_mut(place);
        }
        if self.limits.len() >= MAX_LIMITS {
            self.cut = true;
            return None;
        }
        self.limits.push(RateLimit::new(name));
        self.limits.last_mut()
    }

    /// Reads headers that stand within an event: strings, numbers, or arrays of them.
    pub(super) fn json_headers(&mut self, headers: Raw<'_>) {
        headers.members(|name, value| {
            let mut first = None;
            value.elements(|element| {
                first.get_or_insert(element);
            });
            let value = first.unwrap_or(value);
            match value.str() {
                Some(text) => self.header(name, &text),
                None => self.header(name, value.json()),
            }
        });
    }
}

/// The start of a service's word, which may repeat a credential.
pub(super) fn word(text: &str) -> String {
    let start = text.get(..text.floor_char_boundary(MAX_WORD)).unwrap_or_default();
    redact::text(start).into_owned()
}

/// An amount as text, or as JSON's number or string.
pub(super) fn amount(text: &str) -> Option<Amount> {
    Amount::new(text.trim().trim_matches('"').parse().ok()?)
}

/// Milliseconds of so many seconds.
pub(super) fn seconds(text: &str) -> Option<u64> {
    Amount::new(amount(text)?.get() * 1000.0).map(Amount::whole)
}

/// Milliseconds of a span such as `6m0s`, `1h2m3.5s` or `17ms`.
pub(super) fn span(text: &str) -> Option<u64> {
    let (mut rest, mut millis) = (text.trim(), 0.0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = match unit {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        millis += number.parse::<f64>().ok()? * unit;
        rest = after;
    }
    Amount::new(millis).map(Amount::whole)
}

/// A moment: RFC 3339, or seconds or milliseconds since 1970.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    /// In seconds it is past the year 5000, in milliseconds before 1974.
    const MILLIS: f64 = 1e11;
    match amount(text) {
        Some(millis) if millis.get() >= MILLIS => Timestamp::from_unix_millis(millis.whole()),
        Some(_) => seconds(text).and_then(Timestamp::from_unix_millis),
        None => json::bounded(text.trim()).parse().ok(),
    }
}

#[cfg(test)]
mod tests;
