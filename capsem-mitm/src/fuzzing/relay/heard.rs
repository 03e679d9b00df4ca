//! What one side got: frames of the other side, answers in place of some, a Close.

use super::{
    course::Course,
    host::{Fate, Shown},
    peer::End,
    promises::Said,
    script::{Op, Plan, Script, Verdict, index},
};
use crate::ws::{Close, CloseKind, Ended, Side};
use capsem_ws_codec::{
    Compression, FrameHead, Role,
    fuzzing::{Seen, naive},
};
use std::iter;

/// A frame as it is on the wire, or the beginning of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) bytes: &'a [u8],
    is_whole: bool,
}

impl Frame<'_> {
    fn is_control(&self) -> bool {
        self.bytes[0] & 0x08 != 0
    }

    fn is_close(&self) -> bool {
        self.bytes[0] == 0x88
    }

    /// Whether it may be the beginning of an answer of the host's.
    fn begins_answer(&self, mark: &[u8]) -> bool {
        let text = self.bytes.get(2..).unwrap_or_default();
        let len = text.len().min(mark.len());
        self.bytes[0] == 0x81 && text[..len] == mark[..len]
    }

    fn is_final(&self) -> bool {
        self.is_whole && self.bytes[0] & 0x80 != 0
    }
}

/// The frames of `from`; the last one may not be whole.
pub(super) fn frames(from: Role, mut bytes: &[u8]) -> Vec<Frame<'_>> {
    let next = || {
        let head = FrameHead::parse(bytes, from, Compression::PerMessage);
        let len = match head {
            Ok(Some((head, used))) => used.saturating_add(usize::try_from(head.len).ok()?),
            Ok(None) | Err(_) => usize::MAX,
        };
        let is_whole = len <= bytes.len();
        let (frame, rest) = bytes.split_at(len.min(bytes.len()));
        bytes = rest;
        (!frame.is_empty()).then_some(Frame { bytes: frame, is_whole })
    };
    iter::from_fn(next).collect()
}

/// What one side got.
#[derive(Debug)]
pub(super) struct Heard<'a> {
    from: Role,
    /// Frames of the other side.
    relayed: Vec<Frame<'a>>,
    /// Answers of the host, in place of messages it refused.
    pub(super) answers: usize,
    /// Whether a Close ends it.
    closed: bool,
    /// The code of that Close, if it is none of the other side's.
    told: Option<u16>,
    /// It ends inside a frame.
    amid: bool,
}

impl<'a> Heard<'a> {
    pub(super) fn of(script: &Script, course: &'a Course, said: &Said) -> Self {
        let got = &course.got[index(said.from.peer())];
        let read =
            naive::read(said.from, script.deflate, script.limits, got).expect("a part of it");
        assert_eq!(read.error, None, "what one side may not say the other does not hear: {read:?}");
        assert_eq!(read.consumed, got.len(), "nothing follows a Close");
        let mark = format!("{:016x}", script.mark);
        let is_answer = |frame: &Frame<'_>| frame.bytes.get(2..18) == Some(mark.as_bytes());
        let (answers, mut relayed): (Vec<_>, Vec<_>) =
            frames(said.from, got).into_iter().partition(is_answer);
        let theirs = frames(said.from, &said.bytes);
        let controls = |frames: &[Frame<'_>]| frames.iter().filter(|f| f.is_control()).count();
        let is_theirs = |relayed: &[Frame<'_>]| {
            let last = relayed.last().zip(theirs.last());
            last.is_some_and(|(it, sent)| sent.bytes.starts_with(it.bytes))
                && controls(relayed) == controls(&theirs)
        };
        let amid = relayed.last().is_some_and(|frame| !frame.is_whole);
        let mut told = None;
        if let (true, Some(Seen::Close { code, .. })) = (read.closed, read.items.last()) {
            if !(said.read.closed && is_theirs(&relayed)) {
                relayed.pop();
                told = *code;
            }
        } else if let Some(last) = relayed.last().filter(|last| !last.is_whole) {
            // Of what is ours, too, the beginning may be all that was taken.
            let is_close = last.is_close() && !is_theirs(&relayed);
            let is_answer = said.from == Role::Server && script.refuses();
            if is_close || is_answer && last.begins_answer(mark.as_bytes()) {
                relayed.pop();
            }
        }
        Self { from: said.from, relayed, answers: answers.len(), closed: read.closed, told, amid }
    }

    /// All that was approved is there, in order and unchanged, and nothing else: as yet, or to its end.
    pub(super) fn check_order(&self, script: &Script, said: &Said, shown: &Shown, to_end: bool) {
        let approved = Approved::of(script.plan(self.from), said, shown);
        let (mut data, mut control) = (0, 0);
        for frame in &self.relayed {
            let sent = if frame.is_control() {
                let Some((sent, [least, most])) = approved.control.get(control) else {
                    panic!("{frame:?} is made up");
                };
                assert!((*least..=*most).contains(&data), "{frame:?} is out of order");
                control += 1;
                sent
            } else {
                data += 1;
                approved.data.get(data - 1).expect("a frame that was approved")
            };
            let is_same =
                if frame.is_whole { sent == frame } else { sent.bytes.starts_with(frame.bytes) };
            assert!(is_same, "{frame:?} instead of {sent:?}");
        }
        if to_end {
            assert_eq!((data, control), (approved.data.len(), approved.control.len()));
            let relayed: usize = self.relayed.iter().map(|frame| frame.bytes.len()).sum();
            assert_eq!(relayed, approved.len(), "the last frame too");
        }
    }

    /// What is counted is what went on: no less than what came, and exactly that after an orderly
    /// end.
    pub(super) fn check_counts(
        &self,
        script: &Script,
        course: &Course,
        said: &Said,
        shown: &Shown,
    ) {
        let ended = &course.ended;
        let counted = match self.from {
            Role::Client => ended.to_upstream,
            Role::Server => ended.to_client,
        };
        let passed = shown.fates.iter().filter_map(|fate| match fate {
            Fate::Passed(Seen::Message { len, .. }) => Some(*len),
            _ => None,
        });
        let (messages, message_bytes) = passed.fold((0, 0), |(n, sum), len| (n + 1, sum + len));
        assert_eq!((counted.messages, counted.message_bytes), (messages, message_bytes));
        let frames = self.relayed.iter().filter(|frame| frame.is_whole).count() as u64;
        let wire_bytes: usize = self.relayed.iter().map(|frame| frame.bytes.len()).sum();
        let came = (frames, wire_bytes as u64);
        let count = (counted.frames, counted.wire_bytes);
        assert!(came.0 <= count.0 && came.1 <= count.1, "{count:?} counted, {came:?} came");
        assert!(counted.wire_bytes <= said.sent as u64);
        let orderly = ended.fault.is_none() && ended.close.kind == CloseKind::Normal;
        if orderly && hears_all(script, self.from.peer()) {
            assert_eq!(count, came, "{ended:?}");
        }
    }

    /// A Close of our own has the code that the cause asks for, and is there wherever one may be.
    pub(super) fn check_close(&self, script: &Script, course: &Course) {
        let to = self.from.peer();
        let owed = owed(&course.ended, to);
        if matches!(course.ended.close, Close { kind: CloseKind::Error, by: None, .. }) {
            // Dropped, maybe while it was telling of something else.
            return;
        }
        assert!(self.told.is_none() || self.told == owed, "{:?}, not {owed:?}", self.told);
        if owed.is_some() && hears_all(script, to) {
            assert!(self.closed || self.amid, "{to:?} is not told");
        }
    }
}

/// Whether `side` takes all it is sent.
fn hears_all(script: &Script, side: Role) -> bool {
    !script.end(side).is_some_and(End::is_deaf)
        && !script.has(|op| matches!(op, Op::Take(..) | Op::Drop))
}

/// The code that `to` is owed after an end: its own fault's, or what the innocent hear.
fn owed(ended: &Ended, to: Role) -> Option<u16> {
    let innocent = match to {
        Role::Client => 1011,
        Role::Server => 1001,
    };
    let Ended { close, fault, .. } = ended;
    match (close.kind, fault) {
        (CloseKind::Error, Some(fault)) if fault.side == to.into() => close.code,
        (CloseKind::Timeout, Some(fault)) if fault.side == to.into() => Some(1008),
        (CloseKind::Peer, Some(fault)) if fault.class == "eof" || fault.side == to.into() => None,
        (_, Some(_)) => Some(innocent),
        (CloseKind::Policy, None) => Some(if to == Role::Client { 1008 } else { 1001 }),
        (CloseKind::Timeout, None) => Some(1001),
        (CloseKind::Normal, None) if close.by == Some(Side::Proxy) => Some(1001),
        (_, None) => None,
    }
}

/// What of one side goes on.
#[derive(Debug, Default)]
struct Approved<'a> {
    data: Vec<Frame<'a>>,
    /// With how many frames of data go before each, at least and at most.
    control: Vec<(Frame<'a>, [usize; 2])>,
}

impl<'a> Approved<'a> {
    fn of(plan: Plan, said: &'a Said, shown: &Shown) -> Self {
        let mut approved = Self::default();
        let mut number = 0;
        // Where the last message begins, if it is held: what may pass it by comes after that.
        let mut held = None;
        let mut between = true;
        for frame in frames(said.from, &said.bytes) {
            let holds = plan.hold(number).is_some()
                && !(shown.unjudged.contains(&number) && plan.unjudged(number) == Verdict::Forward);
            let before = approved.data.len();
            if frame.is_control() {
                // One that is not whole waits for its end where messages are held, or for the
                // verdict of the message it came behind.
                let behind = number.checked_sub(1).map(|last| plan.verdict(last));
                if frame.is_whole || !holds || behind == Some(Verdict::Wait) {
                    approved.control.push((frame, [held.unwrap_or(before), before]));
                }
                continue;
            }
            if between {
                held = plan.hold(number).map(|_| before);
            }
            let passes = match shown.fates.get(number) {
                Some(Fate::Passed(_)) => true,
                Some(Fate::Refused(_) | Fate::Dropped) => false,
                None => !holds,
            };
            if passes {
                approved.data.push(frame);
            }
            between = frame.is_final();
            number += usize::from(between);
        }
        approved
    }

    fn len(&self) -> usize {
        let control = self.control.iter().map(|(frame, _)| frame);
        self.data.iter().chain(control).map(|frame| frame.bytes.len()).sum()
    }
}
