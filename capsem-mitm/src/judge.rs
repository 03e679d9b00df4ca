//! Judges the messages of one socket: which are to be held, and what is said of each. Refuses to
//! know frames and records.

use crate::{
    ask::{self, Question},
    decide::{Ruling, decide, judge_message, message_rules},
    proxy::Context,
    request::Intent,
    rules::Followed,
    ws::{Refusal, Revoked},
};
use capsem_policy::{self as policy, Action, Decide, Hold, MessageRules};
use capsem_telemetry::{Attribution, Id, evidence::MessageFacts};
use capsem_ws_codec::{Message, Opcode, Role};
use std::sync::Arc;

/// What a socket was allowed for.
pub(crate) struct Standing {
    pub(crate) intent: Intent,
    pub(crate) attribution: Attribution,
    /// The rule that somebody approved it under.
    pub(crate) approved: Option<String>,
}

/// The judge of one socket.
pub(crate) struct Judge {
    pub(crate) cx: Arc<Context>,
    pub(crate) standing: Arc<Standing>,
    followed: Followed,
    policy: Arc<dyn Decide>,
    rules: MessageRules,
}

impl Judge {
    pub(crate) fn new(cx: Arc<Context>, standing: Standing, mut followed: Followed) -> Self {
        let policy = followed.current();
        let rules = message_rules(&*policy, &standing.intent, &standing.attribution);
        Self { cx, standing: Arc::new(standing), followed, policy, rules }
    }

    /// How messages of a side are held, by the rules in force.
    pub(crate) fn hold(&mut self, from: Role) -> Option<Hold> {
        if self.followed.has_changed() {
            self.policy = self.followed.current();
            let Standing { intent, attribution, .. } = &*self.standing;
            self.rules = message_rules(&*self.policy, intent, attribution);
        }
        match from {
            Role::Client => self.rules.to_upstream,
            Role::Server => self.rules.to_client,
        }
    }

    /// What the rules in force say of a message.
    pub(crate) fn ruling(
        &self,
        from: Role,
        message: &Message<'_>,
        facts: &MessageFacts,
        counters: policy::Counters,
    ) -> Ruling {
        let Standing { intent, attribution, .. } = &*self.standing;
        let opcode = match message.opcode {
            Opcode::Text => policy::Opcode::Text,
            _ => policy::Opcode::Binary,
        };
        let size = message.len;
        let shown = Shown { from, opcode: Some(opcode), size, payload: message.payload, facts };
        shown.judge(&*self.policy, intent, attribution, counters)
    }

    /// What is to be asked about a message.
    pub(crate) fn question(
        &self,
        ids: (Id, Id),
        ruling: &Ruling,
        from: Role,
        size: u64,
        facts: &MessageFacts,
    ) -> Question {
        let Standing { intent, attribution, .. } = &*self.standing;
        let provider = attribution.provider.as_str();
        let words = (&ruling.rule, &ruling.reason);
        Question::new(ids, intent, provider, words, Some(asked(from, size, facts)))
    }

    /// Resolves once a policy is in force that would not let the upgrade through.
    pub(crate) fn revoked(&self, mut followed: Followed) -> Revoked {
        let (cx, standing) = (Arc::clone(&self.cx), Arc::clone(&self.standing));
        Box::pin(async move {
            loop {
                followed.changed().await;
                let policy = followed.current();
                let decision = decide(&*policy, &cx.reach, &standing.intent, &standing.attribution);
                let still_approved = decision.action == Action::Ask
                    && standing.approved.is_some()
                    && decision.rule == standing.approved;
                if decision.outcome.is_err() && !still_approved {
                    let reason = decision.reason.unwrap_or_default();
                    return Refusal { word: decision.rule.unwrap_or_default(), reason };
                }
            }
        })
    }
}

/// A message as policy is shown it.
pub(crate) struct Shown<'a> {
    pub(crate) from: Role,
    /// `None` for the body of a request.
    pub(crate) opcode: Option<policy::Opcode>,
    pub(crate) size: u64,
    pub(crate) payload: &'a [u8],
    pub(crate) facts: &'a MessageFacts,
}

impl Shown<'_> {
    pub(crate) fn judge(
        &self,
        policy: &dyn Decide,
        intent: &Intent,
        attribution: &Attribution,
        counters: policy::Counters,
    ) -> Ruling {
        let facts = self.facts;
        let [tools, calls, results] =
            [&facts.tools, &facts.tool_calls, &facts.tool_results].map(|names| texts(names));
        let direction = match self.from {
            Role::Client => policy::Direction::ToUpstream,
            Role::Server => policy::Direction::ToClient,
        };
        let message = policy::Message::new(direction, self.opcode, self.size)
            .tools(&tools)
            .tool_calls(&calls)
            .tool_results(&results)
            .body(std::str::from_utf8(self.payload).ok());
        let models = facts.models().collect();
        judge_message(policy, intent, attribution, counters, message, models)
    }
}

fn texts(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// What is asked about a message.
pub(crate) fn asked(from: Role, size: u64, facts: &MessageFacts) -> ask::MessageFacts {
    ask::MessageFacts {
        direction: match from {
            Role::Client => "to_upstream",
            Role::Server => "to_client",
        },
        model: facts.model.clone(),
        tools: facts.tools.clone(),
        tool_calls: facts.tool_calls.clone(),
        size,
    }
}
