//! The plot of what a round trip costs over the number of sockets.

use chart::{Chart, Line, Style};

use super::Measured;
use crate::case::Kind;
use crate::proxies::{BASELINE, Role};
use crate::subject::Metric;

const METRIC: Metric = Metric::CpuPerMillionMessages;

/// An SVG of every proxy that did all of it.
pub fn round_trips(cases: &[Measured], caption: String) -> String {
    let sockets = |measured: &Measured| match measured.case {
        crate::case::Case { name: "many_connections", kind: Kind::Echo(sockets), .. } => {
            Some(sockets as f64)
        }
        _ => None,
    };
    let cases: Vec<(f64, &Measured)> =
        cases.iter().filter_map(|it| Some((sockets(it)?, it))).collect();
    let names = cases.first().map(|(_, measured)| &measured.outcomes).into_iter().flatten();
    let lines = names.enumerate().filter_map(|(index, outcome)| {
        let cost = |measured: &Measured| measured.outcomes.get(index)?.median(METRIC);
        let points = cases.iter().map(|(sockets, it)| Some((*sockets, cost(it)? * 1e3)));
        let style = match (outcome.entry.name, outcome.entry.role) {
            (BASELINE, _) => Style::Floor,
            (_, Role::Ours) => Style::Ours,
            (_, Role::Blind | Role::Peer) => Style::Peer,
        };
        let name = outcome.entry.name.to_owned();
        Some(Line { name, style, points: points.collect::<Option<_>>()? })
    });
    let chart = Chart {
        title:
            "Echo of 128 bytes, 64 sockets busy: the proxy's CPU time a round trip (less is better)"
                .into(),
        caption,
        label: "CPU time of a round trip over the number of open sockets".into(),
        ticks: cases.iter().map(|(sockets, _)| (*sockets, format!("{sockets}"))).collect(),
        lines: lines.collect(),
    };
    chart.svg()
}
