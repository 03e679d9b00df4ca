//! How a tunnel ended: who closed, with which code, for which cause, and what each side is told.
//!
//! One total function, [`Cause::told`], maps a cause to the Close codes of both sides; one,
//! [`Cause::ended`], to the record's words. Neither does I/O.

use super::session::Refusal;
use capsem_ws_codec::{CloseCode, Counters, Error, Role};
use std::time::Duration;

/// How a tunnel ended. Given to [`Session::on_end`](super::Session::on_end) exactly once.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ended {
    /// Who closed and why.
    pub close: Close,
    /// The rule, limit or peer that broke, if one did.
    pub fault: Option<Fault>,
    /// What was read from the client and sent upstream.
    pub to_upstream: Counters,
    /// What was read from upstream and sent to the client.
    pub to_client: Counters,
    /// From the first relayed byte's readiness to the end.
    pub duration: Duration,
}

/// The end in words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Close {
    /// The kind of end.
    pub kind: CloseKind,
    /// Who ended it; `None` when the tunnel was cancelled from outside.
    pub by: Option<Side>,
    /// The Close code that was seen or, for an end of our making, sent; `None` for an end without
    /// a Close frame and for a Close frame without a code.
    pub code: Option<u16>,
    /// The Close frame's reason, or what happened in a few words.
    pub reason: String,
    /// Whether a Close frame of `by` began it.
    pub clean: bool,
}

/// The five ways to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseKind {
    /// Close 1000, 1001 or without a code, or an end of stream between messages.
    Normal,
    /// A rule ended it.
    Policy,
    /// A peer ended it another way: another code, a reset, an end in the middle of a message.
    Peer,
    /// A deadline passed.
    Timeout,
    /// A protocol violation, a limit, or a failure of our own.
    Error,
}

/// One of the three parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that sent the upgrade.
    Client,
    /// The server it was sent to.
    Upstream,
    /// This relay.
    Proxy,
}

impl From<Role> for Side {
    fn from(role: Role) -> Self {
        match role {
            Role::Client => Self::Client,
            Role::Server => Self::Upstream,
        }
    }
}

/// What broke, where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Whose doing it was.
    pub side: Side,
    /// A word of the closed list of fault classes: `mask`, `utf8`, `frame_limit`, `stall`, ...
    pub class: &'static str,
    /// What happened, with its numbers.
    pub detail: String,
}

/// The first thing that decided the end.
#[derive(Debug)]
pub(super) enum Cause {
    /// A Close frame came from `by` and was relayed.
    Closed { by: Role, code: Option<u16>, reason: String },
    /// The stream of `by` ended without a Close frame.
    Eof { by: Role, amid: bool },
    /// `by` broke the protocol or a limit.
    Violation { by: Role, error: Error },
    /// The connection of `by` failed.
    Lost { by: Role, error: std::io::Error },
    /// `by` was silent amid a frame, or did not read.
    Stalled { by: Role, after: Duration },
    /// A rule of the host ended it.
    Refused(Refusal),
    /// Nobody sent anything.
    Idle { after: Duration },
    /// The drain signal was given.
    Drained,
    /// The tunnel's future was dropped.
    Cancelled,
}

/// The Close codes to write, if any: to the client, to upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) client: Option<CloseCode>,
    pub(super) upstream: Option<CloseCode>,
}

impl Told {
    const NOTHING: Self = Self { client: None, upstream: None };

    /// `code` to the side at fault; an innocent upstream hears 1001, an innocent client 1011.
    fn fault_of(by: Role, code: Option<CloseCode>) -> Self {
        match by {
            Role::Client => Self { client: code, upstream: Some(CloseCode::GOING_AWAY) },
            Role::Server => Self { client: Some(CloseCode::INTERNAL), upstream: code },
        }
    }
}

impl Cause {
    /// What each side is told. A Close or an end of stream was relayed as it came and needs none.
    pub(super) fn told(&self) -> Told {
        match self {
            Self::Closed { .. } | Self::Eof { .. } | Self::Cancelled => Told::NOTHING,
            Self::Violation { by, error } => Told::fault_of(*by, Some(error.close_code())),
            Self::Lost { by, .. } => Told::fault_of(*by, None),
            Self::Stalled { by, .. } => Told::fault_of(*by, Some(CloseCode::POLICY)),
            Self::Refused(_) => {
                Told { client: Some(CloseCode::POLICY), upstream: Some(CloseCode::GOING_AWAY) }
            }
            Self::Idle { .. } | Self::Drained => {
                Told { client: Some(CloseCode::GOING_AWAY), upstream: Some(CloseCode::GOING_AWAY) }
            }
        }
    }

    /// The cause in one word, as the reason of our own Close.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.word,
            Self::Violation { error, .. } => error.class(),
            Self::Stalled { .. } => "stall",
            Self::Idle { .. } => "idle",
            Self::Drained => "draining",
            Self::Lost { .. } => "peer lost",
            Self::Closed { .. } | Self::Eof { .. } | Self::Cancelled => "",
        }
    }

    /// The end in the record's words.
    pub(super) fn ended(&self, up: Counters, down: Counters, duration: Duration) -> Ended {
        Ended {
            close: self.close(),
            fault: self.fault(),
            to_upstream: up,
            to_client: down,
            duration,
        }
    }

    fn close(&self) -> Close {
        let (kind, by, code, reason) = match self {
            Self::Closed { by, code, reason } => {
                let kind = match code {
                    None | Some(1000 | 1001) => CloseKind::Normal,
                    Some(_) => CloseKind::Peer,
                };
                (kind, Some((*by).into()), *code, reason.clone())
            }
            Self::Eof { by, amid: false } => {
                let reason = "end of stream without a Close frame".to_owned();
                (CloseKind::Normal, Some((*by).into()), None, reason)
            }
            Self::Eof { by, amid: true } => {
                let reason = "end of stream inside a message".to_owned();
                (CloseKind::Peer, Some((*by).into()), None, reason)
            }
            Self::Violation { by, error } => {
                let code = Some(u16::from(error.close_code()));
                (CloseKind::Error, Some((*by).into()), code, error.to_string())
            }
            Self::Lost { by, error } => {
                (CloseKind::Peer, Some((*by).into()), None, error.to_string())
            }
            Self::Stalled { by, after } => {
                let code = Some(u16::from(CloseCode::POLICY));
                let reason = stalled(*by, *after);
                (CloseKind::Timeout, Some(Side::Proxy), code, reason)
            }
            Self::Refused(refusal) => {
                let code = Some(u16::from(CloseCode::POLICY));
                (CloseKind::Policy, Some(Side::Proxy), code, refusal.reason.clone())
            }
            Self::Idle { after } => {
                let code = Some(u16::from(CloseCode::GOING_AWAY));
                let reason = format!("no bytes from either side for {after:?}");
                (CloseKind::Timeout, Some(Side::Proxy), code, reason)
            }
            Self::Drained => {
                let code = Some(u16::from(CloseCode::GOING_AWAY));
                (CloseKind::Normal, Some(Side::Proxy), code, "the proxy is draining".to_owned())
            }
            Self::Cancelled => (CloseKind::Error, None, None, "cut off".to_owned()),
        };
        Close { kind, by, code, reason, clean: matches!(self, Self::Closed { .. }) }
    }

    fn fault(&self) -> Option<Fault> {
        let (by, class, detail) = match self {
            Self::Eof { by, amid: true } => (by, "eof", "stream ended inside a message".to_owned()),
            Self::Violation { by, error } => (by, error.class(), error.to_string()),
            Self::Lost { by, error } => (by, "reset", error.to_string()),
            Self::Stalled { by, after } => (by, "stall", stalled(*by, *after)),
            Self::Closed { .. }
            | Self::Eof { amid: false, .. }
            | Self::Refused(_)
            | Self::Idle { .. }
            | Self::Drained
            | Self::Cancelled => return None,
        };
        Some(Fault { side: (*by).into(), class, detail })
    }
}

fn stalled(by: Role, after: Duration) -> String {
    let who = match by {
        Role::Client => "client",
        Role::Server => "upstream",
    };
    format!("{who} was silent inside a frame, or took no bytes, for {after:?}")
}
