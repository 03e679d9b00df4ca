//! `decide(&Policy, &Facts) -> Verdict`, a pure total function, and the rule file that makes a
//! [`Policy`].
//!
//! ```
//! use capsem_policy::{Action, Facts, On, Policy, decide};
//!
//! let policy = Policy::parse(
//!     r#"
//!     version = 1
//!
//!     [[rule]]
//!     id = "openai-responses"
//!     action = "allow"
//!     hosts = ["api.openai.com"]
//!     paths = ["/v1/responses"]
//!     "#,
//!     "policy.toml",
//! )?;
//! let facts = Facts::new(On::Upgrade, "api.openai.com", 443).path("/v1/responses");
//! let verdict = decide(&policy, &facts);
//! assert_eq!((verdict.action, verdict.rule.as_deref()), (Action::Allow, Some("openai-responses")));
//!
//! // What no rule names meets the default, and the default is to block.
//! let other = decide(&policy, &Facts::new(On::Http, "example.com", 443));
//! assert_eq!((other.action, other.rule, other.status), (Action::Block, None, 403));
//! # Ok::<(), capsem_policy::PolicyError>(())
//! ```
//!
//! Messages of an exchange that was allowed are judged by rules of their own. Who relays them asks
//! once which of them it must hold, holds those, and judges each whole:
//!
//! ```
//! use capsem_policy::{Action, Direction, Facts, Message, On, Opcode, Policy, Uninspectable, decide};
//!
//! let policy = Policy::parse(
//!     r#"
//!     version = 1
//!     default = "allow"
//!
//!     [[rule]]
//!     id = "no-large-models"
//!     action = "block"
//!     on = ["message"]
//!     direction = "to_upstream"
//!     models = ["gpt-5-pro*"]
//!     max_bytes = 1048576
//!     reason = "ask for a budget first"
//!     "#,
//!     "policy.toml",
//! )?;
//! let socket = Facts::new(On::Upgrade, "api.openai.com", 443).path("/v1/responses");
//!
//! // The server's messages flow; the client's are held, up to 1 MiB, and closed on if larger.
//! let rules = policy.message_rules_for(&socket);
//! assert_eq!(rules.to_client, None);
//! let hold = rules.to_upstream.expect("the rule can match here");
//! assert_eq!((hold.max_bytes, hold.uninspectable), (Some(1_048_576), Uninspectable::Close));
//!
//! let message = Message::new(Direction::ToUpstream, Some(Opcode::Text), 900);
//! let verdict = decide(&policy, &socket.message(message.model(Some("gpt-5-pro"))));
//! assert_eq!(verdict.action, Action::Block);
//! assert_eq!(verdict.reason.as_deref(), Some("ask for a budget first"));
//! // What no message rule speaks of passes, whatever `default` says of requests.
//! let verdict = decide(&policy, &socket.message(message.model(Some("gpt-5-mini"))));
//! assert_eq!((verdict.action, verdict.rule), (Action::Allow, None));
//! # Ok::<(), capsem_policy::PolicyError>(())
//! ```
//!
//! * [`Policy`]: the rule file, read once into rules in the order they are tried.
//! * [`Facts`], [`Message`]: what is known of one event when it is judged.
//! * [`decide`], [`Verdict`], [`Action`], [`Detection`]: the judgement.
//! * [`MessageRules`]: which messages of an exchange are held.
//! * [`Decide`]: whoever judges, for a host with an engine of its own.
//! * [`PolicyError`]: what is wrong with a rule file, with its line and column.
//! * [`capsem`]: Capsem's own rule tables, loaded unchanged.
//! * [`document`]: the TOML reader beneath, for programs that want errors of the same form.
//!
//! The crate refuses to know I/O, clocks, tasks and frames: text and values in, values out.

pub mod capsem;
pub mod document;

mod condition;
mod decide;
mod error;
mod facts;
mod field;
mod file;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod glob;
mod host;
mod index;
mod messages;
mod path;
mod policy;
mod rule;
mod verdict;

pub use self::{
    condition::ConditionFault,
    decide::{Decide, Failure, decide},
    error::{PolicyError, Problem},
    facts::{Counters, Direction, Facts, Message, On, Opcode},
    field::{HEADERS, Value},
    messages::{Hold, MessageRules, Uninspectable},
    policy::Policy,
    rule::{Rule, Transform},
    verdict::{Action, Detection, Level, Verdict},
};
