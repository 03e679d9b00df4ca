//! Gemini Live: turns of a conversation that have no ids. Reads proto JSON in text or binary
//! messages, with keys in camel or snake case. Audio is counted, never kept and never decoded.
//!
//! A turn begins when the client hands one over, or with the server's first output, and ends with
//! `turnComplete`. An interrupted turn ends there too, or with the next turn's first output. Tool
//! calls and their results are part of the turn they come in.

use std::time::Duration;

use crate::{CallError, CallStatus, EvidenceReason, Initiator};

use super::call::{Call, Context, set};
use super::gemini;
use super::input::Payload;
use super::json::{self, Raw};
use super::log::{Interpreter, Log};

/// Follows the turns of one socket.
#[derive(Debug)]
pub(super) struct Live {
    log: Log,
    /// What the client has said and no turn has used yet.
    draft: Call,
    /// The client has handed the draft over: the next turn is one it asked for.
    asked: Option<Duration>,
    turn: Option<Turn>,
    /// The server has said that it will close.
    leaving: Option<CallError>,
}

#[derive(Debug)]
struct Turn {
    call: Call,
    /// The server has begun to answer.
    answered: bool,
    interrupted: bool,
}

impl Live {
    pub(super) fn new(context: Context) -> Self {
        let draft = Call::new(&context, Initiator::Client, Duration::ZERO);
        Self { log: Log::new(context), draft, asked: None, turn: None, leaving: None }
    }

    /// The client has handed over: begins its turn if none runs.
    fn hand_over(&mut self, now: Duration) {
        match &mut self.turn {
            Some(turn) if !turn.answered => {
                turn.call.sent = now;
                turn.call.match_results(&self.log.context);
            }
            Some(_) => self.asked = Some(now),
            None => self.begin(Initiator::Client, now),
        }
    }

    /// The call that what the client says now belongs to: a turn that waits for its answer, else
    /// the next one.
    fn unanswered(&mut self) -> &mut Call {
        match &mut self.turn {
            Some(turn) if !turn.answered => &mut turn.call,
            _ => &mut self.draft,
        }
    }

    fn begin(&mut self, by: Initiator, now: Duration) {
        let next = Call::new(&self.log.context, Initiator::Client, Duration::ZERO);
        let mut call = std::mem::replace(&mut self.draft, next);
        call.initiator = by;
        call.began(now);
        // When a turn that was heard had ended, only the server knows.
        call.untimed = by == Initiator::Server;
        call.match_results(&self.log.context);
        self.turn = Some(Turn { call, answered: false, interrupted: false });
    }

    /// The turn that output of now belongs to.
    fn answering(&mut self, now: Duration) -> Option<&mut Turn> {
        if self.turn.as_ref().is_some_and(|turn| turn.interrupted) {
            self.end(now, CallStatus::Cancelled);
        }
        if self.turn.is_none() {
            self.begin(Initiator::Server, now);
        }
        let turn = self.turn.as_mut()?;
        turn.answered = true;
        Some(turn)
    }

    fn end(&mut self, now: Duration, status: CallStatus) {
        let Some(Turn { mut call, .. }) = self.turn.take() else { return };
        if status == CallStatus::ConnectionLost && call.error.is_none() {
            call.error.clone_from(&self.leaving);
        }
        self.log.end(call, now, status);
        if let Some(asked) = self.asked.take() {
            self.begin(Initiator::Client, asked);
        }
    }

    /// Reads what the client said into the call it belongs to; whether it hands over.
    fn said(call: &mut Call, said: &Said<'_>) -> bool {
        if let Some(turns) = said.turns {
            turns.elements(|content| gemini::results(call, content));
        }
        if let Some(results) = said.results {
            results.elements(|result| {
                call.tool_result(result.member("id").and_then(Raw::text), None);
            });
        }
        said.handed_over
    }

    fn content(&mut self, now: Duration, content: Raw<'_>) -> Ended {
        let mut ended = Ended::default();
        let (mut output, mut interrupted) = (false, false);
        content.members(|key, value| match &*json::camel(key) {
            "modelTurn" | "outputTranscription" | "generationComplete" => output = true,
            "interrupted" => interrupted = value.truth() == Some(true),
            "turnComplete" => ended.complete = value.truth() == Some(true),
            "turnCompleteReason" => ended.reason = value.text(),
            _ => {}
        });
        if output && let Some(turn) = self.answering(now) {
            turn.call.delta(now);
        }
        if interrupted
            && let Some(turn) = &mut self.turn
            && turn.answered
        {
            turn.interrupted = true;
            set(&mut turn.call.stop_reason, Some("interrupted".to_owned()));
        }
        ended
    }
}

/// What a message says of the end of its turn.
#[derive(Default)]
struct Ended {
    complete: bool,
    reason: Option<String>,
}

/// A client message, taken apart.
#[derive(Default)]
struct Said<'a> {
    known: bool,
    setup: Option<Raw<'a>>,
    turns: Option<Raw<'a>>,
    results: Option<Raw<'a>>,
    audio: bool,
    handed_over: bool,
}

impl<'a> Said<'a> {
    fn read(&mut self, key: &str, value: Raw<'a>) {
        let mut known = true;
        match key {
            "setup" => self.setup = Some(value),
            "clientContent" => {
                value.members(|key, value| match &*json::camel(key) {
                    "turns" => self.turns = Some(value),
                    "turnComplete" => self.handed_over |= value.truth() == Some(true),
                    _ => {}
                });
            }
            "realtimeInput" => {
                value.members(|key, value| match &*json::camel(key) {
                    "audio" | "video" | "mediaChunks" => self.audio = true,
                    "text" | "activityEnd" => self.handed_over |= value.present().is_some(),
                    _ => {}
                });
            }
            "toolResponse" => {
                value.members(|key, value| {
                    if json::camel(key) == "functionResponses" {
                        self.results = Some(value);
                    }
                });
            }
            _ => known = false,
        }
        self.known |= known;
    }
}

impl Interpreter for Live {
    fn client(&mut self, now: Duration, message: Payload<'_>) {
        let mut said = Said::default();
        let walked = message.members(|key, value| said.read(&json::camel(key), value));
        self.log.took(walked);
        if let Some(setup) = said.setup {
            let model = setup.member("model").and_then(Raw::text);
            // A resource name ends in the model's own.
            let name = model.map(|it| it.rsplit('/').next().unwrap_or_default().to_owned());
            set(&mut self.log.context.attribution.model, name);
            return;
        }
        if !said.known {
            return self.log.degrade(walked.missing.or(Some(EvidenceReason::UnknownSchema)));
        }
        let answers = said.results.is_some();
        let call = match &mut self.turn {
            // A tool's result goes on with the turn that asked for it.
            Some(turn) if answers => &mut turn.call,
            _ => self.unanswered(),
        };
        call.took(walked);
        call.request_bytes = call.request_bytes.saturating_add(message.len);
        if !said.audio {
            call.keep_request(message);
        }
        let handed_over = Self::said(call, &said);
        if answers && let Some(turn) = &mut self.turn {
            turn.call.match_results(&self.log.context);
        } else if handed_over || answers {
            self.hand_over(now);
        }
    }

    fn server(&mut self, now: Duration, message: Payload<'_>) {
        let (mut known, mut usage, mut ended) = (false, None, Ended::default());
        let walked = message.members(|key, value| {
            let mut it = true;
            match &*json::camel(key) {
                "serverContent" => ended = self.content(now, value),
                "toolCall" => {
                    let Some(turn) = self.answering(now) else { return };
                    turn.call.delta(now);
                    value.members(|key, value| {
                        if json::camel(key) == "functionCalls" {
                            value.elements(|function| {
                                let text = |key| function.member(key).and_then(Raw::text);
                                let (id, name) = (text("id"), text("name"));
                                turn.call.tool_call(id, name, gemini::FUNCTION.to_owned());
                            });
                        }
                    });
                }
                "toolCallCancellation" => {
                    let (Some(turn), Some(ids)) = (&mut self.turn, value.member("ids")) else {
                        return;
                    };
                    ids.elements(|id| turn.call.cancel_tool(&id.text().unwrap_or_default()));
                }
                "usageMetadata" => usage = gemini::usage(value),
                "goAway" => {
                    let mut left = None;
                    value.members(|key, value| {
                        if json::camel(key) == "timeLeft" {
                            left = value.text();
                        }
                    });
                    self.leaving = Some(CallError { code: Some("go_away".into()), message: left });
                }
                "setupComplete" | "sessionResumptionUpdate" => {}
                _ => it = false,
            }
            known |= it;
        });
        self.log.took(walked);
        if !known {
            self.log.degrade(walked.missing.or(Some(EvidenceReason::UnknownSchema)));
        }
        let Some(turn) = &mut self.turn else { return };
        turn.call.took(walked);
        turn.call.response_bytes = turn.call.response_bytes.saturating_add(message.len);
        if !message.text.contains("inlineData") && !message.text.contains("inline_data") {
            turn.call.keep_event(message);
        }
        set(&mut turn.call.usage, usage);
        if ended.complete && turn.answered {
            let status =
                if turn.interrupted { CallStatus::Cancelled } else { CallStatus::Completed };
            set(&mut turn.call.stop_reason, ended.reason);
            self.end(now, status);
        }
    }

    fn denied(&mut self, now: Duration, message: Payload<'_>, why: &CallError) -> bool {
        let mut said = Said::default();
        let walked = message.members(|key, value| said.read(&json::camel(key), value));
        let mut call = Call::new(&self.log.context, Initiator::Client, now);
        call.took(walked);
        call.asked(now, message);
        let asks = Self::said(&mut call, &said) || said.results.is_some();
        if asks {
            call.error = Some(why.clone());
            self.log.end(call, now, CallStatus::Denied);
        }
        asks
    }

    fn unreadable(&mut self, reason: EvidenceReason) {
        self.log.degrade(Some(reason));
        match &mut self.turn {
            Some(turn) => turn.call.degrade(reason),
            None => self.draft.degrade(reason),
        }
    }

    fn end_all(&mut self, now: Duration, status: CallStatus) {
        self.log.degrade(self.draft.missing());
        while let Some(turn) = &self.turn {
            let interrupted = turn.interrupted;
            self.end(now, if interrupted { CallStatus::Cancelled } else { status });
        }
    }

    fn log(&mut self) -> &mut Log {
        &mut self.log
    }
}
