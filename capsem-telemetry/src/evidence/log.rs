//! What the interpreters of a socket hand out: calls and tool uses as they end, and how much was
//! read. Knows no protocol.

use std::fmt::Debug;
use std::time::Duration;

use super::call::{Call, Context, Finished};
use super::input::{Payload, Walked};
use super::limits::Limits;
use crate::{CallError, CallStatus, Evidence, EvidenceReason, ToolUse};

/// Reads the messages of one protocol on a socket.
pub(super) trait Interpreter: Debug + Send {
    /// Reads a message of the client.
    fn client(&mut self, now: Duration, message: Payload<'_>);

    /// Reads a message of the server.
    fn server(&mut self, now: Duration, message: Payload<'_>);

    /// Reads a message of the client that was not let through. False if it asks for nothing that
    /// leaves a record.
    fn denied(&mut self, now: Duration, message: Payload<'_>, why: &CallError) -> bool;

    /// Notes why messages could not be read, also for all that is open.
    fn unreadable(&mut self, reason: EvidenceReason);

    /// Ends all that is open, because the socket has ended.
    fn end_all(&mut self, now: Duration, status: CallStatus);

    /// What came of it so far.
    fn log(&mut self) -> &mut Log;
}

/// What came of a socket so far.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) context: Context,
    pub(super) limits: Limits,
    finished: Vec<Finished>,
    tool_uses: Vec<ToolUse>,
    total: u64,
    missing: Option<EvidenceReason>,
    /// At least one message was read.
    read: bool,
}

impl Log {
    pub(super) fn new(context: Context) -> Self {
        let (finished, tool_uses) = (Vec::new(), Vec::new());
        let limits = Limits::new(context.exchange, context.attribution.provider);
        Self { context, limits, finished, tool_uses, total: 0, missing: None, read: false }
    }

    /// A message was read, as far as it could be.
    pub(super) fn took(&mut self, walked: Walked) {
        self.read |= walked.any;
        self.degrade(walked.missing);
    }

    /// A message was recognised without a look inside.
    pub(super) fn recognised(&mut self) {
        self.read = true;
    }

    pub(super) fn degrade(&mut self, reason: Option<EvidenceReason>) {
        self.missing = self.missing.or(reason);
    }

    /// Ends a call.
    pub(super) fn end(&mut self, call: Call, now: Duration, status: CallStatus) {
        let finished = call.end(&self.context, now, status);
        self.ended(finished);
    }

    /// A call has ended, in a context of its own.
    pub(super) fn ended(&mut self, finished: Finished) {
        self.degrade(finished.call.evidence.reason());
        self.total += 1;
        self.finished.push(finished);
    }

    /// A tool use has ended.
    pub(super) fn used(&mut self, tool: ToolUse) {
        self.degrade(tool.evidence.reason());
        self.tool_uses.push(tool);
    }

    /// Whether there is anything to take.
    pub(super) fn has_ended(&self) -> bool {
        !self.finished.is_empty() || !self.tool_uses.is_empty() || !self.limits.is_empty()
    }

    /// The calls that have ended since this was last asked, in the order they ended.
    pub(super) fn take_finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.finished)
    }

    /// The same of tool uses.
    pub(super) fn take_tool_uses(&mut self) -> Vec<ToolUse> {
        std::mem::take(&mut self.tool_uses)
    }

    /// Calls that have ended so far.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How much of the socket was read. A socket without messages was read whole.
    pub(super) fn evidence(&self) -> Evidence {
        match self.missing.or(self.limits.missing()) {
            None => Evidence::FULL,
            Some(reason) if self.read => Evidence::partial(reason),
            Some(reason) => Evidence::none(reason),
        }
    }
}
