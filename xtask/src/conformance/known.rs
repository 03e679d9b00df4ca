//! Which cases may be not strict, and why. One that is not strict and not here fails the run.

use super::arrangement::Arrangement;
use super::cases::Case;

/// Cases that may be not strict in some arrangements, for one reason. Each is a race: in most runs
/// they are strict.
struct Known {
    arrangements: &'static [Arrangement],
    cases: &'static [&'static str],
    reason: &'static str,
}

const KNOWN: [Known; 1] = [Known {
    arrangements: &[Arrangement::ProxyServer, Arrangement::ProxyClient],
    cases: &["3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"],
    reason: "a message and a violation come in one breath, and the answer to the message took longer \
             than the proxy lets the violator wait for it (RFC 6455 section 7.1.7)",
}];

/// Why a case may be not strict, if it may.
pub(super) fn find(arrangement: Arrangement, case: &Case) -> Option<&'static str> {
    let applies = |known: &&Known| {
        known.arrangements.contains(&arrangement) && known.cases.contains(&case.name())
    };
    KNOWN.iter().find(applies).map(|known| known.reason)
}
