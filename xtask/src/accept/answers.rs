//! `accept --answers`: what each real client makes of each way to refuse it, measured through the
//! built program and written to `docs/clients.md`.
//!
//! Policy refuses where it can; what only an upstream does, the endpoint does. Refuses to know what
//! a good answer would be: a reader of the table decides that.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use capsem_ws_codec::CloseCode;
use http::StatusCode;

use super::report::Report;
use super::rows::{Client, Mode, Scene};
use super::run::{Outcome, Stage};
use crate::endpoint::Trouble;
use crate::process::last_line;

/// Longer than any client here takes by itself, Codex's retries included.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// The id of the rule that refuses.
const RULE: &str = "refuse";

/// A client of the table.
struct Subject {
    name: &'static str,
    client: Client,
    transport: Transport,
}

/// What the client asks with first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Socket,
    Http,
}

/// A way to refuse.
enum Answer {
    /// A rule answers upgrades and POSTs alike with this status.
    Status(u16),
    /// A rule answers upgrades with 426 and lets POSTs be.
    Decline,
    /// A rule refuses the message on a socket, and the body of a POST.
    Message,
    /// The endpoint's doing, on sockets alone.
    Upstream(Trouble, &'static str),
}

/// What one client made of one answer.
pub(super) struct Measured {
    /// What its user reads last.
    pub(super) words: String,
    pub(super) took: Duration,
    /// None if it had to be ended.
    pub(super) exit: Option<i32>,
    pub(super) upgrades: usize,
    pub(super) posts: usize,
    pub(super) fallback: Fallback,
}

/// What came of the content when it came again by POST.
pub(super) enum Fallback {
    /// It asked over one transport only.
    None,
    /// Each POST was refused by the rule too.
    Refused,
    /// There was no rule to refuse it.
    Passed,
}

const SUBJECTS: [Subject; 5] = [
    Subject {
        name: "Codex CLI",
        client: Client::Exec { model: "gpt-6.1-sol", prompt: "Say something short." },
        transport: Transport::Socket,
    },
    Subject {
        name: "openai-python, WebSocket",
        client: Client::Script("refused_ws.py"),
        transport: Transport::Socket,
    },
    Subject {
        name: "openai-python, SSE",
        client: Client::Script("refused_sse.py"),
        transport: Transport::Http,
    },
    Subject {
        name: "openai-node, WebSocket",
        client: Client::Script("refused_ws.mjs"),
        transport: Transport::Socket,
    },
    Subject {
        name: "openai-node, SSE",
        client: Client::Script("refused_sse.mjs"),
        transport: Transport::Http,
    },
];

const ANSWERS: [Answer; 14] = [
    Answer::Status(400),
    Answer::Status(403),
    Answer::Status(426),
    Answer::Decline,
    Answer::Status(429),
    Answer::Status(451),
    Answer::Upstream(Trouble::Status(StatusCode::BAD_GATEWAY), "upgrade answered 502"),
    Answer::Upstream(Trouble::ResetUpgrade, "upgrade reset by upstream"),
    Answer::Message,
    Answer::Upstream(Trouble::Error(StatusCode::BAD_REQUEST), "`error` event, status 400"),
    Answer::Upstream(Trouble::Error(StatusCode::FORBIDDEN), "`error` event, status 403"),
    Answer::Upstream(Trouble::Close(CloseCode::POLICY), "Close 1008"),
    Answer::Upstream(Trouble::Close(CloseCode::INTERNAL), "Close 1011"),
    Answer::Upstream(Trouble::ResetSocket, "socket reset by upstream"),
];

/// Measures every client against every answer that can meet it, whose names hold `only`.
///
/// Fails if a rule that refused a socket did not refuse the POSTs after it.
pub(super) async fn measure(stage: &Stage, only: Option<&str>) -> Result<Report> {
    let mut report = Report::new(&stage.clients)?;
    for (number, subject) in (1..).zip(&SUBJECTS) {
        for (step, answer) in (1..).zip(&ANSWERS) {
            let name = answer.name(subject.transport);
            let wanted =
                only.is_none_or(|words| subject.name.contains(words) || name.contains(words));
            if !wanted || !answer.meets(subject.transport) {
                continue;
            }
            let folder = stage.folder.join(format!("answers-{number}-{step}"));
            let policy = answer.policy();
            let scene = Scene {
                client: subject.client,
                policy: &policy,
                trouble: answer.trouble(),
                limit: Some(LIMIT),
            };
            let outcome = stage.play(&scene, Mode::Transparent, &folder).await;
            let measured = outcome.and_then(|outcome| answer.measured(subject, &outcome));
            let measured = measured.with_context(|| format!("{}, {name}", subject.name))?;
            report.add(subject.name, &name, &measured);
        }
    }
    Ok(report)
}

impl Answer {
    fn name(&self, transport: Transport) -> String {
        match (self, transport) {
            (Self::Status(status), Transport::Socket) => format!("upgrade answered {status}"),
            (Self::Status(status), Transport::Http) => format!("POST answered {status}"),
            (Self::Decline, _) => "upgrade answered 426, POSTs allowed".into(),
            (Self::Message, Transport::Socket) => {
                "message refused (`response.failed`, `invalid_prompt`)".into()
            }
            (Self::Message, Transport::Http) => "body refused by a message rule".into(),
            (Self::Upstream(_, name), _) => (*name).into(),
        }
    }

    /// What is done to sockets alone meets nobody else.
    fn meets(&self, transport: Transport) -> bool {
        transport == Transport::Socket || matches!(self, Self::Status(_) | Self::Message)
    }

    fn policy(&self) -> String {
        let rule = match self {
            Self::Status(status) => {
                format!("paths = [\"/v1/responses\"]\nstatus = {status}\n")
            }
            Self::Decline => "on = [\"upgrade\"]\nstatus = 426\n".into(),
            Self::Message => {
                "on = [\"message\"]\ndirection = \"to_upstream\"\nmodels = [\"*\"]\n".into()
            }
            Self::Upstream(..) => String::new(),
        };
        let block = format!(
            "[[rule]]\nid = \"{RULE}\"\naction = \"block\"\nhosts = [\"api.openai.com\"]\n{rule}\
             reason = \"model calls are switched off in this sandbox\"\n\n"
        );
        let block = if rule.is_empty() { "" } else { &block };
        format!(
            "version = 1\n\n{block}[[rule]]\nid = \"openai\"\naction = \"allow\"\n\
             hosts = [\"api.openai.com\"]\npaths = [\"/v1/responses\", \"/v1/models\"]\n"
        )
    }

    fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Upstream(trouble, _) => Some(*trouble),
            Self::Status(_) | Self::Decline | Self::Message => None,
        }
    }

    fn measured(&self, subject: &Subject, outcome: &Outcome) -> Result<Measured> {
        let ledger = outcome.ledger.as_ref().context("no ledger")?;
        let asked = || ledger.decided().filter(|decided| decided.path == "/v1/responses");
        let upgrades = asked().filter(|decided| decided.transport == "websocket").count();
        let posts: Vec<_> = asked().filter(|decided| decided.method == "POST").collect();
        if upgrades + posts.len() == 0 {
            bail!("it asked for nothing: {}", last_line(&outcome.client.stderr));
        }
        let refused = posts.iter().filter(|post| ledger.refused(post, RULE)).count();
        if matches!(self, Self::Status(_) | Self::Message) && refused < posts.len() {
            bail!("the rule refused {refused} of {} POSTs", posts.len());
        }
        let fallback = match (subject.transport, refused) {
            (Transport::Http, _) => Fallback::None,
            _ if posts.is_empty() => Fallback::None,
            (Transport::Socket, 0) => Fallback::Passed,
            (Transport::Socket, _) => Fallback::Refused,
        };
        let (took, posts) = (outcome.client.took, posts.len());
        let exit = outcome.client.status.code().filter(|_| took < LIMIT);
        let words = words(outcome).to_owned();
        Ok(Measured { words, took, exit, upgrades, posts, fallback })
    }
}

/// The last complaint, else the last line of what the client says to its user.
fn words(outcome: &Outcome) -> &str {
    let client = &outcome.client;
    let complaint = |line: &&str| {
        let line = line.to_lowercase();
        line.starts_with("error:") || line.starts_with("warning:")
    };
    match client.stderr.lines().rev().map(str::trim).find(complaint) {
        Some(line) => line,
        None if client.status.success() => last_line(&client.stdout),
        None => last_line(&client.stderr),
    }
}
