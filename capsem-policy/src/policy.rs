//! The rules, in the order they are tried. Refuses to know the files they come from.

use crate::{Action, On, PolicyError, Rule, Uninspectable, file};

/// Rules in the order they are tried, and what happens when none matches.
///
/// The file is TOML:
///
/// ```toml
/// version = 1                    # required
/// default = "block"              # allow | ask | block; left out means block
///
/// [[rule]]
/// id = "openai"                  # required, unique
/// action = "allow"               # required: allow | ask | block
/// priority = 10                  # lower numbers are tried first, then the order of the file
/// on = ["upgrade", "http"]       # what is judged; this is the default
/// hosts = ["api.openai.com", "*.openai.azure.com"]
/// ports = [443]
/// methods = ["GET", "POST"]
/// paths = ["/v1/responses", "/v1/models/**"]
/// providers = ["openai"]
/// processes = ["codex"]          # programs of the client
/// status = 403                   # of the answer to a refused request, 400 to 599
/// reason = "shown to the client and recorded"
///
/// [[rule]]
/// id = "no-large-models"
/// action = "block"
/// on = ["message"]               # judges messages of exchanges that were allowed
/// direction = "to_upstream"      # or to_client; left out means both
/// models = ["gpt-5-pro*"]        # the model named in the message
/// tools = ["shell"]              # a tool offered or called
/// max_bytes = 1048576            # how much of a message may be held for this rule
///
/// [[rule]]
/// id = "watch-models-api"
/// detect = "low"                 # instead of `action`: records each match and decides nothing
/// hosts = ["api.openai.com"]
/// ```
///
/// The first rule that matches decides. A rule matches when every list it gives has an entry that
/// matches; a list left out matches everything. In `hosts`, `*.example.com` stands for every name
/// below `example.com` but not for that name itself, and `*` for every host. In `paths`, `*` stands
/// for any characters of one segment, none among them, and `**` for any number of whole segments,
/// none among them: `/v1/models/**` is `/v1/models` and all below it. Paths are compared as sent,
/// without the query and without decoding. In `models`, `tools` and `processes`, `*` stands for any
/// characters; `models` does not tell upper from lower case.
///
/// `default` is for requests. A message that no rule matches passes with the request it belongs to.
/// `on_uninspectable = "close"` or `"relay"` says what becomes of a message that a rule would have
/// to see and cannot; see [`message_rules_for`](Policy::message_rules_for).
///
/// Reading is strict: whatever this version does not know is an error, as a rule half understood
/// could allow what it was written to refuse.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    default: Action,
    uninspectable: Option<Uninspectable>,
}

impl Policy {
    /// Reads a rule file; `file_name` is the name that errors give.
    ///
    /// ```
    /// let policy = capsem_policy::Policy::parse("version = 1", "policy.toml")?;
    /// assert_eq!(policy.default_action(), capsem_policy::Action::Block);
    /// # Ok::<(), capsem_policy::PolicyError>(())
    /// ```
    pub fn parse(text: &str, file_name: &str) -> Result<Self, PolicyError> {
        file::parse(text, file_name)
    }

    /// A policy without rules that allows everything.
    pub fn allow_all() -> Self {
        Self::new(Vec::new(), Action::Allow, None)
    }

    /// A policy without rules that blocks everything.
    pub fn block_all() -> Self {
        Self::new(Vec::new(), Action::Block, None)
    }

    pub(crate) fn new(
        mut rules: Vec<Rule>,
        default: Action,
        uninspectable: Option<Uninspectable>,
    ) -> Self {
        // Stable: rules of one priority stay in the order of the file.
        rules.sort_by_key(Rule::priority);
        Self { rules, default, uninspectable }
    }

    /// The rules in the order they are tried.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What happens to a request that no rule matches.
    pub fn default_action(&self) -> Action {
        self.default
    }

    /// What becomes of a message that cannot be judged, if the file says it.
    pub fn uninspectable(&self) -> Option<Uninspectable> {
        self.uninspectable
    }

    /// What happens to an event that no rule matches.
    pub(crate) fn default_for(&self, on: On) -> Action {
        match on {
            On::Http | On::Upgrade => self.default,
            On::Message => Action::Allow,
        }
    }
}
