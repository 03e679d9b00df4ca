//! Which cases are not strict, and why. A case that is not strict and not here fails the run.

use super::arrangement::Arrangement;
use super::cases::Case;

/// Cases that are not strict in some arrangements, for one reason.
pub(super) struct Known {
    arrangements: &'static [Arrangement],
    cases: &'static [&'static str],
    pub(super) when: When,
    pub(super) reason: &'static str,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// In every run: once it is strict the line must go.
    Always,
    /// It is a race, and strict in some runs.
    Sometimes,
}

const KNOWN: [Known; 1] = [Known {
    arrangements: &[Arrangement::ProxyServer, Arrangement::ProxyClient],
    cases: &["3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"],
    when: When::Sometimes,
    reason: "a message and a violation come in one breath; the proxy ends the session at once, \
             and the answer to the message is still on its way (RFC 6455 section 7.1.7)",
}];

/// The line for a case, if there is one.
pub(super) fn find(arrangement: Arrangement, case: &Case) -> Option<&'static Known> {
    KNOWN.iter().find(|known| {
        known.arrangements.contains(&arrangement) && known.cases.contains(&case.name())
    })
}
