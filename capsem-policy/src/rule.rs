//! One rule: what it asks of an event and what follows. Refuses to know the text it came from.

use crate::{
    Action, Detection, Direction, Facts, Level, Message, On, condition::Condition, glob::NameGlob,
    host::HostPattern, path::PathPattern,
};
use std::borrow::Cow;

/// One rule of a policy.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) action: Option<Action>,
    pub(crate) detect: Option<Level>,
    pub(crate) transform: Option<Transform>,
    pub(crate) priority: i64,
    pub(crate) request: RequestCondition,
    pub(crate) message: MessageCondition,
    pub(crate) when: Option<Condition>,
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<String>,
}

/// What a rule asks of a request, and of a message's exchange: every list that is given (AND) must
/// hold an entry that matches (OR).
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestCondition {
    pub(crate) on: Vec<On>,
    pub(crate) hosts: Option<Vec<HostPattern>>,
    pub(crate) ports: Option<Vec<u16>>,
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) paths: Option<Vec<PathPattern>>,
    pub(crate) providers: Option<Vec<String>>,
    pub(crate) processes: Option<Vec<NameGlob>>,
}

/// What a rule asks of a message itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageCondition {
    pub(crate) direction: Option<Direction>,
    pub(crate) models: Option<Vec<NameGlob>>,
    pub(crate) tools: Option<Vec<NameGlob>>,
    pub(crate) max_bytes: Option<u64>,
}

impl Rule {
    /// Its id, unique in its policy.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name beside the id, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What it decides; `None` for one that only detects.
    pub fn action(&self) -> Option<Action> {
        self.action
    }

    /// How much a match of it matters, if matches are to be recorded.
    pub fn detect(&self) -> Option<Level> {
        self.detect
    }

    /// How an event that it matches is to be changed. [`decide`](crate::decide) does not change
    /// events: whoever loads such rules asks [`matches`](Self::matches) and does it, or refuses them.
    pub fn transform(&self) -> Option<Transform> {
        self.transform
    }

    /// What kinds of event it is asked about.
    pub fn on(&self) -> &[On] {
        &self.request.on
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

    /// The dotted names of the facts that its condition asks for; a header's is `http.header`.
    pub fn facts(&self) -> impl Iterator<Item = &'static str> {
        let fields = self.when.as_ref().map(Condition::fields).unwrap_or_default();
        fields.iter().map(|(field, _)| field.name())
    }

    pub(crate) fn asks_for_process(&self) -> bool {
        self.request.processes.is_some() || self.facts().any(|fact| fact == "process.name")
    }

    /// Whether it speaks of this event.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.request.on.contains(&facts.on)
            && self.request.matches(facts)
            && self.message.matches(facts.message.as_ref())
            && self.when.as_ref().is_none_or(|when| when.holds(facts))
    }

    /// Whether it may speak of a message of this direction in an exchange with these facts.
    pub(crate) fn reach(&self, facts: &Facts<'_>, direction: Direction) -> Reach {
        let MessageCondition { direction: only, models, tools, max_bytes: _ } = &self.message;
        let here = self.request.on.contains(&On::Message)
            && only.is_none_or(|only| only == direction)
            && self.request.matches(facts);
        if !here {
            return Reach::Never;
        }
        match self.when.as_ref().map_or(Reach::Always, |when| when.reach(facts, direction)) {
            Reach::Always if models.is_some() || tools.is_some() => Reach::Maybe,
            reach => reach,
        }
    }

    pub(crate) fn detection(&self) -> Option<Detection<'_>> {
        let mut detection = Detection::new(self.id(), self.detect?);
        detection.name = self.name().map(Cow::Borrowed);
        detection.reason = self.reason().map(Cow::Borrowed);
        Some(detection)
    }
}

/// When and how a rule of Capsem's changes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transform {
    /// Before the other rules are asked.
    Preprocess,
    /// Before the event goes on; `redact`, `mutate` and `neutralize` are other words for it.
    Rewrite,
    /// After the event was judged.
    Postprocess,
}

/// Of which messages of an exchange a rule speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Never,
    Maybe,
    Always,
}

impl RequestCondition {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        // The cheap and the telling first; paths cost most.
        let Self { on: _, hosts, ports, methods, paths, providers, processes } = self;
        any(ports.as_deref(), |port| *port == facts.port)
            && any(hosts.as_deref(), |host| host.matches(facts.host))
            && any(methods.as_deref(), |method| method == facts.method)
            && any(providers.as_deref(), |provider| provider == facts.provider)
            && any(processes.as_deref(), |process| {
                facts.process.is_some_and(|p| process.matches(p))
            })
            && any(paths.as_deref(), |path| path.matches(facts.path))
    }
}

impl MessageCondition {
    fn matches(&self, message: Option<&Message<'_>>) -> bool {
        let Self { direction, models, tools, max_bytes: _ } = self;
        let Some(message) = message else {
            return direction.is_none() && models.is_none() && tools.is_none();
        };
        let mut names = message.tools.iter().chain(message.tool_calls);
        direction.is_none_or(|direction| direction == message.direction)
            && any(models.as_deref(), |model| message.model.is_some_and(|m| model.matches(m)))
            && tools
                .as_deref()
                .is_none_or(|tools| names.any(|name| tools.iter().any(|tool| tool.matches(name))))
    }
}

/// Whether an entry of the list holds. A list that was left out asks nothing.
fn any<T>(list: Option<&[T]>, holds: impl Fn(&T) -> bool) -> bool {
    list.is_none_or(|entries| entries.iter().any(holds))
}
