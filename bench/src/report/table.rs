//! A table of each bench: implementations down, sizes across.

use std::fmt::Write as _;

use super::{Measured, gib_per_s, method};
use crate::case::size_name;
use crate::harness::Outcome;
use crate::subject::Kind;

const LEGEND: &str = "A cell: ns a frame, GiB/s of payload, times the floor, times the best peer. \
The floor and the best peer are the fastest of their rows, in bold. Rows in italics do more or \
less than the case asks. A library without a row has nothing that does just this.\n";

/// The tables of all cases, in Markdown.
pub fn tables(cases: &[Measured]) -> String {
    let mut text = LEGEND.to_owned();
    for group in cases.chunk_by(|one, other| title(one) == title(other)) {
        let _ = write!(text, "\n## {}\n\n| |", title(&group[0]));
        for measured in group {
            let _ = write!(text, " {} |", size_name(measured.case.size));
        }
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(group.len()));
        text.push('\n');
        for (index, outcome) in group[0].outcomes.iter().enumerate() {
            let _ = write!(text, "| {} |", name(outcome));
            for measured in group {
                let _ = write!(text, " {} |", cell(measured, &measured.outcomes[index]));
            }
            text.push('\n');
        }
    }
    text
}

fn title(measured: &Measured) -> String {
    let masked = if measured.case.masked { "masked" } else { "unmasked" };
    format!("{} {masked}", measured.case.bench.name())
}

fn name(outcome: &Outcome) -> String {
    let version = outcome.package.map(|package| format!(" {}", method::version(package)));
    let name = format!("{}{}", outcome.name, version.unwrap_or_default());
    match outcome.kind {
        Kind::Ours => format!("**{name}**"),
        Kind::Known => format!("*{name}*"),
        Kind::Floor | Kind::Variant | Kind::Peer => name,
    }
}

fn cell(measured: &Measured, outcome: &Outcome) -> String {
    let ns = match (outcome.ns(), &outcome.rounds) {
        (Some(ns), _) => ns,
        (None, Err(failed)) => return format!("FAILED: {failed}"),
        (None, Ok(_)) => return String::new(),
    };
    let times = |kind| {
        let best = measured.best(kind).and_then(Outcome::ns);
        best.map_or_else(|| "-".to_owned(), |best| format!("{:.2}x", ns / best))
    };
    let gib = gib_per_s(measured.case.size, ns);
    let line =
        format!("{}, {gib:.3$}, {}, {}", short(ns), times(Kind::Floor), times(Kind::Peer), 1);
    let best = [Kind::Floor, Kind::Peer].into_iter().filter_map(|kind| measured.best(kind));
    if best.into_iter().any(|best| std::ptr::eq(best, outcome)) {
        return format!("**{line}**");
    }
    line
}

/// Three digits, or thousands.
fn short(ns: f64) -> String {
    match ns {
        ..100.0 => format!("{ns:.1}"),
        ..10_000.0 => format!("{ns:.0}"),
        _ => format!("{:.1}k", ns / 1000.0),
    }
}
