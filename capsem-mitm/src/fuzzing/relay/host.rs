//! The host of a tunnel: answers the hooks as its script says, and remembers what it was shown.

use super::script::{Plan, Script, Verdict, index};
use crate::ws::{Ended, Gate, Judging, Pause, Refusal, Revoked, Session};
use capsem_ws_codec::{Item, Message, Role, fuzzing::Seen};
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

/// Why a message is refused.
pub(super) const REFUSED: &str = "refused";
/// Why the host ends a tunnel of its own accord.
pub(super) const REVOKED: &str = "revoked";

/// What a host was shown of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// What became of each message, in order.
    pub(super) fates: Vec<Fate>,
    /// The messages, by number, that a verdict was asked on.
    pub(super) judged: Vec<usize>,
    /// Those that were said to be too long for one.
    pub(super) unjudged: Vec<usize>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Passed(Seen),
    Refused(Seen),
    /// Refused before it was whole, so that it is never shown.
    Dropped,
}

/// A host; its clones are one.
#[derive(Clone)]
pub(super) struct Host(Arc<Mutex<State>>);

pub(super) struct State {
    /// Marks what the host has the client told, which no peer can say by chance.
    mark: u64,
    sides: [Side; 2],
    pub(super) paused: bool,
    pub(super) revoked: bool,
    /// Verdicts on messages that wait are no longer waited for.
    pub(super) hurried: bool,
    ended: Vec<Ended>,
    /// The tunnel, if it waits for the host.
    waiting: Option<Waker>,
}

struct Side {
    plan: Plan,
    shown: Shown,
    verdicts: VecDeque<Verdict>,
    /// The message under way is refused; if it was not whole, nothing more is said of it.
    dropping: bool,
}

impl Host {
    pub(super) fn new(script: &Script) -> Self {
        let side = |from| Side {
            plan: script.plan(from),
            shown: Shown::default(),
            verdicts: VecDeque::new(),
            dropping: false,
        };
        Self(Arc::new(Mutex::new(State {
            mark: script.mark,
            sides: [side(Role::Client), side(Role::Server)],
            paused: false,
            revoked: false,
            hurried: false,
            ended: Vec::new(),
            waiting: None,
        })))
    }

    /// Changes something the tunnel may wait for.
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }

    pub(super) fn shown(&self) -> [Shown; 2] {
        let state = self.state();
        [state.sides[0].shown.clone(), state.sides[1].shown.clone()]
    }

    pub(super) fn ended(&self) -> Vec<Ended> {
        self.state().ended.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves with what `ready` comes to.
    fn until<T>(
        &self,
        mut ready: impl FnMut(&mut State) -> Option<T> + Send + 'static,
    ) -> Pin<Box<dyn Future<Output = T> + Send>> {
        let host = self.clone();
        Box::pin(poll_fn(move |cx| {
            let mut state = host.state();
            let done = ready(&mut state);
            if done.is_none() {
                state.waiting = Some(cx.waker().clone());
            }
            done.map_or(Poll::Pending, Poll::Ready)
        }))
    }
}

impl State {
    pub(super) fn judge(&mut self, from: Role, verdict: Verdict) {
        self.sides[index(from)].verdicts.push_back(verdict);
    }

    fn gate(&self, from: Role, verdict: Verdict) -> Gate {
        let refusal = Refusal { word: "rule".to_owned(), reason: REFUSED.to_owned() };
        match verdict {
            Verdict::Answer => Gate::Refuse {
                refusal,
                answer: answer(self.mark, from, self.sides[index(from)].shown.fates.len()),
            },
            Verdict::Silence => Gate::Refuse { refusal, answer: String::new() },
            Verdict::Close => Gate::Close(refusal),
            Verdict::Flow | Verdict::Forward | Verdict::Wait => Gate::Forward,
        }
    }
}

/// What the client is told in place of a message.
pub(super) fn answer(mark: u64, from: Role, message: usize) -> String {
    format!("{mark:016x} {from:?} {message}")
}

impl Session for Host {
    fn on_message(&mut self, from: Role, message: &Message<'_>) {
        let seen = Seen::from(Item::Message(*message));
        self.state().sides[index(from)].shown.fates.push(Fate::Passed(seen));
    }

    fn hold(&mut self, from: Role) -> Option<usize> {
        let side = &mut self.state().sides[index(from)];
        if mem::take(&mut side.dropping) {
            side.shown.fates.push(Fate::Dropped);
        }
        side.plan.hold(side.shown.fates.len())
    }

    fn judge(&mut self, from: Role, _: &Message<'_>) -> Gate {
        let mut state = self.state();
        let side = &mut state.sides[index(from)];
        let number = side.shown.fates.len();
        side.shown.judged.push(number);
        match side.plan.verdict(number) {
            Verdict::Wait => Gate::Wait(self.verdict(from)),
            verdict => state.gate(from, verdict),
        }
    }

    fn unjudged(&mut self, from: Role, _: u64) -> Gate {
        let mut state = self.state();
        let side = &mut state.sides[index(from)];
        let number = side.shown.fates.len();
        side.shown.unjudged.push(number);
        let verdict = side.plan.unjudged(number);
        side.dropping = verdict != Verdict::Forward;
        state.gate(from, verdict)
    }

    fn on_refused(&mut self, from: Role, message: &Message<'_>, _: &Refusal) {
        let side = &mut self.state().sides[index(from)];
        side.dropping = false;
        side.shown.fates.push(Fate::Refused(Seen::from(Item::Message(*message))));
    }

    fn pause(&mut self) -> Option<Pause> {
        let paused = self.state().paused;
        paused.then(|| self.until(|state| (!state.paused).then_some(())))
    }

    fn revoked(&mut self) -> Option<Revoked> {
        let refusal = || Refusal { word: "rule".to_owned(), reason: REVOKED.to_owned() };
        Some(self.until(move |state| state.revoked.then(refusal)))
    }

    fn on_end(&mut self, ended: &Ended) {
        self.state().ended.push(ended.clone());
    }
}

impl Host {
    fn verdict(&self, from: Role) -> Judging {
        self.until(move |state| {
            let hurried = state.hurried.then_some(Verdict::Forward);
            let verdict = state.sides[index(from)].verdicts.pop_front().or(hurried)?;
            Some(state.gate(from, verdict))
        })
    }
}
