//! Realtime and Gemini Live in any order of events, against a model that says what each response
//! used, what it cost and how it ended.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use crate::evidence::{Seen, Settings, WsEvidence};
use crate::{CallStatus, Evidence, Id, Initiator, ModelCall, attribute};

/// What a call must have been.
#[derive(Clone, Debug, PartialEq)]
struct Fact {
    initiator: Initiator,
    status: CallStatus,
    results: Vec<String>,
    tokens: Option<u64>,
}

impl Fact {
    fn of(call: &ModelCall) -> Self {
        assert_eq!(call.evidence, Evidence::FULL);
        Self {
            initiator: call.initiator,
            status: call.status,
            results: call.tool_results.iter().filter_map(|it| it.call_id.clone()).collect(),
            tokens: call.usage.and_then(|usage| usage.output_tokens),
        }
    }

    fn new(initiator: Initiator, results: Vec<String>) -> Self {
        Self { initiator, status: CallStatus::ConnectionLost, results, tokens: None }
    }
}

struct World {
    socket: WsEvidence,
    seen: Vec<Fact>,
    ended: Vec<Fact>,
    /// Results put in and not used yet.
    draft: Vec<String>,
    next: u64,
}

impl World {
    fn new(host: &str, path: &str) -> Self {
        let settings = Settings::new(Id::fresh(), attribute(host, path), 1024);
        let (seen, ended, draft) = (Vec::new(), Vec::new(), Vec::new());
        Self { socket: WsEvidence::new(settings), seen, ended, draft, next: 0 }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn client(&mut self, json: &str) {
        self.socket.client_message(Duration::ZERO, seen(json));
        self.seen.extend(self.socket.take_calls().iter().map(Fact::of));
    }

    fn server(&mut self, json: &str) {
        self.socket.server_message(Duration::ZERO, seen(json));
        self.seen.extend(self.socket.take_calls().iter().map(Fact::of));
    }

    /// Ends the socket: what is open is lost, each once.
    fn finish(mut self, open: Vec<Fact>) {
        assert_eq!(self.seen, self.ended, "as they end, in that order");
        let (last, _, total) = self.socket.finish(Duration::ZERO, true);
        self.seen.extend(last.iter().map(Fact::of));
        self.ended.extend(open);
        assert_eq!(self.seen, self.ended);
        assert_eq!(total, self.ended.len() as u64);
    }
}

fn seen(json: &str) -> Seen<'_> {
    Seen { payload: json.as_bytes(), binary: false, truncated: false, len: json.len() as u64 }
}

/// One thing that happens on a Realtime socket.
#[derive(Clone, Copy, Debug)]
enum Move {
    Result,
    Audio,
    Create,
    Begin,
    Delta { which: usize },
    End { which: usize, how: usize },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        2 => Just(Move::Result),
        1 => Just(Move::Audio),
        2 => Just(Move::Create),
        3 => Just(Move::Begin),
        3 => (0..8usize).prop_map(|which| Move::Delta { which }),
        3 => (0..8usize, 0..4usize).prop_map(|(which, how)| Move::End { which, how }),
    ];
    prop::collection::vec(one, 0..120)
}

fn realtime(moves: &[Move]) {
    let mut world = World::new("api.openai.com", "/v1/realtime");
    let mut waiting: VecDeque<Fact> = VecDeque::new();
    let mut running: Vec<(String, Fact)> = Vec::new();
    for it in moves {
        let number = world.number();
        match *it {
            Move::Result => {
                let id = format!("call_{number}");
                world.client(&format!(
                    r#"{{"type":"conversation.item.create","item":{{"type":"function_call_output","call_id":"{id}"}}}}"#
                ));
                world.draft.push(id);
            }
            Move::Audio => {
                world.client(r#"{"type":"input_audio_buffer.append","audio":"UklGRg=="}"#);
            }
            Move::Create if waiting.len() + running.len() < 60 => {
                let results = std::mem::take(&mut world.draft);
                waiting.push_back(Fact::new(Initiator::Client, results));
                world.client(r#"{"type":"response.create"}"#);
            }
            Move::Begin if waiting.len() + running.len() < 60 => {
                let fact = waiting.pop_front().unwrap_or_else(|| {
                    Fact::new(Initiator::Server, std::mem::take(&mut world.draft))
                });
                let id = format!("resp_{number}");
                world.server(&format!(
                    r#"{{"type":"response.created","response":{{"id":"{id}"}}}}"#
                ));
                running.push((id, fact));
            }
            Move::Delta { which } if !running.is_empty() => {
                let (id, _) = &running[which % running.len()];
                let delta = format!(
                    r#"{{"type":"response.output_text.delta","response_id":"{id}","delta":"x"}}"#
                );
                world.server(&delta);
            }
            Move::End { which, how } if !running.is_empty() => {
                let (id, mut fact) = running.remove(which % running.len());
                let (said, how) = [
                    ("completed", CallStatus::Completed),
                    ("cancelled", CallStatus::Cancelled),
                    ("failed", CallStatus::Failed),
                    ("incomplete", CallStatus::Incomplete),
                ][how];
                (fact.status, fact.tokens) = (how, Some(number));
                world.ended.push(fact);
                let done = format!(
                    r#"{{"type":"response.done","response":{{"id":"{id}","status":"{said}","usage":{{"output_tokens":{number}}}}}}}"#
                );
                world.server(&done);
                world.server(&done);
            }
            _ => {}
        }
    }
    // They are listed by when they were asked for or began, which only the interpreter knows.
    let mut open: Vec<_> = running.into_iter().map(|(_, fact)| fact).chain(waiting).collect();
    let World { mut socket, seen, ended: wanted, .. } = world;
    assert_eq!(seen, wanted, "as they end, in that order");
    socket.end(Duration::ZERO, true);
    let mut last: Vec<_> = socket.take_calls().iter().map(Fact::of).collect();
    let key = |fact: &Fact| (fact.initiator.as_str(), fact.results.clone());
    last.sort_by_key(key);
    open.sort_by_key(key);
    assert_eq!(last, open, "what is open is lost, each once");
    assert_eq!(socket.finish(Duration::ZERO, true).2, (wanted.len() + open.len()) as u64);
}

/// One thing that happens on a Gemini Live socket.
#[derive(Clone, Copy, Debug)]
enum Step {
    Say,
    HandOver,
    Audio,
    Output,
    Usage,
    Interrupt,
    Complete,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        1 => Just(Step::Say),
        2 => Just(Step::HandOver),
        1 => Just(Step::Audio),
        4 => Just(Step::Output),
        2 => Just(Step::Usage),
        1 => Just(Step::Interrupt),
        3 => Just(Step::Complete),
    ];
    prop::collection::vec(one, 0..120)
}

/// The turn of a Live socket as its server sees it.
struct Turn {
    fact: Fact,
    answered: bool,
    interrupted: bool,
}

/// Ends a turn, and begins the one that was asked for meanwhile.
fn over(world: &mut World, turn: &mut Option<Turn>, asked: &mut bool, status: CallStatus) {
    let Some(mut it) = turn.take() else { return };
    it.fact.status = if it.interrupted { CallStatus::Cancelled } else { status };
    world.ended.push(it.fact);
    if std::mem::take(asked) {
        let fact = Fact::new(Initiator::Client, std::mem::take(&mut world.draft));
        *turn = Some(Turn { fact, answered: false, interrupted: false });
    }
}

fn live(steps: &[Step]) {
    let mut world = World::new("generativelanguage.googleapis.com", "/ws/x.BidiGenerateContent");
    let (mut turn, mut asked): (Option<Turn>, bool) = (None, false);
    for it in steps {
        let number = world.number();
        match it {
            Step::Say | Step::HandOver => {
                let whole = matches!(it, Step::HandOver);
                let id = format!("fn-{number}");
                match &mut turn {
                    Some(turn) if !turn.answered => turn.fact.results.push(id.clone()),
                    _ => world.draft.push(id.clone()),
                }
                match &turn {
                    Some(turn) if whole => asked |= turn.answered,
                    None if whole => {
                        let fact = Fact::new(Initiator::Client, std::mem::take(&mut world.draft));
                        turn = Some(Turn { fact, answered: false, interrupted: false });
                    }
                    _ => {}
                }
                world.client(&format!(
                    r#"{{"clientContent":{{"turns":[{{"role":"user","parts":[{{"functionResponse":{{"id":"{id}"}}}}]}}],"turnComplete":{whole}}}}}"#
                ));
            }
            Step::Audio => world.client(r#"{"realtimeInput":{"audio":{"data":"UklGRg=="}}}"#),
            Step::Output => {
                if turn.as_ref().is_some_and(|turn| turn.interrupted) {
                    over(&mut world, &mut turn, &mut asked, CallStatus::Cancelled);
                }
                let begun = turn.get_or_insert_with(|| Turn {
                    fact: Fact::new(Initiator::Server, std::mem::take(&mut world.draft)),
                    answered: true,
                    interrupted: false,
                });
                begun.answered = true;
                world.server(r#"{"serverContent":{"modelTurn":{"parts":[{"text":"x"}]}}}"#);
            }
            Step::Usage => {
                if let Some(turn) = &mut turn {
                    turn.fact.tokens = Some(number);
                }
                world.server(&format!(r#"{{"usageMetadata":{{"responseTokenCount":{number}}}}}"#));
            }
            Step::Interrupt => {
                if let Some(turn) = turn.as_mut().filter(|turn| turn.answered) {
                    turn.interrupted = true;
                }
                world.server(r#"{"serverContent":{"interrupted":true}}"#);
            }
            Step::Complete => {
                if turn.as_ref().is_some_and(|turn| turn.answered) {
                    over(&mut world, &mut turn, &mut asked, CallStatus::Completed);
                }
                world.server(r#"{"serverContent":{"turnComplete":true}}"#);
            }
        }
    }
    let mut open = Vec::new();
    while turn.is_some() {
        let ended = world.ended.len();
        over(&mut world, &mut turn, &mut asked, CallStatus::ConnectionLost);
        open.extend(world.ended.drain(ended..));
    }
    world.finish(open);
}

proptest! {
    #[test]
    fn a_realtime_response_has_what_was_put_in_since_the_last(moves in moves()) {
        realtime(&moves);
    }

    #[test]
    fn a_live_turn_has_what_was_said_since_the_last(steps in steps()) {
        live(&steps);
    }
}
