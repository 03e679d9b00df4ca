//! The ledger laid beside the endpoint's own log: heads, model calls and sockets must be equal.
//!
//! Both sides are brought into one shape and compared as sorted lists, so that one missing, one
//! too many and one different number all show.

use std::fmt;

use anyhow::{Context, Result, ensure};

use crate::endpoint::{self, Entry, Flow, Usage};
use crate::ledger::Ledger;

/// What was found equal.
#[derive(Default)]
pub(super) struct Compared {
    heads: usize,
    calls: usize,
    warmups: usize,
    input_tokens: u64,
    output_tokens: u64,
    tool_calls: usize,
    tool_results: usize,
    sockets: usize,
    messages: u64,
    records: usize,
}

/// Fails on the first difference.
pub(super) fn compare(ledger: &Ledger, log: &[Entry]) -> Result<Compared> {
    ledger.check_whole()?;
    ledger.check_faultless()?;
    let mut compared = Compared { records: ledger.records.len(), ..Compared::default() };
    compared.heads = equal("response head", heads_recorded(ledger)?, &heads_sent(log))?.len();
    let calls = equal("model call", calls_recorded(ledger)?, &calls_sent(log))?;
    compared.calls = calls.len();
    for call in &calls {
        compared.warmups += usize::from(call.warmup);
        compared.input_tokens += call.usage.input_tokens.unwrap_or_default();
        compared.output_tokens += call.usage.output_tokens.unwrap_or_default();
        compared.tool_calls += call.tool_calls.len();
        compared.tool_results += call.tool_results.len();
    }
    let sockets = equal("socket", sockets_recorded(ledger)?, &sockets_sent(log))?;
    compared.sockets = sockets.len();
    compared.messages = sockets.iter().map(|(_, up, down)| up.messages + down.messages).sum();
    Ok(compared)
}

/// `ours` and `theirs` as sorted lists are the same; returns them.
fn equal<T: PartialEq + fmt::Debug>(what: &str, recorded: Vec<T>, sent: &[T]) -> Result<Vec<T>> {
    for (recorded, sent) in recorded.iter().zip(sent) {
        ensure!(recorded == sent, "a {what} differs: ledger {recorded:?}, endpoint {sent:?}");
    }
    let extra = recorded.iter().skip(sent.len()).chain(sent.iter().skip(recorded.len())).next();
    ensure!(
        extra.is_none(),
        "{} {what}s in the ledger, {} at the endpoint: {extra:?}",
        recorded.len(),
        sent.len()
    );
    Ok(recorded)
}

type Head = (String, String, String, bool, u16);

/// Of what the endpoint answered; what the proxy refused never got there.
fn heads_recorded(ledger: &Ledger) -> Result<Vec<Head>> {
    let mut heads = Vec::new();
    for decided in ledger.decided() {
        let (status, by) =
            ledger.responded(&decided.exchange).context("an exchange without a response head")?;
        if by == "upstream" {
            ensure!(decided.decision == "allowed", "relayed what was {}", decided.decision);
            let upgrade = decided.transport == "websocket";
            heads.push((
                decided.host.clone(),
                decided.method.clone(),
                decided.path.clone(),
                upgrade,
                status,
            ));
        }
    }
    heads.sort();
    Ok(heads)
}

fn heads_sent(log: &[Entry]) -> Vec<Head> {
    let mut heads: Vec<Head> = log
        .iter()
        .filter_map(|entry| match entry {
            Entry::Answered { host, method, path, upgrade, status, .. } => {
                let host = host.strip_suffix(":443").unwrap_or(host);
                Some((host.to_owned(), method.clone(), path.clone(), *upgrade, *status))
            }
            _ => None,
        })
        .collect();
    heads.sort();
    heads
}

#[derive(Debug, PartialEq)]
struct Call {
    /// None where the API names no response.
    id: Option<String>,
    previous: Option<String>,
    provider: String,
    transport: String,
    model_requested: String,
    /// None likewise.
    model: Option<String>,
    warmup: bool,
    status: String,
    usage: Usage,
    tool_calls: Vec<(String, String)>,
    tool_results: Vec<String>,
}

fn calls_recorded(ledger: &Ledger) -> Result<Vec<Call>> {
    let mut calls = Vec::new();
    for call in ledger.calls() {
        let evidence = &call.evidence;
        ensure!(evidence.state == "full", "evidence is {} ({:?})", evidence.state, evidence.reason);
        calls.push(Call {
            id: call.response_id.clone(),
            previous: call.previous_response_id.clone(),
            provider: call.provider.clone(),
            transport: call.transport.clone(),
            model_requested: call
                .model_requested
                .clone()
                .context("a model call without the model asked for")?,
            model: call.model.clone(),
            warmup: call.warmup,
            status: call.status.clone(),
            usage: call.usage.clone().context("a model call without usage")?,
            tool_calls: call
                .tool_calls
                .iter()
                .map(|tool| {
                    (
                        tool.call_id.clone().unwrap_or_default(),
                        tool.name.clone().unwrap_or_default(),
                    )
                })
                .collect(),
            tool_results: call
                .tool_results
                .iter()
                .filter_map(|result| result.call_id.clone())
                .collect(),
        });
    }
    calls.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(calls)
}

fn calls_sent(log: &[Entry]) -> Vec<Call> {
    let mut calls: Vec<Call> = responses(log).map(call_sent).collect();
    calls.sort_by(|a, b| a.id.cmp(&b.id));
    calls
}

fn call_sent(sent: &endpoint::Response) -> Call {
    let named = !sent.id.is_empty();
    Call {
        id: named.then(|| sent.id.clone()),
        previous: sent.previous.clone(),
        provider: sent.provider.word().into(),
        transport: sent.transport.word().into(),
        model_requested: sent.model.clone(),
        model: named.then(|| sent.model.clone()),
        warmup: sent.warmup,
        status: "completed".into(),
        usage: sent.usage.clone(),
        tool_calls: sent
            .tool_calls
            .iter()
            .map(|tool| (tool.call_id.clone(), tool.name.clone()))
            .collect(),
        tool_results: sent.tool_results.iter().map(|result| result.call_id.clone()).collect(),
    }
}

/// The responses of a log.
pub(super) fn responses(log: &[Entry]) -> impl Iterator<Item = &endpoint::Response> {
    log.iter().filter_map(|entry| match entry {
        Entry::Response(response) => Some(response),
        _ => None,
    })
}

type Counted = (String, Flow, Flow);

fn sockets_recorded(ledger: &Ledger) -> Result<Vec<Counted>> {
    let mut sockets = Vec::new();
    for decided in ledger.decided().filter(|decided| decided.transport == "websocket") {
        if ledger.responded(&decided.exchange).is_some_and(|(status, _)| status == 101) {
            let ended = ledger.ended(&decided.exchange).context("a socket that never ended")?;
            sockets.push((decided.path.clone(), ended.to_upstream, ended.to_client));
        }
    }
    Ok(sockets)
}

fn sockets_sent(log: &[Entry]) -> Vec<Counted> {
    log.iter()
        .filter_map(|entry| match entry {
            Entry::Socket { path, received, sent, .. } => Some((path.clone(), *received, *sent)),
            _ => None,
        })
        .collect()
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", count(self.records, "record"), count(self.heads, "head"))?;
        if self.calls > 0 {
            let (calls, warmups) = (count(self.calls, "call"), count(self.warmups, "warm-up"));
            write!(f, ", {calls} ({warmups})")?;
            write!(f, ", {} tokens in, {} out", self.input_tokens, self.output_tokens)?;
        }
        if self.tool_calls > 0 {
            let results = count(self.tool_results, "result");
            write!(f, ", {} ({results})", count(self.tool_calls, "tool call"))?;
        }
        if self.sockets > 0 {
            write!(f, ", {} ({} messages)", count(self.sockets, "socket"), self.messages)?;
        }
        Ok(())
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
