//! What the suite says of a case, and whether it may.
//!
//! Refuses to know how a case was run.

use serde::Serialize;

use super::arrangement::Arrangement;
use super::cases::Case;
use super::known;
use super::suite::{Report, Reported};

/// The suite's word on a case, by the worse of what it says of behaviour and of closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Ok,
    /// The case judges nothing; the RFC leaves its matter open.
    Informational,
    /// Conforming, but not what the suite would rather see.
    NonStrict,
    Unimplemented,
    Failed,
    /// The suite has no result.
    Missing,
}

/// One case in one arrangement, judged.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Judged {
    pub(super) arrangement: Arrangement,
    pub(super) case: Case,
    pub(super) verdict: Verdict,
    pub(super) close_code: Option<u16>,
    pub(super) duration_ms: u64,
    /// Whether it may be so.
    pub(super) passed: bool,
    /// Why a case is not strict, or what is wrong.
    pub(super) reason: Option<String>,
}

/// Judges every case of an arrangement.
pub(super) fn all(arrangement: Arrangement, cases: &[Case], report: &Report) -> Vec<Judged> {
    let reported = report.get(arrangement.word());
    let found = |case: &Case| reported.and_then(|cases| cases.get(case.name()));
    cases.iter().map(|case| judge(arrangement, case, found(case))).collect()
}

fn judge(arrangement: Arrangement, case: &Case, reported: Option<&Reported>) -> Judged {
    let verdict = reported.map_or(Verdict::Missing, Verdict::of);
    let (passed, reason) = match (verdict, known::find(arrangement, case)) {
        (Verdict::Ok | Verdict::Informational, _) => (true, None),
        (Verdict::NonStrict, Some(reason)) => (true, Some(reason.to_owned())),
        (Verdict::NonStrict, None) => (false, Some("not in the table in known.rs".to_owned())),
        (Verdict::Unimplemented | Verdict::Failed | Verdict::Missing, _) => {
            (false, reported.map(Reported::words))
        }
    };
    Judged {
        arrangement,
        case: case.clone(),
        verdict,
        close_code: reported.and_then(|reported| reported.remote_close_code),
        duration_ms: reported.map_or(0, |reported| reported.duration),
        passed,
        reason,
    }
}

impl Verdict {
    fn of(reported: &Reported) -> Self {
        match (reported.behavior.as_str(), reported.behavior_close.as_str()) {
            ("OK", "OK") => Self::Ok,
            ("INFORMATIONAL", "OK" | "INFORMATIONAL") => Self::Informational,
            ("NON-STRICT", "OK") => Self::NonStrict,
            ("UNIMPLEMENTED", _) => Self::Unimplemented,
            _ => Self::Failed,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Informational => "INFORMATIONAL",
            Self::NonStrict => "NON-STRICT",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Failed => "FAILED",
            Self::Missing => "MISSING",
        }
    }
}

impl Reported {
    fn words(&self) -> String {
        format!("behaviour {}, closing {}, {}", self.behavior, self.behavior_close, self.file)
    }
}

#[cfg(test)]
mod tests;
