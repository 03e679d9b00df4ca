//! The calls of one Responses socket: which message belongs to which call, and when each ends.
//! Knows lanes, ids and order; what an event says about its call is the event's own.
//!
//! A lane (`stream_id`, or the default lane without one) answers its requests in order, lanes
//! interleave freely. An event belongs to the call whose response id it names, else to the response
//! that runs in its lane, else to the lane's oldest request that has no response yet. A response
//! nobody asked for is a call the server started.

use std::time::Duration;

use crate::{CallError, CallStatus, EvidenceReason, Initiator, Provider, ServerTiming};

use super::super::call::{Call, Context, set};
use super::super::input::Payload;
use super::super::json;
use super::super::log::{Interpreter, Log};
use super::super::remembered::Remembered;
use super::item;
use super::responses::{self, Event, Request};

mod unnamed;

/// Calls that may be open at once. The service runs 16 per socket and queues more; what is beyond
/// is not followed and the evidence says `capture_limit`.
const MAX_OPEN: usize = 128;

/// Follows the calls of one socket.
#[derive(Debug)]
pub(in super::super) struct Lanes {
    log: Log,
    /// In the order they began.
    open: Vec<Flight>,
    /// A lane has been named, so that an event without a name is not simply the next.
    named: bool,
    /// The service is one that answers one request after the other and, so far, has named no lane,
    /// whatever its client does.
    serial: bool,
    /// Requests that were one too many to follow.
    untracked: u64,
    /// Responses that were steered, by their lanes: the server answers once more before the next
    /// request.
    steered: Vec<Steered>,
    /// What the service said of the connection, which may be the last of it.
    connection: Option<CallError>,
    /// Responses that have ended: what comes after their end is not another call.
    ended: Remembered,
}

#[derive(Debug)]
struct Steered {
    lane: Option<String>,
    response_id: Option<String>,
}

#[derive(Debug)]
struct Flight {
    call: Call,
    /// The server has begun to answer.
    answered: bool,
}

impl Lanes {
    pub(in super::super) fn new(context: Context) -> Self {
        let serial = matches!(context.attribution.provider, Provider::XAi | Provider::Azure);
        Self {
            log: Log::new(context),
            open: Vec::new(),
            named: false,
            serial,
            untracked: 0,
            steered: Vec::new(),
            connection: None,
            ended: Remembered::default(),
        }
    }

    /// Reads an event of the server, which stands in `lane` if it does not name its own.
    pub(super) fn event(&mut self, now: Duration, message: Payload<'_>, lane: Option<&str>) {
        let leading = json::leading_type(message.text.as_bytes());
        if !self.named && leading.is_some_and(responses::is_delta) {
            // Most messages are these: their text is not looked at.
            self.log.recognised();
            self.goes_on();
            if let Some(flight) = self.running(lane) {
                flight.call.delta(now);
                flight.call.response_bytes += message.len;
                flight.call.keep_event(message);
            }
            return;
        }
        let (mut event, walked) = Event::read(message);
        self.named |= event.stream_id.is_some();
        self.log.took(walked);
        event.limits(&mut self.log.limits);
        if event.kind.is_empty() {
            return self.log.degrade(Some(EvidenceReason::UnknownSchema));
        }
        self.serial &= event.stream_id.is_none();
        if event.stream_id.is_none() {
            event.stream_id = lane.map(str::to_owned).or_else(|| self.only_lane(&event.kind));
        }
        if let Some(timing) = event.timing() {
            return self.timed(event.stream_id.as_deref(), timing);
        }
        if event.kind == "response.inject.failed" {
            self.not_injected(&event);
        }
        let place = self.place(&event, now);
        let nobodys = place.is_none() && event.stream_id.is_none() && event.response_id().is_none();
        if nobodys || event.is_of_the_connection() {
            set(&mut self.connection, event.failure());
        }
        let Some(place) = place else { return };
        if event.kind != "error" {
            self.goes_on();
        }
        let Some(flight) = self.open.get_mut(place) else { return };
        flight.call.took(walked);
        flight.call.response_bytes += message.len;
        flight.call.keep_event(message);
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

    fn create(&mut self, now: Duration, message: Payload<'_>, request: &Request<'_>) {
        let mut call = self.requested(now, message, request);
        call.match_results(&self.log.context);
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
            self.log.degrade(Some(EvidenceReason::CaptureLimit));
        }
    }

    /// The call a request of the client asks for.
    fn requested(&self, now: Duration, message: Payload<'_>, request: &Request<'_>) -> Call {
        let mut call = Call::new(&self.log.context, Initiator::Client, now);
        request.apply(&mut call);
        call.request_bytes = message.len;
        call.keep_request(message);
        call
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
            if is_lifecycle(&event.kind) && self.succeeds(lane, event.continues().as_deref()) {
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
            "error" => {
                let lanes = self.waiting(lane).or_else(|| self.running_place(lane));
                // A lane whose name is none cannot be named in the answer.
                lanes.or_else(|| lane.is_none().then(|| self.misnamed()).flatten())
            }
            kind if kind.starts_with("response.") || is_aside(kind) => {
                self.running_place(lane).or_else(|| self.waiting(lane))
            }
            _ => None,
        }
    }

    /// An error after which responses go on was not the last of the connection.
    fn goes_on(&mut self) {
        if self.connection.as_ref().is_some_and(|error| !is_end(error)) {
            self.connection = None;
        }
    }

    /// Results that were not taken are still to be given: where they come again, they are new.
    fn not_injected(&mut self, event: &Event<'_>) {
        let Some(input) = event.member("input") else { return };
        let id = event.response_id();
        let named = |it: &&mut Flight| id.is_some() && it.call.response_id.as_deref() == id;
        let mut flight = self.open.iter_mut().find(named);
        item::results(input, |result| {
            self.log.context.tools.unanswered(&self.log.context.attribution, result);
            if let Some(flight) = &mut flight {
                flight.call.forget_result(result);
            }
        });
    }

    fn running(&mut self, lane: Option<&str>) -> Option<&mut Flight> {
        let place = self.running_place(lane).or_else(|| self.waiting(lane))?;
        let flight = self.open.get_mut(place)?;
        flight.answered = true;
        Some(flight)
    }

    /// The service's figures are those of the response that runs in their lane. Where they name no
    /// lane and several responses run, they are nobody's.
    fn timed(&mut self, lane: Option<&str>, timing: ServerTiming) {
        let mut running = self.open.iter_mut().filter(|it| it.answered);
        let only = match lane {
            Some(_) => running.rfind(|it| it.call.stream_id.as_deref() == lane),
            None => running.next().filter(|_| running.next().is_none()),
        };
        if let Some(flight) = only {
            flight.call.timing = Some(timing);
        }
    }

    /// Whether a new response of the lane is the successor of one that was steered. One that says that
    /// it continues another is none.
    fn succeeds(&mut self, lane: Option<&str>, continues: Option<&str>) -> bool {
        let fits = |id: Option<&str>| id.is_none() || continues.is_none() || id == continues;
        let place = self.steered.iter().position(|steered| {
            steered.lane.as_deref() == lane && fits(steered.response_id.as_deref())
        });
        place.map(|place| self.steered.remove(place)).is_some()
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
            self.log.degrade(Some(EvidenceReason::CaptureLimit));
            return None;
        }
        let mut call = Call::new(&self.log.context, by, now);
        call.stream_id = lane.map(str::to_owned);
        self.open.push(Flight { call, answered: true });
        Some(self.open.len() - 1)
    }

    fn end(&mut self, place: usize, now: Duration, status: CallStatus) {
        let Flight { call, .. } = self.open.remove(place);
        if let Some(id) = &call.response_id {
            self.ended.insert(id);
        }
        if call.stop_reason.as_deref() == Some("steered") {
            if self.steered.len() >= MAX_OPEN {
                self.steered.remove(0); // its successor has not come for a long time
            }
            let (lane, response_id) = (call.stream_id.clone(), call.response_id.clone());
            self.steered.push(Steered { lane, response_id });
        }
        self.log.end(call, now, status);
    }
}

impl Interpreter for Lanes {
    fn client(&mut self, now: Duration, message: Payload<'_>) {
        let request = Request::read(message);
        self.log.took(request.walked);
        match request.kind.as_deref() {
            Some("response.create") => self.create(now, message, &request),
            Some("response.inject") => {
                let id = &request.response_id;
                let flight =
                    self.open.iter_mut().find(|it| id.is_some() && it.call.response_id == *id);
                if let (Some(flight), Some(input)) = (flight, request.input) {
                    item::input(&mut flight.call, input, false);
                    flight.call.match_results(&self.log.context);
                }
            }
            // Other events ask for no response; what they cause, the server says.
            Some(_) => {}
            None => self.log.degrade(Some(EvidenceReason::UnknownSchema)),
        }
    }

    fn server(&mut self, now: Duration, message: Payload<'_>) {
        self.event(now, message, None);
    }

    fn denied(&mut self, now: Duration, message: Payload<'_>, why: &CallError) -> bool {
        let request = Request::read(message);
        if !request.asks() {
            return false;
        }
        let mut call = self.requested(now, message, &request);
        call.error = Some(why.clone());
        self.log.end(call, now, CallStatus::Denied);
        true
    }

    fn unreadable(&mut self, reason: EvidenceReason) {
        self.log.degrade(Some(reason));
        for flight in &mut self.open {
            flight.call.degrade(reason);
        }
    }

    fn end_all(&mut self, now: Duration, status: CallStatus) {
        while let Some(flight) = self.open.first_mut() {
            let failed =
                flight.call.error.is_some() || self.connection.as_ref().is_some_and(is_end);
            if flight.call.error.is_none() && self.connection.is_some() {
                flight.call.error.clone_from(&self.connection);
                let code = self.connection.as_ref().and_then(|error| error.code.clone());
                set(&mut flight.call.stop_reason, code.filter(|_| failed));
            }
            self.end(0, now, if failed { CallStatus::Failed } else { status });
        }
    }

    fn log(&mut self) -> &mut Log {
        &mut self.log
    }
}

/// Whether an error says that the connection ends, and all that is open on it.
fn is_end(error: &CallError) -> bool {
    error.code.as_deref() == Some(responses::CONNECTION_LIMIT)
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
            | "response.done"
    )
}

/// Events that need not mean that a response has begun.
fn is_aside(kind: &str) -> bool {
    responses::is_metadata(kind)
        || kind.starts_with("response.steer.")
        || kind.starts_with("response.inject.")
}
