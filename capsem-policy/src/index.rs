//! Which rules can match, found without asking each. Refuses to know what else they ask.
//!
//! A rule stands under the keys of one of its lists or of its condition: those that the fewest
//! rules share. What an index leaves out cannot match; what it names may, and must be asked.

use crate::{
    Facts, Rule, Value,
    condition::Condition,
    field::{Field, Scope},
    host::HostPattern,
    path::PathPattern,
};
use std::collections::HashMap;

/// Something that must be so for a rule to match.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The host is this one.
    Host(String),
    /// The host ends in this, `.example.com`, and more is before it.
    HostBelow(String),
    /// The path is this one.
    Path(String),
    /// The path is this one, without a slash at its end, or one below it.
    PathBelow(String),
    /// A fact is this text.
    Value(Field, String),
}

impl Key {
    /// That a fact of type text has this value.
    pub(crate) fn of(field: Field, value: &str) -> Self {
        match field {
            Field::HttpHost => Self::Host(value.to_owned()),
            Field::HttpPath => Self::Path(value.to_owned()),
            _ => Self::Value(field, value.to_owned()),
        }
    }

    /// That the path starts with this text; `None` where that says nothing of a whole segment.
    pub(crate) fn path_below(start: &str) -> Option<Self> {
        let (whole, _) = start.rsplit_once('/')?;
        (whole.len() > 1 && whole.starts_with('/')).then(|| Self::PathBelow(whole.to_owned()))
    }

    fn scope(&self) -> Scope {
        match self {
            Self::Host(_) | Self::HostBelow(_) | Self::Path(_) | Self::PathBelow(_) => {
                Scope::Exchange
            }
            Self::Value(field, _) => field.scope(),
        }
    }
}

/// Rules by their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Labels from the last to the first.
    hosts: Tree,
    /// Segments from the first to the last.
    paths: Tree,
    values: HashMap<Field, HashMap<String, Vec<u32>>>,
    /// Rules without a key.
    others: Vec<u32>,
}

impl Index {
    /// Indexes those of the rules that are wanted.
    pub(crate) fn new(rules: &[Rule], wanted: impl Fn(&Rule) -> bool) -> Self {
        Self::with_keys(rules, wanted, |_| true)
    }

    /// Indexes them under keys that are the same for each message of an exchange.
    pub(crate) fn of_exchanges(rules: &[Rule], wanted: impl Fn(&Rule) -> bool) -> Self {
        Self::with_keys(rules, wanted, |key| key.scope() == Scope::Exchange)
    }

    fn with_keys(
        rules: &[Rule],
        wanted: impl Fn(&Rule) -> bool,
        usable: impl Fn(&Key) -> bool,
    ) -> Self {
        let numbered = (0_u32..).zip(rules).filter(|(_, rule)| wanted(rule));
        let sets: Vec<(u32, Vec<Vec<Key>>)> = numbered
            .map(|(number, rule)| {
                let mut sets = rule.keys();
                sets.retain(|set| set.iter().all(&usable));
                (number, sets)
            })
            .collect();
        let mut shared: HashMap<&Key, usize> = HashMap::new();
        for key in sets.iter().flat_map(|(_, sets)| sets.iter().flatten()) {
            *shared.entry(key).or_default() += 1;
        }
        let mut index = Self::default();
        for (number, sets) in &sets {
            let cost = |set: &&Vec<Key>| -> usize {
                set.iter().map(|key| shared.get(key).copied().unwrap_or_default()).sum()
            };
            match sets.iter().min_by_key(cost) {
                Some(set) => set.iter().for_each(|key| index.insert(key, *number)),
                None => index.others.push(*number),
            }
        }
        index
    }

    fn insert(&mut self, key: &Key, rule: u32) {
        match key {
            Key::Host(host) => self.hosts.insert(host.rsplit('.'), Place::Here, rule),
            Key::HostBelow(end) => {
                let name = end.strip_prefix('.').unwrap_or(end);
                self.hosts.insert(name.rsplit('.'), Place::Below, rule);
            }
            Key::Path(path) => self.paths.insert(path.split('/'), Place::Here, rule),
            Key::PathBelow(path) => {
                self.paths.insert(path.split('/'), Place::Here, rule);
                self.paths.insert(path.split('/'), Place::Below, rule);
            }
            Key::Value(field, value) => {
                let rules = self.values.entry(*field).or_default().entry(value.clone());
                rules.or_default().push(rule);
            }
        }
    }

    /// The rules that may match, in their order.
    pub(crate) fn candidates(&self, facts: &Facts<'_>) -> Vec<u32> {
        let mut found = self.others.clone();
        self.hosts.collect(facts.host.rsplit('.'), &mut found);
        self.paths.collect(facts.path.split('/'), &mut found);
        for (field, values) in &self.values {
            if let Some(Value::Text(text)) = field.of(facts) {
                found.extend(values.get(&*text).into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Where, as seen from a node, a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the node alone.
    Here,
    /// Anywhere under it.
    Below,
}

/// Rules by runs of words that begin alike.
#[derive(Clone, Debug, Default)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    children: HashMap<String, usize>,
    here: Vec<u32>,
    below: Vec<u32>,
}

impl Tree {
    fn insert<'k>(&mut self, words: impl Iterator<Item = &'k str>, place: Place, rule: u32) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0;
        for word in words {
            let fresh = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return };
            at = *node.children.entry(word.to_owned()).or_insert(fresh);
            if at == fresh {
                self.nodes.push(Node::default());
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            match place {
                Place::Here => node.here.push(rule),
                Place::Below => node.below.push(rule),
            }
        }
    }

    fn collect<'k>(&self, words: impl Iterator<Item = &'k str>, found: &mut Vec<u32>) {
        let Some(mut node) = self.nodes.first() else { return };
        for word in words {
            found.extend(&node.below);
            let child = node.children.get(word).and_then(|at| self.nodes.get(*at));
            let Some(child) = child else { return };
            node = child;
        }
        found.extend(&node.here);
    }
}

impl Rule {
    /// Sets of keys; the rule can match only if of each set at least one key fits the facts.
    fn keys(&self) -> Vec<Vec<Key>> {
        let mut sets = self.when.as_ref().map(Condition::keys).unwrap_or_default();
        let request = &self.request;
        sets.extend(request.hosts.as_ref().and_then(|hosts| hosts.iter().map(host_key).collect()));
        sets.extend(
            request.paths.as_ref().and_then(|paths| paths.iter().map(PathPattern::key).collect()),
        );
        sets
    }
}

fn host_key(pattern: &HostPattern) -> Option<Key> {
    match pattern {
        HostPattern::Any => None,
        HostPattern::Exact(host) => Some(Key::Host(host.clone())),
        HostPattern::Below(end) => Some(Key::HostBelow(end.clone())),
    }
}

#[cfg(test)]
mod tests;
