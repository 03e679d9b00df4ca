//! The rows: which client does what, and what must come of it beside an equal ledger.
//!
//! Refuses to know how a row is run.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compare::responses;
use super::run::Outcome;
use crate::endpoint::{Entry, Response, Transport, Trouble};
use crate::process::last_line;

/// How the client gets to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// It is told of the proxy (`HTTPS_PROXY`; Codex by `capsem-mitm run`).
    Explicit,
    /// It knows nothing: its names lead to the proxy.
    Transparent,
    /// There is no proxy.
    Direct,
}

/// Who acts in a row.
#[derive(Clone, Copy)]
pub(super) enum Client {
    Doctor,
    Exec {
        model: &'static str,
        prompt: &'static str,
    },
    /// A script of `xtask/clients`.
    Script(&'static str),
}

/// What is played: who acts, under which policy, against which endpoint.
pub(super) struct Scene<'a> {
    pub(super) client: Client,
    pub(super) policy: &'a str,
    pub(super) trouble: Option<Trouble>,
    /// When the client is ended, as `timeout` does it; None leaves that to the run's own limit.
    pub(super) limit: Option<Duration>,
}

/// One row.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) client: Client,
    pub(super) policy: &'static str,
    /// Says what was seen; the ledger was compared before.
    pub(super) check: fn(&Outcome) -> Result<String>,
}

/// Everything the clients need, and nothing else.
const ALLOW: &str = include_str!("allow.toml");

/// The same, but no model response may be asked for.
const BLOCK: &str = include_str!("block.toml");

/// Sockets are declined, HTTP is not.
const DECLINE: &str = include_str!("decline.toml");

/// The reason in `block.toml`, which Codex is expected to show to its user.
const BLOCK_REASON: &str = "model calls are switched off in this sandbox";

/// The file the tool turns make, and what it holds.
const MADE: (&str, &str) = ("made-by-the-tool.txt", "written by a tool that really ran");

/// Asks the endpoint for a tool call that makes [`MADE`] and prints it.
const TOOL: &str = "Please run: printf 'written by a tool that %s ran' really > made-by-the-tool.txt; cat made-by-the-tool.txt";

/// Every row, in the order they run.
pub(super) const ALL: &[Row] = &[
    Row { name: "codex doctor", client: Client::Doctor, policy: ALLOW, check: doctor },
    Row {
        name: "codex exec, plain turn",
        client: Client::Exec { model: "gpt-6.1-sol", prompt: "Say something short." },
        policy: ALLOW,
        check: plain_turn,
    },
    Row {
        name: "codex exec, tool turn (function)",
        client: Client::Exec { model: "gpt-5.5", prompt: TOOL },
        policy: ALLOW,
        check: tool_turn,
    },
    Row {
        name: "codex exec, tool turn (code mode)",
        client: Client::Exec { model: "gpt-6.1-sol", prompt: TOOL },
        policy: ALLOW,
        check: tool_turn,
    },
    Row {
        name: "codex exec, blocked by a rule",
        client: Client::Exec { model: "gpt-6.1-sol", prompt: "Say something short." },
        policy: BLOCK,
        check: blocked,
    },
    Row {
        name: "codex exec, sockets declined (426)",
        client: Client::Exec { model: "gpt-6.1-sol", prompt: "Say something short." },
        policy: DECLINE,
        check: declined,
    },
    Row {
        name: "openai-python, websocket",
        client: Client::Script("openai_ws.py"),
        policy: ALLOW,
        check: same_calls,
    },
    Row {
        name: "openai-python, realtime",
        client: Client::Script("openai_realtime.py"),
        policy: ALLOW,
        check: same_calls,
    },
    Row {
        name: "openai-python, sse",
        client: Client::Script("openai_sse.py"),
        policy: ALLOW,
        check: same_calls,
    },
    Row {
        name: "openai-node, websocket",
        client: Client::Script("openai_ws.mjs"),
        policy: ALLOW,
        check: node_socket,
    },
    Row {
        name: "openai-node, sse",
        client: Client::Script("openai_sse.mjs"),
        policy: ALLOW,
        check: same_calls,
    },
    Row {
        name: "python websockets, echo",
        client: Client::Script("echo.py"),
        policy: ALLOW,
        check: echo,
    },
    Row {
        name: "anthropic-python, sse",
        client: Client::Script("anthropic_sse.py"),
        policy: ALLOW,
        check: same_calls,
    },
    Row {
        name: "google-genai-python, sse",
        client: Client::Script("google_sse.py"),
        policy: ALLOW,
        check: same_calls,
    },
    Row {
        name: "google-genai-python, live",
        client: Client::Script("google_live.py"),
        policy: ALLOW,
        check: same_calls,
    },
];

fn doctor(outcome: &Outcome) -> Result<String> {
    let report: Value =
        serde_json::from_str(&outcome.client.stdout).context("codex doctor printed no JSON")?;
    let check = find(&report, "network.websocket_reachability")
        .context("codex doctor has no websocket check")?;
    ensure!(check["status"] == "ok", "codex doctor: {check}");
    Ok("network.websocket_reachability ok".into())
}

/// The member of a JSON document that carries `id`, or is named so.
fn find<'a>(value: &'a Value, id: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) if members.get("id").is_some_and(|found| found == id) => Some(value),
        Value::Object(members) => {
            members.get(id).or_else(|| members.values().find_map(|member| find(member, id)))
        }
        Value::Array(items) => items.iter().find_map(|item| find(item, id)),
        _ => None,
    }
}

fn plain_turn(outcome: &Outcome) -> Result<String> {
    let sent = codex_turn(outcome, 2)?;
    Ok(format!(
        "warm-up and turn on one compressed socket, {} shown",
        sent.last().context("no response")?.id
    ))
}

fn tool_turn(outcome: &Outcome) -> Result<String> {
    let sent = codex_turn(outcome, 3)?;
    let (file, content) = MADE;
    let made = std::fs::read_to_string(outcome.work.join(file)).context("the tool made no file")?;
    ensure!(made == content, "the tool wrote {made:?}");
    let call = sent
        .iter()
        .find_map(|response| response.tool_calls.first())
        .context("no tool call was sent")?;
    let result = sent
        .iter()
        .find_map(|response| response.tool_results.first())
        .context("no tool result came back")?;
    ensure!(
        result.call_id == call.call_id,
        "result for {}, call was {}",
        result.call_id,
        call.call_id
    );
    ensure!(result.output.contains(content), "the tool result was {:?}", result.output);
    Ok(format!("{} ran, its result came back on the same socket", call.name))
}

/// `count` responses on one compressed socket, the last one's words shown to the user.
fn codex_turn(outcome: &Outcome, count: usize) -> Result<Vec<&Response>> {
    let client = &outcome.client;
    ensure!(
        client.status.success(),
        "codex ended with {}: {}",
        client.status,
        last_line(&client.stderr)
    );
    let sent: Vec<&Response> = responses(&outcome.log).collect();
    ensure!(sent.len() == count, "{} responses instead of {count}", sent.len());
    let last = sent[count - 1];
    ensure!(client.stdout.contains(&last.text), "codex did not print {:?}", last.text);
    ensure!(
        sent.iter().all(|response| response.connection == last.connection),
        "more than one connection"
    );
    ensure!(
        sent.iter().all(|response| response.transport == Transport::Websocket),
        "codex fell back to HTTP"
    );
    ensure!(
        sent[0].warmup && sent.iter().filter(|response| response.warmup).count() == 1,
        "not one warm-up"
    );
    let compressed = |entry: &Entry| matches!(entry, Entry::Socket { compressed: true, .. });
    ensure!(
        outcome.log.iter().filter(|entry| compressed(entry)).count() == 1,
        "not one compressed socket"
    );
    Ok(sent)
}

fn blocked(outcome: &Outcome) -> Result<String> {
    let client = &outcome.client;
    ensure!(outcome.log.is_empty(), "the endpoint saw {:?}", outcome.log);
    ensure!(client.status.code() == Some(1), "codex ended with {}", client.status);
    let shown =
        client.stderr.lines().chain(client.stdout.lines()).find(|line| line.contains(BLOCK_REASON));
    let shown = shown
        .with_context(|| format!("codex did not show the reason: {}", last_line(&client.stderr)))?;
    let ledger = outcome.ledger.as_ref().context("no ledger")?;
    let denied = ledger
        .decided()
        .filter(|decided| decided.rule.as_deref() == Some("no-model-calls"))
        .count();
    ensure!(
        denied > 0 && ledger.decided().all(|decided| decided.decision == "denied"),
        "not all was denied"
    );
    Ok(format!("{denied} denied, the endpoint saw no connection, codex shows: {}", shown.trim()))
}

fn declined(outcome: &Outcome) -> Result<String> {
    let client = &outcome.client;
    ensure!(
        client.status.success(),
        "codex ended with {}: {}",
        client.status,
        last_line(&client.stderr)
    );
    let sent: Vec<&Response> = responses(&outcome.log).collect();
    let [only] = sent[..] else { bail!("{} responses instead of 1", sent.len()) };
    ensure!(only.transport == Transport::Sse, "it came by {:?}", only.transport);
    ensure!(client.stdout.contains(&only.text), "codex did not print {:?}", only.text);
    let ledger = outcome.ledger.as_ref().context("no ledger")?;
    let denied =
        ledger.decided().filter(|decided| decided.rule.as_deref() == Some("no-sockets")).count();
    ensure!(denied == 1, "{denied} upgrades denied");
    Ok("1 upgrade declined, then the turn came by POST at once".into())
}

/// What a client script prints.
#[derive(Deserialize)]
struct Printed {
    client: String,
    calls: Vec<PrintedCall>,
}

#[derive(Deserialize)]
struct PrintedCall {
    id: String,
    model: String,
    text: String,
    events: usize,
    input_tokens: u64,
    output_tokens: u64,
    #[serde(default)]
    tool_calls: Vec<String>,
}

fn same_calls(outcome: &Outcome) -> Result<String> {
    let printed: Printed = printed(outcome)?;
    let sent: Vec<&Response> = responses(&outcome.log).collect();
    ensure!(
        printed.calls.len() == sent.len(),
        "{} calls printed, {} sent",
        printed.calls.len(),
        sent.len()
    );
    let mut events = 0;
    for (got, sent) in printed.calls.iter().zip(sent) {
        ensure!(
            got.id == sent.id && got.model == sent.model,
            "got {} of {}, sent {sent:?}",
            got.id,
            got.model
        );
        ensure!(got.text == sent.text, "{}: got {:?}, sent {:?}", got.id, got.text, sent.text);
        let tokens = (Some(got.input_tokens), Some(got.output_tokens));
        ensure!(
            tokens == (sent.usage.input_tokens, sent.usage.output_tokens),
            "{}: got {tokens:?}, sent {:?}",
            got.id,
            sent.usage
        );
        let tools: Vec<&String> = sent.tool_calls.iter().map(|tool| &tool.call_id).collect();
        ensure!(got.tool_calls.iter().eq(tools), "{}: tool calls differ", got.id);
        events += got.events;
    }
    Ok(format!("{}, {events} events", printed.client))
}

/// The Node SDK's socket asks no proxy: told of one, it must get nowhere at all.
fn node_socket(outcome: &Outcome) -> Result<String> {
    if outcome.mode != Mode::Explicit {
        return same_calls(outcome);
    }
    ensure!(!outcome.client.status.success(), "it got somewhere without a proxy");
    ensure!(outcome.log.is_empty(), "the endpoint saw {:?}", outcome.log);
    let error = outcome.client.stderr.lines().find(|line| line.starts_with("socket:"));
    let error = error
        .with_context(|| format!("it failed otherwise: {}", last_line(&outcome.client.stderr)))?;
    Ok(format!(
        "cannot be: its socket reads no HTTPS_PROXY, so nothing came and nothing left ({error})"
    ))
}

#[derive(Deserialize)]
struct Echoed {
    client: String,
    extensions: Vec<String>,
    messages: u64,
    bytes: u64,
}

fn echo(outcome: &Outcome) -> Result<String> {
    let printed: Echoed = printed(outcome)?;
    ensure!(printed.extensions == ["permessage-deflate"], "it agreed on {:?}", printed.extensions);
    let sockets: Vec<_> = outcome
        .log
        .iter()
        .filter_map(|entry| match entry {
            Entry::Socket { received, sent, .. } => Some((received, sent)),
            _ => None,
        })
        .collect();
    let [(received, sent)] = sockets[..] else { bail!("{} sockets", sockets.len()) };
    let want = (printed.messages, printed.bytes);
    ensure!(
        (received.messages, received.message_bytes) == want,
        "sent {want:?}, arrived {received:?}"
    );
    ensure!((sent.messages, sent.message_bytes) == want, "sent {want:?}, echoed {sent:?}");
    Ok(format!("{}, {} messages, {} bytes equal both ways", printed.client, want.0, want.1))
}

fn printed<'a, T: Deserialize<'a>>(outcome: &'a Outcome) -> Result<T> {
    let client = &outcome.client;
    ensure!(
        client.status.success(),
        "the client ended with {}: {}",
        client.status,
        last_line(&client.stderr)
    );
    serde_json::from_str(last_line(&client.stdout)).context("the client printed no JSON")
}

impl Mode {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Transparent => "transparent",
            Self::Direct => "direct",
        }
    }
}

impl Row {
    pub(super) fn scene(&self) -> Scene<'static> {
        Scene { client: self.client, policy: self.policy, trouble: None, limit: None }
    }

    /// A row about a rule has no meaning without a proxy.
    pub(super) fn runs_in(&self, mode: Mode) -> bool {
        mode != Mode::Direct || self.policy == ALLOW
    }
}

impl Client {
    pub(super) fn is_codex(self) -> bool {
        matches!(self, Self::Doctor | Self::Exec { .. })
    }
}
