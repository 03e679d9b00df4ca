//! The goals for the codec's speed, and whether a run reached them.

use std::fmt::Write as _;

use super::Measured;
use crate::case::Bench;
use crate::harness::Outcome;
use crate::ours;
use crate::subject::Kind;

/// Time over time in one run, at most.
struct Goal {
    floor: f64,
    peer: Option<f64>,
}

/// One line a case that has a goal.
pub fn lines(cases: &[Measured]) -> String {
    let mut text = String::new();
    let (mut reached, mut all) = (0, 0);
    for measured in cases {
        let Some(goal) = goal(measured) else { continue };
        let mut parts = Vec::new();
        let mut against = |verdict: Option<Verdict>| {
            let Some(verdict) = verdict else { return };
            all += 1;
            reached += usize::from(verdict.reached);
            parts.push(verdict.text);
        };
        against(against_floor(measured, goal.floor));
        if let Some(most) = goal.peer {
            against(against_peer(measured, most));
        }
        if !parts.is_empty() {
            let _ = writeln!(text, "- {}: {}", measured.case, parts.join("; "));
        }
    }
    let _ = writeln!(text, "\n{reached} of {all} goals reached.");
    text
}

struct Verdict {
    text: String,
    reached: bool,
}

/// The codec's main row against the fastest floor.
fn against_floor(measured: &Measured, most: f64) -> Option<Verdict> {
    verdict(measured.ours()?, measured.best(Kind::Floor)?, most)
}

/// The codec in its fastest use against the fastest peer in its own, copies or not.
fn against_peer(measured: &Measured, most: f64) -> Option<Verdict> {
    let (ours, peer) = (measured.best(Kind::Ours)?, measured.best(Kind::Peer)?);
    let mut verdict = verdict(ours, peer, most)?;
    if ours.name != ours::NAME {
        verdict.text = format!("{} {}", ours.name, verdict.text);
    }
    let floor = measured.best(Kind::Floor)?.ns()? / peer.ns()?;
    if !verdict.reached && floor > most {
        let _ = write!(verdict.text, " (the floor is {floor:.2}x of it)");
    }
    Some(verdict)
}

/// The ratio of medians decides; that of the rounds is said too.
fn verdict(ours: &Outcome, other: &Outcome, most: f64) -> Option<Verdict> {
    let (times, rounds) = (ours.ns()? / other.ns()?, ours.by_round(other)?);
    let reached = times <= most;
    let word = if reached { "reached" } else { "NOT REACHED" };
    let name = other.name.trim_start_matches("floor: ");
    let text = format!("{times:.2}x (by round {rounds:.2}x) of {name}, goal {most:.2}x, {word}");
    Some(Verdict { text, reached })
}

fn goal(measured: &Measured) -> Option<Goal> {
    const KIB: usize = 1024;
    let case = measured.case;
    let (floor, peer) = match (case.bench, case.masked, case.size) {
        (Bench::Head, ..) => (1.5, Some(0.35)),
        (Bench::Decode, true, ..KIB) => (1.5, Some(0.30)),
        (Bench::Decode, true, KIB) => (1.3, Some(0.40)),
        (Bench::Decode, true, ..=0x4000) => (1.25, Some(0.75)),
        (Bench::Decode, true, _) => (1.15, Some(0.85)),
        (Bench::Decode, false, _) => (1.6, Some(0.20)),
        (Bench::DecodeText, _, ..=KIB) => (1.3, Some(0.6)),
        (Bench::DecodeText, ..) => (1.3, Some(0.9)),
        (Bench::Encode, ..) => (1.25, Some(1.0)),
        (Bench::Inflate, ..) => (1.05, None),
        (Bench::Mask | Bench::Utf8, ..) => return None,
    };
    Some(Goal { floor, peer })
}
