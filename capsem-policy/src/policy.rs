//! The rules, in the order they are tried. Refuses to know the files they come from.

use crate::{Action, Facts, On, PolicyError, Rule, Uninspectable, file, index::Index};

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
/// when = 'http.path.startsWith("/v1/") && http.header["user-agent"].contains("codex")'
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
/// # Conditions
///
/// `when` asks a question on facts in a part of CEL (the Common Expression Language):
///
/// * `&& || !`, `== !=`, `< <= > >=` and `+ - * / %` on whole numbers of 64 bits, `? :` between
///   questions, `in` with a list of texts or numbers or a fact that is a list, brackets;
/// * texts in `"` or `'` with CEL's escapes, or raw as in `r"\d"`; comments from `//`;
/// * `has(f)`, `size(f)`, and of a text `.startsWith(t)`, `.endsWith(t)`, `.contains(t)` and
///   `.matches("pattern")`, a regular expression that may match anywhere in it; of a list
///   `.exists(e, question)` and `.all(e, question)`, which do not nest.
///
/// | fact | is | known of |
/// |---|---|---|
/// | `http.host`, `http.method`, `http.path`, `http.query`, `http.scheme` | text | all |
/// | `http.port` | number | all |
/// | `http.upgrade` | true for a WebSocket | all |
/// | `http.header["name"]` | text: its lines, joined by `, `; of [`HEADERS`](crate::HEADERS) alone | all |
/// | `ws.subprotocols`, `ws.extensions` | lists | upgrades, messages of a WebSocket |
/// | `ws.direction`, `ws.opcode` | `to_upstream` or `to_client`, `text` or `binary` | messages |
/// | `ws.size` | bytes of the message | messages |
/// | `model.provider`, `model.protocol` | text | exchanges with a model |
/// | `model.name` | text | messages that name one |
/// | `model.request.tools`, `.tool_calls`, `.tool_results` | names offered, names called, ids answered | messages to upstream |
/// | `model.request.body` | the message, if it is text | messages to upstream |
/// | `model.response.tool_calls`, `model.response.body` | names called, the message | messages to the client |
/// | `process.name` | text | where it is known |
/// | `conn.messages`, `conn.bytes`, `conn.model_calls`, `conn.tokens` | numbers so far | all |
///
/// What is missing is equal to nothing and different from nothing: a comparison or a function with a
/// missing fact has no answer, nor has its opposite; a sum that overflows or divides by zero has
/// none either. `&&` is false where one side is false, `||` true where one side is true, whatever
/// the other lacks. A rule matches where its condition is true, so guard a `!` with `has`. An empty
/// list is there, but `has` of it is false.
///
/// # Limits
///
/// A file has at most 8 MiB, 16384 rules and 1024 patterns; a condition 4096 bytes, 512 parts and 32
/// levels; a pattern 1024 bytes and 256 KiB when compiled. With them the cost of a decision is
/// bounded. Rules are found by host, path or another text they ask for; a rule that asks for none of
/// them is asked about every event of its kind.
///
/// # Messages
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
    processes: bool,
    http: Index,
    upgrades: Index,
    messages: Index,
    exchanges: Index,
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
        let on = |on: On| move |rule: &Rule| rule.on().contains(&on);
        Self {
            http: Index::new(&rules, on(On::Http)),
            upgrades: Index::new(&rules, on(On::Upgrade)),
            messages: Index::new(&rules, on(On::Message)),
            exchanges: Index::of_exchanges(&rules, on(On::Message)),
            processes: rules.iter().any(Rule::asks_for_process),
            rules,
            default,
            uninspectable,
        }
    }

    /// The rules that may match this event, in the order they are tried.
    pub(crate) fn candidates(&self, facts: &Facts<'_>) -> impl Iterator<Item = &Rule> {
        let index = match facts.on {
            On::Http => &self.http,
            On::Upgrade => &self.upgrades,
            On::Message => &self.messages,
        };
        self.numbered(index.candidates(facts))
    }

    /// The rules that may match a message of the exchange with these facts, in that order.
    pub(crate) fn message_candidates(&self, facts: &Facts<'_>) -> impl Iterator<Item = &Rule> {
        self.numbered(self.exchanges.candidates(facts))
    }

    fn numbered(&self, numbers: Vec<u32>) -> impl Iterator<Item = &Rule> {
        let numbers = numbers.into_iter().filter_map(|number| usize::try_from(number).ok());
        numbers.filter_map(|number| self.rules.get(number))
    }

    /// The rules in the order they are tried.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What happens to a request that no rule matches.
    pub fn default_action(&self) -> Action {
        self.default
    }

    /// Whether a rule asks for the name of the client's process.
    pub fn asks_for_processes(&self) -> bool {
        self.processes
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
