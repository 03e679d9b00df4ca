//! Which tool calls were made and which results were reported, across the exchanges that share
//! this. Knows ids, names and records; no arguments and no results.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Attribution, Id, ToolCall, ToolResult};

/// Tool calls remembered. A session's history has some hundreds; the oldest is forgotten first, and
/// a result of it then names no call, or is reported again.
const MAX_REMEMBERED: usize = 4096;

/// Matches tool results to the calls they answer, and tells new ones from those sent again.
///
/// Clones share what they know: give one to every exchange of a proxy, and a result is matched
/// across responses, sockets and HTTP requests.
#[derive(Clone, Debug, Default)]
pub struct ToolMemory(Arc<Mutex<Known>>);

/// It keeps hashes under a key of its own, so its size does not depend on the ids.
#[derive(Debug, Default)]
struct Known {
    key: RandomState,
    tools: HashMap<u64, Tool>,
    order: VecDeque<u64>,
}

#[derive(Debug, Default)]
struct Tool {
    /// The call and the tool's name, once a response made it.
    call: Option<(Id, Option<String>)>,
    /// A record has its result.
    answered: bool,
}

impl ToolMemory {
    /// A response, recorded as `call`, called these tools. An id called anew awaits a new result.
    pub(super) fn called(&self, whose: &Attribution, call: Id, tools: &[ToolCall]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for tool in tools {
            if let Some(id) = &tool.call_id {
                let call = Some((call, tool.name.clone()));
                *known.entry(whose, id) = Tool { call, answered: false };
            }
        }
    }

    /// The result of a call was given and not taken: it is still awaited.
    pub(super) fn unanswered(&self, whose: &Attribution, id: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(whose, id).answered = false;
    }

    /// Completes a result by what is known of its call; false if it was reported before.
    pub(super) fn answer(&self, whose: &Attribution, result: &mut ToolResult) -> bool {
        let Some(id) = &result.call_id else { return true };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.entry(whose, id);
        if let Some((call, name)) = &entry.call {
            result.answers = Some(*call);
            result.name.clone_from(name);
        }
        !std::mem::replace(&mut entry.answered, true)
    }
}

impl Known {
    /// Ids are the provider's: the same id of another is another call.
    fn entry(&mut self, whose: &Attribution, id: &str) -> &mut Tool {
        let hash = self.key.hash_one((whose.provider, whose.protocol, id));
        if !self.tools.contains_key(&hash) {
            self.order.push_back(hash);
            if self.order.len() > MAX_REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.tools.remove(&oldest);
            }
        }
        self.tools.entry(hash).or_default()
    }
}
