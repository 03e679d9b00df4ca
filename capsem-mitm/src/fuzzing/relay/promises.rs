//! What must hold of every run, held against the naive reader of the codec's tests.
//!
//! It knows what each side sent and what the host was to say, and asks whether what the other side
//! got, what the host was shown and how the end is told follow from that.

use super::{
    course::Course,
    heard::{Heard, frames},
    host::{Fate, REFUSED, REVOKED, Shown},
    peer::End,
    script::{HEADS, Op, Script, Verdict, index},
};
use crate::ws::{CloseKind, Ended, Fault, Side};
use capsem_ws_codec::{
    Role,
    fuzzing::{Seen, Transcript, naive},
};

/// What one side said, as far as it kept the rules.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) from: Role,
    /// Its bytes up to the first that breaks a rule, or to its Close.
    pub(super) bytes: Vec<u8>,
    /// How many it sent.
    pub(super) sent: usize,
    pub(super) read: Transcript,
}

impl Said {
    /// `None` where the naive reader cannot tell.
    pub(super) fn of(script: &Script, from: Role) -> Option<Self> {
        let mut bytes = script.sent(from);
        let read = naive::read(from, script.deflate, script.limits, &bytes)?;
        let sent = bytes.len();
        bytes.truncate(read.consumed);
        Some(Self { from, bytes, sent, read })
    }

    fn message(&self, number: usize) -> Option<&Seen> {
        self.read.items.iter().filter(|item| matches!(item, Seen::Message { .. })).nth(number)
    }
}

/// Holds a run against what both sides said.
pub(super) fn check(script: &Script, course: &Course, said: &[Said; 2]) {
    let mut refused = false;
    for said in said {
        let shown = &course.shown[index(said.from)];
        refused |= check_fates(script, said, shown);
        let heard = Heard::of(script, course, said);
        heard.check_order(script, said, shown, course.outlived);
        heard.check_counts(script, course, said, shown);
        heard.check_close(script, course);
        let refusals = |shown: &Shown| {
            let passed = |fate: &&Fate| matches!(fate, Fate::Passed(_));
            shown.fates.len() - shown.fates.iter().filter(passed).count() + shown.unjudged.len()
        };
        let most = match said.from {
            Role::Client => 0,
            Role::Server => course.shown.iter().map(refusals).sum(),
        };
        assert!(heard.answers <= most, "{} answers to {most} refusals", heard.answers);
    }
    if course.outlived {
        check_open(script, course, said, refused);
    } else {
        check_cause(script, &course.ended, said, refused);
    }
}

/// Each message met the verdict that was to meet it, and none is made up. Whether one ended the
/// tunnel.
fn check_fates(script: &Script, said: &Said, shown: &Shown) -> bool {
    let mut waited = script.judged(said.from);
    let mut over = false;
    for (number, fate) in shown.fates.iter().enumerate() {
        assert!(!over, "{fate:?} after the end");
        let message = said.message(number).expect("a message that was sent");
        let verdict = verdict(script, said.from, shown, number, message, &mut waited);
        let is_right = match (fate, verdict) {
            (Fate::Passed(seen), Verdict::Flow | Verdict::Forward)
            | (Fate::Refused(seen), Verdict::Answer | Verdict::Silence | Verdict::Close) => {
                seen == message
            }
            (Fate::Dropped, Verdict::Answer | Verdict::Silence) => shown.unjudged.contains(&number),
            _ => false,
        };
        assert!(is_right, "{verdict:?} came to {fate:?} of {message:?}");
        let compressed = matches!(message, Seen::Message { compressed: true, .. });
        over = ends(script, said.from, verdict, compressed);
    }
    let amid = shown.fates.len();
    over || shown.unjudged.last() == Some(&amid)
        && ends(script, said.from, script.plan(said.from).unjudged(amid), true)
}

/// What was to be said of a message, after the right question.
fn verdict(
    script: &Script,
    from: Role,
    shown: &Shown,
    number: usize,
    message: &Seen,
    waited: &mut impl Iterator<Item = Verdict>,
) -> Verdict {
    let plan = script.plan(from);
    let Some(most) = plan.hold(number) else { return Verdict::Flow };
    let &Seen::Message { len, wire_len, truncated, .. } = message else { unreachable!() };
    let fits = !truncated && len <= most as u64;
    if shown.judged.contains(&number) {
        assert!(fits && !shown.unjudged.contains(&number), "{message:?} was too long to judge");
        return match plan.verdict(number) {
            Verdict::Wait => waited.next().unwrap_or(Verdict::Forward),
            verdict => verdict,
        };
    }
    assert!(shown.unjudged.contains(&number), "nobody was asked about {message:?}");
    assert!(!fits || wire_len > (most + HEADS) as u64, "{message:?} could have been judged");
    plan.unjudged(number)
}

/// Whether a verdict ends the tunnel: also a refusal without which what follows cannot be read.
fn ends(script: &Script, from: Role, verdict: Verdict, compressed: bool) -> bool {
    let takeover = script.deflate.is_some_and(|agreed| match from {
        Role::Client => !agreed.client_no_context_takeover,
        Role::Server => !agreed.server_no_context_takeover,
    });
    match verdict {
        Verdict::Close => true,
        Verdict::Answer | Verdict::Silence => takeover && compressed,
        Verdict::Flow | Verdict::Forward | Verdict::Wait => false,
    }
}

/// Bytes of an answer at least, and of those that may wait.
const ANSWER: usize = 2 + "0123456789abcdef Client 0".len();
const ASIDES: usize = 64 * 1024;

/// An open tunnel stays open while nobody ends it and nobody is silent inside a frame.
fn check_open(script: &Script, course: &Course, said: &[Said; 2], refused: bool) {
    let ended = script.has(|op| matches!(op, Op::End(..) | Op::Revoke | Op::Drain | Op::Drop));
    assert!(!ended && !refused && script.idle_timeout.is_zero(), "the tunnel was to end");
    for Said { from, read, .. } in said {
        // Refusals of the client wait for the end of a message, and what it says next for them.
        let fates = &course.shown[index(Role::Client)].fates;
        let refused = fates.iter().filter(|fate| matches!(fate, Fate::Refused(_))).count();
        let told_later = said[index(Role::Server)].read.in_message;
        if *from == Role::Client && told_later && refused * ANSWER > ASIDES {
            continue;
        }
        assert!(read.error.is_none() && !read.closed && read.frame_consumed == 0, "{read:?}");
    }
}

/// The end is told as something that happened.
fn check_cause(script: &Script, ended: &Ended, said: &[Said; 2], refused: bool) {
    let Ended { close, fault, .. } = ended;
    let class = fault.as_ref().map(|fault| fault.class);
    let by = match close.by {
        Some(Side::Client) => Some(Role::Client),
        Some(Side::Upstream) => Some(Role::Server),
        Some(Side::Proxy) | None => None,
    };
    let is_true = match (by, close.kind) {
        (Some(by), kind) => said[index(by)].ends_so(script, ended, kind),
        (None, CloseKind::Policy) => match &*close.reason {
            REFUSED => refused,
            REVOKED => script.has(|op| matches!(op, Op::Revoke)),
            _ => false,
        },
        (None, CloseKind::Timeout) => match fault {
            None => !script.idle_timeout.is_zero(),
            Some(Fault { side, class: "stall", .. }) => {
                said.iter().any(|said| Side::from(said.from) == *side && said.stands_still(script))
            }
            Some(_) => false,
        },
        (None, CloseKind::Normal) => script.has(|op| matches!(op, Op::Drain)),
        (None, CloseKind::Error) => script.has(|op| matches!(op, Op::Drop)),
        (None, CloseKind::Peer) => false,
    };
    assert!(is_true, "{ended:?} did not happen");
    let faultless = matches!(
        (by, close.kind),
        (_, CloseKind::Normal | CloseKind::Policy) | (None, CloseKind::Error)
    );
    assert!(!faultless || class.is_none(), "{ended:?}");
}

impl Said {
    /// Whether this side ended as it is told.
    fn ends_so(&self, script: &Script, ended: &Ended, kind: CloseKind) -> bool {
        let Ended { close, fault, .. } = ended;
        let class = fault.as_ref().map(|fault| fault.class);
        let end = script.end(self.from);
        let amid = self.read.frame_consumed > 0 || self.read.in_message;
        match (self.read.error, self.read.items.last()) {
            (Some(error), _) if kind == CloseKind::Error => {
                class == Some(error.class())
                    && close.code == Some(error.close_code().into())
                    && close.reason == error.to_string()
            }
            (None, Some(Seen::Close { code, reason })) if close.clean => {
                let is_normal = matches!(code, None | Some(1000 | 1001));
                (kind == if is_normal { CloseKind::Normal } else { CloseKind::Peer })
                    && (close.code, &close.reason) == (*code, reason)
            }
            _ if class == Some("reset") => end.is_some_and(End::is_deaf),
            (None, _) if !self.read.closed => {
                let kinds =
                    if amid { (CloseKind::Peer, Some("eof")) } else { (CloseKind::Normal, None) };
                end.is_some_and(|end| end != End::Reset) && (kind, class) == kinds
            }
            _ => false,
        }
    }

    /// Whether this side is ever silent inside a frame, or takes nothing.
    fn stands_still(&self, script: &Script) -> bool {
        let mut borders = vec![0];
        for frame in frames(self.from, &self.bytes) {
            borders.push(borders[borders.len() - 1] + frame.bytes.len());
        }
        if self.read.frame_consumed > 0 {
            borders.pop();
        }
        let pauses = script.pauses(self.from);
        pauses.iter().any(|at| !borders.contains(at))
            || script.has(|op| matches!(op, Op::Take(side, _) if *side == self.from))
    }
}
