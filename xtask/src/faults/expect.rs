//! What is right for a cell: what the far side of the toxic is told, and what the ledger says.
//!
//! One total function. Two answers stand only where TCP itself leaves it open which comes.

use serde::Serialize;

use super::cell::{Cell, Phase, Side, Toxic, Variant};
use super::play::Told;

/// One right outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Outcome {
    pub(super) told: Told,
    /// Whose fault of which class, if there is one.
    pub(super) fault: Option<(String, String)>,
    /// How the exchange ended, if there was one.
    pub(super) close: Option<Close>,
}

/// Kind, by whom, and the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Close {
    pub(super) kind: String,
    pub(super) by: String,
    pub(super) code: Option<u16>,
}

/// The outcomes that are right for `cell`.
pub(super) fn expected(cell: Cell, variant: Variant) -> Vec<Outcome> {
    let side = cell.side.word();
    let speaks = variant.speaker == cell.side;
    // To the far side of the toxic, for a peer that broke off.
    let (lost, bad_gateway) = match cell.side {
        Side::Client => (Told::Close(1001), Told::NotCalled),
        Side::Upstream => (Told::Close(1011), Told::Status(502)),
    };
    let closed = close("normal", variant.speaker.word(), Some(1000));
    let ended = |kind| close(kind, side, None);
    let broken = |told, class| vec![outcome(told, Some((side, class)), ended("peer"))];

    use Toxic::{Latency, LimitData, Rate, ResetPeer, Slicer, SlowClose, Timeout};
    match (cell.toxic, cell.phase, cell.side) {
        (Latency | Rate | Slicer, _, _) => vec![outcome(Told::All, None, closed)],

        // Nobody was asked for anything.
        (LimitData | SlowClose | ResetPeer, Phase::Hello, Side::Client) => {
            vec![unasked(side, "tls")]
        }
        (Timeout, Phase::Hello, Side::Client) => vec![unasked(side, "tls_timeout")],
        (LimitData | SlowClose, Phase::Head, Side::Client) => vec![unasked(side, "eof")],
        (ResetPeer, Phase::Head, Side::Client) => vec![unasked(side, "reset")],
        (Timeout, Phase::Head, Side::Client) => {
            vec![outcome(Told::NotCalled, Some((side, "head_timeout")), ended("error"))]
        }

        // The client is told so over HTTP.
        (LimitData | SlowClose | ResetPeer, Phase::Hello, Side::Upstream) => {
            vec![outcome(bad_gateway, Some((side, "upstream_tls")), ended("error"))]
        }
        (Timeout, Phase::Hello, Side::Upstream) => {
            vec![outcome(Told::Status(504), Some((side, "upstream_tls")), ended("timeout"))]
        }
        (LimitData | SlowClose, Phase::Head | Phase::Switch, Side::Upstream) => {
            vec![outcome(bad_gateway, Some((side, "eof")), ended("error"))]
        }
        (ResetPeer, Phase::Head | Phase::Switch, Side::Upstream) => {
            vec![outcome(bad_gateway, Some((side, "reset")), ended("error"))]
        }
        (Timeout, Phase::Head | Phase::Switch, Side::Upstream) => {
            vec![outcome(Told::Status(504), Some((side, "handshake_timeout")), ended("timeout"))]
        }

        // The proxy has a verified 101 and sends it: the client leaves a tunnel.
        (LimitData, Phase::Switch, Side::Client) => vec![outcome(Told::End, None, ended("normal"))],
        // It leaves before there is one.
        (SlowClose | ResetPeer, Phase::Switch, Side::Client) => {
            vec![outcome(Told::End, None, ended("peer"))]
        }

        // A direction that ends inside a frame has no place for a Close.
        (LimitData | SlowClose, Phase::Frame, _) if speaks => broken(Told::End, "eof"),
        (ResetPeer, Phase::Frame, _) if speaks => broken(Told::End, "reset"),
        (Timeout, Phase::Frame, _) if speaks => {
            vec![outcome(Told::End, Some((side, "stall")), close("timeout", "proxy", Some(1008)))]
        }

        // Nothing of the side's own is under way.
        (LimitData | SlowClose, Phase::Frame | Phase::Between, _) => {
            vec![outcome(Told::End, None, ended("normal"))]
        }
        (ResetPeer, Phase::Frame | Phase::Between, _) => broken(lost, "reset"),
        (Timeout, Phase::Switch | Phase::Frame | Phase::Between, _) => {
            vec![outcome(Told::Close(1001), None, close("timeout", "proxy", Some(1001)))]
        }

        // The first Close has said how it ends.
        (LimitData | SlowClose | ResetPeer | Timeout, Phase::Close, _) => {
            vec![outcome(Told::End, None, closed)]
        }
    }
}

fn outcome(told: Told, fault: Option<(&str, &str)>, close: Close) -> Outcome {
    let fault = fault.map(|(side, class)| (side.to_owned(), class.to_owned()));
    Outcome { told, fault, close: Some(close) }
}

/// A connection that ended before there was a request.
fn unasked(side: &str, class: &str) -> Outcome {
    let fault = Some((side.to_owned(), class.to_owned()));
    Outcome { told: Told::NotCalled, fault, close: None }
}

fn close(kind: &str, by: &str, code: Option<u16>) -> Close {
    Close { kind: kind.to_owned(), by: by.to_owned(), code }
}
