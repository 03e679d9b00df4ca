//! A stream of events on its way to the client, each judged before its last byte goes on. Where one
//! is refused the client is told in its place, and the stream ends.

use super::Screen;
use crate::{decide::Ruling, ws::BodyError};
use bytes::{Bytes, BytesMut};
use capsem_policy::Action;
use capsem_telemetry::{
    evidence::{self, MessageFacts},
    sse::Splitter,
};
use http_body::{Body as HttpBody, Frame};
use hyper::body::Incoming;
use std::{
    collections::VecDeque,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{SystemTime, UNIX_EPOCH},
};

/// Ends a stream of Chat Completions, and says nothing; so does an event without data, with which
/// servers of MCP begin one.
const DONE: &[u8] = b"[DONE]";

/// The body of such a stream.
pub(super) struct Events {
    screen: Screen,
    /// Until it has ended.
    inner: Option<Incoming>,
    splitter: Splitter,
    /// What came and has not gone on, and how much of the event it begins with has gone on.
    held: BytesMut,
    gone: usize,
    /// Events that are whole and yet to be judged.
    whole: VecDeque<Event>,
    /// The event under way is too long to be judged and may pass.
    passing: bool,
    /// Lines came that are no part of an event, and may pass.
    foreign: bool,
    asked: Option<Asked>,
    /// The response that the events are of, once one has said so.
    response: Option<String>,
    /// What may go on.
    out: BytesMut,
    /// Nothing comes after `out`.
    over: bool,
    trailers: Option<Frame<Bytes>>,
}

struct Event {
    data: Vec<u8>,
    truncated: bool,
    /// Bytes of the body since the event before it.
    len: usize,
}

/// An event that somebody else decides on.
struct Asked {
    answer: Pin<Box<dyn Future<Output = Result<(), &'static str>> + Send>>,
    event: Event,
    facts: MessageFacts,
    ruling: Ruling,
}

impl Events {
    pub(super) fn new(screen: Screen, body: Incoming) -> Self {
        let splitter = Splitter::new(screen.most());
        Self {
            screen,
            inner: Some(body),
            splitter,
            held: BytesMut::new(),
            gone: 0,
            whole: VecDeque::new(),
            passing: false,
            foreign: false,
            asked: None,
            response: None,
            out: BytesMut::new(),
            over: false,
            trailers: None,
        }
    }

    /// Takes what came next.
    fn push(&mut self, data: &Bytes) {
        self.held.extend_from_slice(data);
        self.split(data);
        if !self.whole.is_empty() || self.over {
            return;
        }
        if self.splitter.is_between_events() || self.passing {
            self.let_go(self.held.len());
        } else if self.held.len() > self.screen.most() && self.may_pass() {
            self.passing = true;
            self.let_go(self.held.len());
        }
    }

    /// Finds the events that end in `data`. What is no part of an event is nothing that can be judged.
    fn split(&mut self, data: &[u8]) {
        let whole = &mut self.whole;
        self.splitter.push(data, |event| whole.push_back(Event::of(event)));
        if self.splitter.has_foreign_lines() && !self.foreign {
            self.foreign = self.may_pass();
        }
    }

    /// Whether what cannot be judged goes on; if not, it is refused.
    fn may_pass(&mut self) -> bool {
        let ruling = self.screen.uninspectable();
        if let Err(ruling) = &ruling {
            self.refuse(self.held.len(), ruling, &MessageFacts::default(), 0);
        }
        ruling.is_ok()
    }

    /// Takes what is left at the end of the body.
    fn end(&mut self) {
        self.inner = None;
        // The blank line that an event under way lacks.
        self.split(b"\n\n");
    }

    /// Lets so many bytes of the event under way, or between events, go on.
    fn let_go(&mut self, len: usize) {
        self.gone += len;
        self.out.unsplit(self.held.split_to(len));
    }

    /// What is left of an event.
    fn rest(&mut self, event: &Event) -> usize {
        event.len.saturating_sub(mem::take(&mut self.gone)).min(self.held.len())
    }

    fn pass(&mut self, event: &Event) {
        let rest = self.rest(event);
        let event = self.held.split_to(rest);
        // The line feed of its last line counts for the next event.
        let line_feed = event.ends_with(b"\r") && self.held.starts_with(b"\n");
        self.out.unsplit(event);
        self.let_go(usize::from(line_feed));
    }

    fn judge(&mut self, event: Event) {
        let says = !matches!(event.data.trim_ascii(), b"" | DONE);
        if mem::take(&mut self.passing) || !says && !event.truncated {
            return self.pass(&event);
        }
        let mut facts = MessageFacts::read(&event.data);
        if event.data.contains(&b'\n') {
            facts.add_lines(&event.data);
        }
        self.response = facts.response_id.take().or(self.response.take());
        facts.response_id.clone_from(&self.response);
        let ruling = if event.truncated || !facts.readable {
            match self.screen.uninspectable() {
                Ok(()) => return self.pass(&event),
                Err(ruling) => ruling,
            }
        } else {
            self.screen.ruling(&event.data, &facts)
        };
        match ruling.action {
            Action::Allow => self.pass(&event),
            Action::Block => self.refuse_event(&event, &facts, &ruling),
            Action::Ask => {
                let answer = Box::pin(self.screen.ask(&ruling, &facts, event.data.len() as u64));
                self.asked = Some(Asked { answer, event, facts, ruling });
            }
        }
    }

    fn answered(&mut self, answer: Result<(), &'static str>, asked: Asked) {
        let Asked { event, facts, ruling, .. } = asked;
        match answer {
            Ok(()) => self.pass(&event),
            Err(why) => {
                let ruling = Ruling { reason: Some(why.to_owned()), ..ruling };
                self.refuse_event(&event, &facts, &ruling);
            }
        }
    }

    fn refuse_event(&mut self, event: &Event, facts: &MessageFacts, ruling: &Ruling) {
        let rest = self.rest(event);
        self.refuse(rest, ruling, facts, event.data.len() as u64);
    }

    /// Tells the client in place of what is held, and ends.
    fn refuse(&mut self, held: usize, ruling: &Ruling, facts: &MessageFacts, size: u64) {
        let refused = self.held.split_to(held);
        self.screen.exchanged.refuse_answer(&refused, ruling, facts.model.clone(), size);
        let api = self.screen.api;
        let reason = ruling.reason.as_deref().unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let rule = ruling.rule.as_deref();
        self.out
            .extend_from_slice(evidence::refused_event(api, facts, rule, reason, now).as_bytes());
        self.inner = None;
        self.whole.clear();
        self.held.clear();
        self.over = true;
    }
}

impl HttpBody for Events {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            while let (None, Some(event)) = (&this.asked, this.whole.pop_front()) {
                this.judge(event);
            }
            if !this.out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(this.out.split().freeze()))));
            }
            if let Some(mut asked) = this.asked.take() {
                let Poll::Ready(answer) = asked.answer.as_mut().poll(cx) else {
                    this.asked = Some(asked);
                    return Poll::Pending;
                };
                this.answered(answer, asked);
                continue;
            }
            if this.over {
                return Poll::Ready(this.trailers.take().map(Ok));
            }
            let Some(inner) = &mut this.inner else {
                this.over = true;
                this.let_go(this.held.len());
                continue;
            };
            match ready!(Pin::new(inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.push(&data),
                    Err(trailers) => {
                        this.trailers = Some(trailers);
                        this.end();
                    }
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => this.end(),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.out.is_empty() && self.trailers.is_none()
    }
}

impl Event {
    fn of(event: capsem_telemetry::sse::Event<'_>) -> Self {
        Self {
            data: event.data.to_vec(),
            truncated: event.truncated,
            len: usize::try_from(event.len).unwrap_or(usize::MAX),
        }
    }
}
