//! One rule: what it asks of a request and what follows. Refuses to know the text it came from.

use crate::{Action, Facts, On, host::HostPattern, path::PathPattern};

/// One rule of a policy.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) id: String,
    pub(crate) action: Action,
    pub(crate) priority: i64,
    pub(crate) condition: Condition,
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<String>,
}

/// What a rule asks: every list that is given (AND) must hold an entry that matches (OR).
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) on: Vec<On>,
    pub(crate) hosts: Option<Vec<HostPattern>>,
    pub(crate) ports: Option<Vec<u16>>,
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) paths: Option<Vec<PathPattern>>,
    pub(crate) providers: Option<Vec<String>>,
}

impl Rule {
    /// Its name, unique in its policy.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What follows when it matches.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Where it stands: lower numbers are tried first.
    pub fn priority(&self) -> i64 {
        self.priority
    }

    /// The status of a refusal, if it names one.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// What it tells the client, if anything.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Whether it speaks of this request.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        // The cheap and the telling first; paths cost most.
        let Condition { on, hosts, ports, methods, paths, providers } = &self.condition;
        on.contains(&facts.on)
            && any(ports.as_deref(), |port| *port == facts.port)
            && any(hosts.as_deref(), |host| host.matches(facts.host))
            && any(methods.as_deref(), |method| method == facts.method)
            && any(providers.as_deref(), |provider| provider == facts.provider)
            && any(paths.as_deref(), |path| path.matches(facts.path))
    }
}

/// Whether an entry of the list holds. A list that was left out asks nothing.
fn any<T>(list: Option<&[T]>, holds: impl Fn(&T) -> bool) -> bool {
    list.is_none_or(|entries| entries.iter().any(holds))
}
