//! Which of the calls that are open an event belongs to that names none: by its lane, and by how far
//! each is. Changes nothing.

use super::{Flight, Lanes};

impl Lanes {
    /// The lane of an event that names none, from a service without lanes, where no request waits for
    /// an answer without a name.
    pub(super) fn only_lane(&self, kind: &str) -> Option<String> {
        let unnamed = |it: &Flight| it.call.stream_id.is_none();
        if !self.serial || !kind.starts_with("response.") || self.open.iter().any(unnamed) {
            return None;
        }
        let running = self.open.iter().rfind(|it| it.answered);
        running.or(self.open.first()).and_then(|flight| flight.call.stream_id.clone())
    }

    /// The lane's oldest request without an answer.
    pub(super) fn waiting(&self, lane: Option<&str>) -> Option<usize> {
        self.open.iter().position(|it| !it.answered && it.call.stream_id.as_deref() == lane)
    }

    /// The oldest request without an answer whose lane has a name that is none.
    pub(super) fn misnamed(&self) -> Option<usize> {
        let misnamed = |lane: &str| !is_lane(lane);
        self.open
            .iter()
            .position(|it| !it.answered && it.call.stream_id.as_deref().is_some_and(misnamed))
    }

    /// The lane's response that began last.
    pub(super) fn running_place(&self, lane: Option<&str>) -> Option<usize> {
        self.open.iter().rposition(|it| it.answered && it.call.stream_id.as_deref() == lane)
    }
}

/// Whether a name is one of a lane.
fn is_lane(name: &str) -> bool {
    let letter = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b'-');
    (1..=256).contains(&name.len()) && name.bytes().all(letter)
}
