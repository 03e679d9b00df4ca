//! Which messages of an exchange must be held until they are judged. Refuses to know how.

use crate::{Direction, Facts, Policy, rule::Reach};

/// What a policy can have to say on the messages of one exchange, each direction by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageRules {
    /// For messages of the client; `None` lets them flow unheld.
    pub to_upstream: Option<Hold>,
    /// For messages of the server; `None` lets them flow unheld.
    pub to_client: Option<Hold>,
}

impl MessageRules {
    /// Whether no message need be held.
    pub fn is_empty(&self) -> bool {
        self.to_upstream.is_none() && self.to_client.is_none()
    }

    /// What both together ask for: of an exchange that can be read in more than one way.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            to_upstream: Hold::both(self.to_upstream, other.to_upstream),
            to_client: Hold::both(self.to_client, other.to_client),
        }
    }
}

/// How messages are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hold {
    /// How many bytes of a message are held, decompressed: the most that any rule in question asks
    /// for. `None` leaves it to the limits of the caller.
    pub max_bytes: Option<u64>,
    /// What becomes of a message that cannot be judged: over `max_bytes`, in an extension that is
    /// not understood, or not to be inflated.
    pub uninspectable: Uninspectable,
}

impl Hold {
    fn both(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
        let uninspectable = match (a.uninspectable, b.uninspectable) {
            (Uninspectable::Relay, Uninspectable::Relay) => Uninspectable::Relay,
            _ => Uninspectable::Close,
        };
        Some(Self { max_bytes: a.max_bytes.zip(b.max_bytes).map(|(a, b)| a.max(b)), uninspectable })
    }
}

/// What becomes of a message that cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Uninspectable {
    /// The connection is closed.
    Close,
    /// It goes on unjudged, and the record says so.
    Relay,
}

impl Policy {
    /// Which messages of an exchange with these facts are to be held and judged.
    ///
    /// Takes the facts of its request; a message in them is not looked at. To be asked again when
    /// the policy was replaced.
    ///
    /// A rule counts if a message can come for which it matches. One before it that allows every
    /// message of a direction ends the search there: nothing behind it can decide, and it needs to
    /// see nothing itself. What becomes of a message that cannot be judged is what the file's
    /// `on_uninspectable` says; left out, it is to close where a rule in question decides and to
    /// relay where all of them only detect.
    pub fn message_rules_for(&self, facts: &Facts<'_>) -> MessageRules {
        MessageRules {
            to_upstream: self.hold(facts, Direction::ToUpstream),
            to_client: self.hold(facts, Direction::ToClient),
        }
    }

    fn hold(&self, facts: &Facts<'_>, direction: Direction) -> Option<Hold> {
        let mut hold: Option<Hold> = None;
        let mut decided = false;
        for rule in self.message_candidates(facts) {
            let reach = rule.reach(facts, direction);
            // Behind a rule that has decided only detections count.
            let counts = rule.detect().is_some() || (rule.action().is_some() && !decided);
            if reach == Reach::Never || !counts {
                continue;
            }
            let allows = rule.action() == Some(crate::Action::Allow) && rule.detect().is_none();
            if reach == Reach::Always && rule.action().is_some() {
                decided = true;
                if allows {
                    continue;
                }
            }
            let uninspectable = self.uninspectable().unwrap_or(match rule.action() {
                Some(_) => Uninspectable::Close,
                None => Uninspectable::Relay,
            });
            let one = Hold { max_bytes: rule.message.max_bytes, uninspectable };
            hold = Hold::both(hold, Some(one));
        }
        hold
    }
}

#[cfg(test)]
mod tests;
