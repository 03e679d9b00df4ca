//! Asks whoever runs the agent, and waits no longer than may be waited. Refuses to know what asks and
//! what becomes of an answer: only an [`Approval`] lets anything through.

use crate::{
    record::{Visit, millis},
    request::{Intent, Kind},
};
use capsem_telemetry::{Answer, Asked, Event, Id};
use serde_json::json;
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// Whoever can be asked whether something may pass.
pub trait Asker: Send + Sync + 'static {
    /// Asks. The future is dropped when the answer is late, or nobody wants it any more.
    fn ask<'a>(&'a self, question: &'a Question) -> Asking<'a>;
}

/// The future of [`Asker::ask`]: whether it may pass. An error is a no.
pub type Asking<'a> = Pin<Box<dyn Future<Output = io::Result<bool>> + Send + 'a>>;

/// What is asked about: the facts a rule was matched against. It holds no body and no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Question {
    /// The connection, as records name it.
    pub conn: String,
    /// The exchange, likewise.
    pub exchange: String,
    /// `http`, `upgrade` or `message`.
    pub on: &'static str,
    /// The rule that asks; `None` for the default.
    pub rule: Option<String>,
    /// Its reason.
    pub reason: Option<String>,
    /// `https`, `http`, `wss` or `ws`.
    pub scheme: &'static str,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, redacted.
    pub query: Option<String>,
    /// The client's process, where a rule asks for its name and it is known.
    pub process: Option<String>,
    /// Whose model API it is.
    pub provider: &'static str,
    /// The message, if it is about one.
    pub message: Option<MessageFacts>,
}

/// What is asked about a message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MessageFacts {
    /// `to_upstream` or `to_client`.
    pub direction: &'static str,
    /// The model it names.
    pub model: Option<String>,
    /// The tools it offers.
    pub tools: Vec<String>,
    /// The tools it calls.
    pub tool_calls: Vec<String>,
    /// Its length in bytes.
    pub size: u64,
}

impl Question {
    /// One object of JSON in one line.
    pub fn to_json(&self) -> String {
        let message = self.message.as_ref().map(|message| {
            json!({
                "direction": message.direction, "model": message.model, "tools": message.tools,
                "tool_calls": message.tool_calls, "size": message.size,
            })
        });
        json!({
            "conn": self.conn, "exchange": self.exchange, "on": self.on, "rule": self.rule,
            "reason": self.reason, "scheme": self.scheme, "host": self.host, "port": self.port,
            "method": self.method, "path": self.path, "query": self.query,
            "process": self.process, "provider": self.provider, "message": message,
        })
        .to_string()
    }

    pub(crate) fn new(
        (conn, exchange): (Id, Id),
        intent: &Intent,
        provider: &'static str,
        ruling: (&Option<String>, &Option<String>),
        message: Option<MessageFacts>,
    ) -> Self {
        let on = match (&message, &intent.kind) {
            (Some(_), _) => Event::Message,
            (None, Kind::WebSocket(_)) => Event::Upgrade,
            (None, Kind::Http | Kind::Connect) => Event::Http,
        };
        Self {
            conn: conn.to_string(),
            exchange: exchange.to_string(),
            on: on.as_str(),
            rule: ruling.0.clone(),
            reason: ruling.1.clone(),
            scheme: intent.scheme.name(&intent.kind),
            host: intent.authority.host.to_string(),
            port: intent.authority.port,
            method: intent.method.to_string(),
            path: intent.path.clone(),
            query: intent.query.as_deref().map(capsem_telemetry::redact::query),
            process: intent.process.clone(),
            provider,
            message,
        }
    }
}

/// The proof that somebody said yes. Made here only.
#[derive(Debug)]
pub(crate) struct Approval(());

/// Who is asked, and for how long.
pub(crate) struct Desk {
    pub(crate) asker: Option<Box<dyn Asker>>,
    pub(crate) patience: Duration,
}

impl Desk {
    /// Asks, and records the answer, whatever comes of it. `Err` says why nothing may pass.
    pub(crate) async fn ask(
        &self,
        visit: Arc<Visit>,
        exchange: Id,
        question: Question,
    ) -> Result<Approval, &'static str> {
        let mut open =
            Open { visit, exchange, question, began: Instant::now(), answer: Answer::Gone };
        open.answer = match &self.asker {
            None => Answer::Nobody,
            Some(asker) => match timeout(self.patience, asker.ask(&open.question)).await {
                Err(_) => Answer::Late,
                Ok(Ok(true)) => Answer::Allow,
                Ok(Ok(false)) => Answer::Block,
                Ok(Err(error)) => {
                    tracing::error!(%error, "asking failed, which is a no");
                    Answer::Failed
                }
            },
        };
        match open.answer {
            Answer::Allow => Ok(Approval(())),
            Answer::Late => Err("this needs approval, and there was no answer in time"),
            Answer::Nobody => Err("this needs approval, and there is nobody to ask"),
            Answer::Failed => Err("this needs approval, and asking for it failed"),
            _ => Err("this needs approval, and it was not given"),
        }
    }
}

/// A question that owes its record.
struct Open {
    visit: Arc<Visit>,
    exchange: Id,
    question: Question,
    began: Instant,
    answer: Answer,
}

impl Drop for Open {
    fn drop(&mut self) {
        let answer = if std::thread::panicking() { Answer::Failed } else { self.answer };
        self.visit.asked(Asked {
            conn: self.visit.id(),
            exchange: self.exchange,
            on: Event::from_word(self.question.on).unwrap_or(Event::Message),
            rule: self.question.rule.clone(),
            answer,
            duration_ms: millis(self.began.elapsed()),
        });
    }
}
