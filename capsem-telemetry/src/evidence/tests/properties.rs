//! Sockets with many lanes in any order of events, against a model that keeps every lane apart.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use crate::evidence::{Seen, Settings, WsEvidence};
use crate::{CallStatus, Evidence, Id, Initiator, ModelCall, attribute};

const LANES: usize = 33;

/// One thing that happens in a lane.
#[derive(Clone, Debug)]
enum Move {
    /// The client asks for a response.
    Ask { lane: usize },
    /// The server takes the lane's answer one step further.
    Answer { lane: usize, end: usize },
    /// The server starts a response unasked, where its lane is idle.
    Volunteer { lane: usize },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        2 => (0..LANES).prop_map(|lane| Move::Ask { lane }),
        8 => (0..LANES, 0..4usize).prop_map(|(lane, end)| Move::Answer { lane, end }),
        1 => (0..LANES).prop_map(|lane| Move::Volunteer { lane }),
    ];
    // Few lanes make deep queues, many lanes make wide ones.
    (1..=LANES, prop::collection::vec(one, 0..200)).prop_map(|(lanes, mut moves)| {
        for it in &mut moves {
            let (Move::Ask { lane } | Move::Answer { lane, .. } | Move::Volunteer { lane }) = it;
            *lane %= lanes;
        }
        moves
    })
}

/// What a call must have been.
#[derive(Debug, PartialEq)]
struct Fact {
    model: Option<String>,
    lane: Option<String>,
    initiator: Initiator,
    status: CallStatus,
    response_id: Option<String>,
    tools: Vec<String>,
    tokens: Option<u64>,
}

impl Fact {
    fn of(call: &ModelCall) -> Self {
        assert_eq!(call.evidence, Evidence::FULL);
        Self {
            model: call.model_requested.clone(),
            lane: call.stream_id.clone(),
            initiator: call.initiator,
            status: call.status,
            response_id: call.response_id.clone(),
            tools: call.tool_calls.iter().filter_map(|tool| tool.call_id.clone()).collect(),
            tokens: call.usage.and_then(|usage| usage.output_tokens),
        }
    }
}

/// One lane as its server sees it: what was asked, and the answer under way.
#[derive(Default)]
struct Lane {
    asked: VecDeque<String>,
    running: Option<(Fact, u8)>,
}

struct World {
    socket: WsEvidence,
    lanes: BTreeMap<usize, Lane>,
    ended: Vec<Fact>,
    seen: Vec<Fact>,
    next: u64,
}

/// The default lane has no name.
fn name(lane: usize) -> Option<String> {
    (lane > 0).then(|| format!("lane-{lane}"))
}

fn named(lane: usize) -> String {
    name(lane).map(|name| format!(r#","stream_id":"{name}""#)).unwrap_or_default()
}

impl World {
    fn new() -> Self {
        let attribution = attribute("api.openai.com", "/v1/responses");
        let settings = Settings::new(Id::fresh(), attribution, 1024);
        let socket = WsEvidence::new(settings);
        let (lanes, ended, seen) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { socket, lanes, ended, seen, next: 0 }
    }

    fn server(&mut self, json: &str) {
        self.socket.server_message(Duration::ZERO, seen(json));
        self.seen.extend(self.socket.take_calls().iter().map(Fact::of));
    }

    fn play(&mut self, it: &Move) {
        match *it {
            Move::Ask { lane } => self.ask(lane),
            Move::Answer { lane, end } => self.answer(lane, end),
            Move::Volunteer { lane } => {
                let state = self.lanes.entry(lane).or_default();
                if state.asked.is_empty() && state.running.is_none() {
                    self.start(lane, None);
                }
            }
        }
    }

    fn ask(&mut self, lane: usize) {
        self.next += 1;
        let model = format!("model-{}", self.next);
        let create = format!(r#"{{"type":"response.create","model":"{model}"{}}}"#, named(lane));
        self.socket.client_message(Duration::ZERO, seen(&create));
        self.lanes.entry(lane).or_default().asked.push_back(model);
    }

    fn start(&mut self, lane: usize, model: Option<String>) {
        self.next += 1;
        let id = format!("resp_{}", self.next);
        let lane_name = named(lane);
        self.server(&format!(
            r#"{{"type":"response.created"{lane_name},"response":{{"id":"{id}","usage":null}}}}"#
        ));
        let fact = Fact {
            initiator: if model.is_some() { Initiator::Client } else { Initiator::Server },
            model,
            lane: name(lane),
            status: CallStatus::ConnectionLost,
            response_id: Some(id),
            tools: Vec::new(),
            tokens: None,
        };
        self.lanes.entry(lane).or_default().running = Some((fact, 0));
    }

    fn answer(&mut self, lane: usize, end: usize) {
        let state = self.lanes.entry(lane).or_default();
        let Some((mut fact, step)) = state.running.take() else {
            if let Some(model) = state.asked.pop_front() {
                self.start(lane, Some(model));
            }
            return;
        };
        let lane_name = named(lane);
        self.next += 1;
        let count = self.next;
        match step {
            0 => self.server(&format!(
                r#"{{"type":"response.output_text.delta"{lane_name},"delta":"x"}}"#
            )),
            1 => {
                fact.tools.push(format!("call_{count}"));
                self.server(&format!(
                    r#"{{"type":"response.output_item.done"{lane_name},"item":{{"type":"function_call","call_id":"call_{count}","name":"f"}}}}"#
                ));
            }
            _ => {
                let (kind, status) = [
                    ("completed", CallStatus::Completed),
                    ("incomplete", CallStatus::Incomplete),
                    ("failed", CallStatus::Failed),
                    ("cancelled", CallStatus::Cancelled),
                ][end];
                let id = fact.response_id.clone().unwrap();
                fact.status = status;
                fact.tokens = Some(count);
                self.ended.push(fact);
                let ended = format!(
                    r#"{{"type":"response.{kind}"{lane_name},"response":{{"id":"{id}","usage":{{"output_tokens":{count}}}}}}}"#
                );
                self.server(&ended);
                self.server(&ended);
                return;
            }
        }
        self.lanes.entry(lane).or_default().running = Some((fact, step + 1));
    }
}

fn seen(json: &str) -> Seen<'_> {
    Seen { payload: json.as_bytes(), binary: false, truncated: false, len: json.len() as u64 }
}

proptest! {
    #[test]
    fn every_call_ends_once_with_its_own_facts(moves in moves()) {
        let mut world = World::new();
        for it in &moves {
            world.play(it);
        }
        let World { socket, lanes, ended, mut seen, .. } = world;
        prop_assert_eq!(&seen, &ended, "as they end, in that order");

        let (last, _, total) = socket.finish(Duration::ZERO, true);
        seen.extend(last.iter().map(Fact::of));
        prop_assert_eq!(total, seen.len() as u64);
        let open: usize =
            lanes.values().map(|lane| lane.asked.len() + usize::from(lane.running.is_some())).sum();
        prop_assert_eq!(seen.len(), ended.len() + open, "each once");
        let lost = |fact: &Fact| fact.status == CallStatus::ConnectionLost && fact.tokens.is_none();
        prop_assert!(seen[ended.len()..].iter().all(lost));
        for (lane, state) in &lanes {
            let waiting: Vec<_> = seen[ended.len()..]
                .iter()
                .filter(|fact| fact.lane == name(*lane) && fact.response_id.is_none())
                .filter_map(|fact| fact.model.clone())
                .collect();
            prop_assert_eq!(&waiting, &Vec::from(state.asked.clone()), "order kept in a lane");
        }
    }
}
