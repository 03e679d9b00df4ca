//! The calls of one Responses socket: which message belongs to which call, and when each ends.
//! Knows lanes, ids and order; what an event says about its call is the event's own.
//!
//! A lane (`stream_id`, or the default lane without one) answers its requests in order, lanes
//! interleave freely. An event belongs to the call whose response id it names, else to the response
//! that runs in its lane, else to the lane's oldest request that has no response yet. A response
//! nobody asked for is a call the server started.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::{CallStatus, Evidence, EvidenceReason, Initiator, ModelCall};

use super::super::call::{Call, Context};
use super::super::input::Payload;
use super::super::json;
use super::item;
use super::responses::{self, Event};

/// Calls that may be open at once. The service runs 16 per socket and queues more; what is beyond
/// is not followed and the evidence says `capture_limit`.
const MAX_OPEN: usize = 256;

/// Ids remembered of responses that have ended and of tool results that have been reported.
const MAX_REMEMBERED: usize = 4096;

/// Follows the calls of one socket.
#[derive(Debug)]
pub(in super::super) struct Lanes {
    context: Context,
    /// In the order they began.
    open: Vec<Flight>,
    /// A lane has been named, so that an event without a name is not simply the next.
    named: bool,
    /// Requests that were one too many to follow.
    untracked: u64,
    /// Lanes whose response was steered: the server answers once more before the next request.
    steered: Vec<Option<String>>,
    /// Responses that have ended: what comes after their end is not another call.
    ended: Remembered,
    /// Tool results already reported: a history sent again repeats them.
    results: Remembered,
    finished: Vec<ModelCall>,
    total: u64,
    missing: Option<EvidenceReason>,
    /// At least one message was read.
    read: bool,
}

#[derive(Debug)]
struct Flight {
    call: Call,
    /// The server has begun to answer.
    answered: bool,
}

impl Lanes {
    pub(in super::super) fn new(context: Context) -> Self {
        Self {
            context,
            open: Vec::new(),
            named: false,
            untracked: 0,
            steered: Vec::new(),
            ended: Remembered::default(),
            results: Remembered::default(),
            finished: Vec::new(),
            total: 0,
            missing: None,
            read: false,
        }
    }

    /// Reads a message of the client.
    pub(in super::super) fn client(&mut self, now: Duration, message: Payload<'_>) {
        let (mut kind, mut id, mut input) = (None, None, None);
        let walked = message.members(|key, value| match key {
            "type" => kind = value.str(),
            "response_id" => id = value.text(),
            "input" => input = Some(value),
            _ => {}
        });
        self.read |= walked.any;
        match kind.as_deref() {
            Some("response.create") => self.create(now, message),
            Some("response.inject") => {
                let flight =
                    self.open.iter_mut().find(|it| id.is_some() && it.call.response_id == id);
                if let (Some(flight), Some(input)) = (flight, input) {
                    item::input(&mut flight.call, input, false);
                }
                self.degrade(walked.missing);
            }
            // Other events ask for no response; what they cause, the server says.
            Some(_) => self.degrade(walked.missing),
            None => self.degrade(walked.missing.or(Some(EvidenceReason::UnknownSchema))),
        }
    }

    /// Reads a message of the server.
    pub(in super::super) fn server(&mut self, now: Duration, message: Payload<'_>) {
        let leading = json::leading_type(message.text.as_bytes());
        if !self.named && leading.is_some_and(responses::is_delta) {
            // Most messages are these: their text is not looked at.
            self.read = true;
            if let Some(flight) = self.running(None) {
                flight.call.delta(now);
                flight.call.response_bytes += message.len;
            }
            return;
        }
        let (event, walked) = Event::read(message);
        self.named |= event.stream_id.is_some();
        self.read |= walked.any;
        if event.kind.is_empty() {
            return self.degrade(walked.missing.or(Some(EvidenceReason::UnknownSchema)));
        }
        let Some(place) = self.place(&event, now) else {
            return self.degrade(walked.missing);
        };
        let Some(flight) = self.open.get_mut(place) else { return };
        flight.call.took(walked);
        flight.call.response_bytes += message.len;
        event.apply(&mut flight.call, now);
        let unanswered = !flight.answered;
        flight.answered |= event.kind != "error" && !is_aside(&event.kind);
        if let Some(status) = event.ending() {
            self.end(place, now, status);
        } else if event.kind == "error" && unanswered {
            self.end(place, now, CallStatus::Failed);
        }
        // An error while a response runs is kept with it: it may concern another message of the
        // client, and then the response goes on to its own end.
    }

    /// Notes why messages could not be read: for the socket, and for every call that is open.
    pub(in super::super) fn unreadable(&mut self, reason: EvidenceReason) {
        self.degrade(Some(reason));
        for flight in &mut self.open {
            flight.call.degrade(reason);
        }
    }

    /// The calls that have ended since this was last asked, in the order they ended.
    pub(in super::super) fn take_finished(&mut self) -> Vec<ModelCall> {
        std::mem::take(&mut self.finished)
    }

    /// Calls that have ended so far.
    pub(in super::super) fn total(&self) -> u64 {
        self.total
    }

    /// How much of the socket was read. A socket without messages was read whole.
    pub(in super::super) fn evidence(&self) -> Evidence {
        match self.missing {
            None => Evidence::FULL,
            Some(reason) if self.read => Evidence::partial(reason),
            Some(reason) => Evidence::none(reason),
        }
    }

    /// Ends every open call, because the socket has ended.
    pub(in super::super) fn end_all(&mut self, now: Duration, status: CallStatus) {
        while let Some(flight) = self.open.first() {
            let failed = flight.call.error.is_some();
            self.end(0, now, if failed { CallStatus::Failed } else { status });
        }
    }

    fn create(&mut self, now: Duration, message: Payload<'_>) {
        let mut call = Call::new(Initiator::Client, now);
        responses::create(&mut call, message);
        call.request_bytes = message.len;
        call.retain_results(|id| self.results.insert(id));
        self.named |= call.stream_id.is_some();
        // A lane whose response met an error is free again when its client goes on in it.
        let spent = |it: &Flight| {
            it.answered && it.call.error.is_some() && it.call.stream_id == call.stream_id
        };
        if let Some(place) = self.open.iter().position(spent) {
            self.end(place, now, CallStatus::Failed);
        }
        if self.open.len() < MAX_OPEN {
            self.open.push(Flight { call, answered: false });
        } else {
            self.untracked += 1;
            self.degrade(Some(EvidenceReason::CaptureLimit));
        }
    }

    /// Where the call of an event stands in `open`; begins one for a response nobody asked for.
    /// `None` for an event of no call, or of one that has ended.
    fn place(&mut self, event: &Event<'_>, now: Duration) -> Option<usize> {
        let lane = event.stream_id.as_deref();
        if let Some(id) = event.response_id() {
            let named = self.open.iter().position(|it| it.call.response_id.as_deref() == Some(id));
            if named.is_some() || self.ended.contains(id) {
                return named;
            }
            if is_lifecycle(&event.kind) && self.succeeds(lane) {
                return self.begin(Initiator::Server, lane, now);
            }
            let nameless =
                |it: &Flight| it.call.response_id.is_none() && it.call.stream_id.as_deref() == lane;
            return match self.open.iter().position(nameless) {
                None if is_lifecycle(&event.kind) => self.unasked(lane, now),
                nameless => nameless,
            };
        }
        match &*event.kind {
            "error" => self.waiting(lane).or_else(|| self.running_place(lane)),
            kind if kind.starts_with("response.") || is_aside(kind) => {
                self.running_place(lane).or_else(|| self.waiting(lane))
            }
            _ => None,
        }
    }

    /// The lane's oldest request without an answer.
    fn waiting(&self, lane: Option<&str>) -> Option<usize> {
        self.open.iter().position(|it| !it.answered && it.call.stream_id.as_deref() == lane)
    }

    /// The lane's response that began last.
    fn running_place(&self, lane: Option<&str>) -> Option<usize> {
        self.open.iter().rposition(|it| it.answered && it.call.stream_id.as_deref() == lane)
    }

    fn running(&mut self, lane: Option<&str>) -> Option<&mut Flight> {
        let place = self.running_place(lane).or_else(|| self.waiting(lane))?;
        let flight = self.open.get_mut(place)?;
        flight.answered = true;
        Some(flight)
    }

    /// Whether a new response of the lane is the successor of one that was steered.
    fn succeeds(&mut self, lane: Option<&str>) -> bool {
        let place = self.steered.iter().position(|steered| steered.as_deref() == lane);
        place.map(|place| self.steered.swap_remove(place)).is_some()
    }

    /// Begins a call for a response without a request in its lane: one the server started, unless
    /// requests are missing here.
    fn unasked(&mut self, lane: Option<&str>, now: Duration) -> Option<usize> {
        if self.untracked == 0 {
            return self.begin(Initiator::Server, lane, now);
        }
        self.untracked -= 1;
        let place = self.begin(Initiator::Client, lane, now)?;
        self.open.get_mut(place)?.call.degrade(EvidenceReason::CaptureLimit);
        Some(place)
    }

    /// Begins a call whose response has begun.
    fn begin(&mut self, by: Initiator, lane: Option<&str>, now: Duration) -> Option<usize> {
        if self.open.len() >= MAX_OPEN {
            self.degrade(Some(EvidenceReason::CaptureLimit));
            return None;
        }
        let mut call = Call::new(by, now);
        call.stream_id = lane.map(str::to_owned);
        self.open.push(Flight { call, answered: true });
        Some(self.open.len() - 1)
    }

    fn end(&mut self, place: usize, now: Duration, status: CallStatus) {
        let Flight { call, .. } = self.open.remove(place);
        if let Some(id) = &call.response_id {
            self.ended.insert(id);
        }
        if call.stop_reason.as_deref() == Some("steered") && self.steered.len() < MAX_OPEN {
            self.steered.push(call.stream_id.clone());
        }
        let record = call.end(&self.context, now, status);
        self.degrade(record.evidence.reason());
        self.total += 1;
        self.finished.push(record);
    }

    fn degrade(&mut self, reason: Option<EvidenceReason>) {
        self.missing = self.missing.or(reason);
    }
}

/// Events that say that a response exists.
fn is_lifecycle(kind: &str) -> bool {
    matches!(
        kind,
        "response.created"
            | "response.in_progress"
            | "response.queued"
            | "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled"
    )
}

/// Events that need not mean that a response has begun.
fn is_aside(kind: &str) -> bool {
    matches!(kind, "response.metadata" | "codex.response.metadata")
        || kind.starts_with("response.steer.")
        || kind.starts_with("response.inject.")
}

/// A bounded set of ids that forgets the oldest. It keeps hashes under a key of its own, so its
/// size does not depend on the ids.
#[derive(Debug, Default)]
struct Remembered {
    key: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Remembered {
    fn contains(&self, id: &str) -> bool {
        self.known.contains(&self.key.hash_one(id))
    }

    /// Adds an id; false if it was known.
    fn insert(&mut self, id: &str) -> bool {
        let hash = self.key.hash_one(id);
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
