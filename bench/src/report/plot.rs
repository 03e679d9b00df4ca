//! The plot of decoding masked frames: ns a frame over payload size.

use chart::{Chart, Line, Style};

use super::{Measured, method};
use crate::case::{Bench, size_name};
use crate::ours;
use crate::subject::Kind;

/// An SVG of the floor, the codec and its peers.
pub fn decode_masked(cases: &[Measured], caption: String) -> String {
    let wanted =
        |measured: &&Measured| measured.case.bench == Bench::Decode && measured.case.masked;
    let cases: Vec<&Measured> = cases.iter().filter(wanted).collect();
    let sizes = cases.iter().map(|measured| measured.case.size);
    let chart = Chart {
        title: "Decode masked binary frames: ns a frame (less is better)".into(),
        caption,
        label: "Time to decode a masked frame over its size".into(),
        ticks: sizes.map(|size| (size as f64, size_name(size))).collect(),
        lines: lines(&cases),
    };
    chart.svg()
}

/// The fastest floor of each size as one line, the codec, and every peer that has all sizes.
fn lines(cases: &[&Measured]) -> Vec<Line> {
    let points = |ns: &dyn Fn(&Measured) -> Option<f64>| {
        cases
            .iter()
            .map(|case| Some((case.case.size as f64, ns(case)?)))
            .collect::<Option<Vec<_>>>()
    };
    let mut lines = Vec::new();
    if let Some(points) = points(&|case| case.best(Kind::Floor)?.ns()) {
        lines.push(Line { name: "floor by hand".into(), style: Style::Floor, points });
    }
    let Some(first) = cases.first() else { return lines };
    for (index, outcome) in first.outcomes.iter().enumerate() {
        let style = match outcome.kind {
            Kind::Ours if outcome.name == ours::NAME => Style::Ours,
            Kind::Peer => Style::Peer,
            _ => continue,
        };
        let package = outcome.package.unwrap_or(outcome.name);
        let name = format!("{package} {}", method::version(package));
        if let Some(points) = points(&|case| case.outcomes[index].ns()) {
            lines.push(Line { name, style, points });
        }
    }
    lines
}
