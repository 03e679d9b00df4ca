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
//! assert_eq!((verdict.action, verdict.rule), (Action::Allow, Some("openai-responses")));
//!
//! // What no rule names meets the default, and the default is to block.
//! let other = decide(&policy, &Facts::new(On::Http, "example.com", 443));
//! assert_eq!((other.action, other.rule, other.status), (Action::Block, None, 403));
//! # Ok::<(), capsem_policy::PolicyError>(())
//! ```
//!
//! * [`Policy`]: the rule file, read once into rules in the order they are tried.
//! * [`Facts`]: what is known of one request when it is judged.
//! * [`decide`], [`Verdict`], [`Action`]: the judgement.
//! * [`PolicyError`]: what is wrong with a rule file, with its line and column.
//! * [`document`]: the TOML reader beneath, for programs that want errors of the same form.
//!
//! The crate refuses to know I/O, clocks, tasks and frames: text and values in, values out.

pub mod document;

mod decide;
mod error;
mod facts;
mod host;
mod path;
mod policy;
mod rule;
mod verdict;

pub use self::{
    decide::decide,
    error::{PolicyError, Problem},
    facts::{Facts, On},
    policy::Policy,
    rule::Rule,
    verdict::{Action, Verdict},
};
