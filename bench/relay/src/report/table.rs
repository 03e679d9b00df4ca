//! A table of each case: proxies down, shapes across.

use std::fmt::Write as _;

use super::Measured;
use crate::harness::Outcome;
use crate::proxies::Role;
use crate::subject::Metric;

const LEGEND: &str = "A cell: the figure, and times the blind tunnel with 8 KiB buffers by the \
median of the rounds' ratios. Less is better but for GiB/s and sockets/s.\n";

/// The tables of all cases, in Markdown.
pub fn tables(cases: &[Measured]) -> String {
    let mut text = LEGEND.to_owned();
    for group in cases.chunk_by(|one, other| one.case.name == other.case.name) {
        let _ = write!(text, "\n## {}\n\n| |", group[0].case.name);
        let mut columns = 0;
        for measured in group {
            for metric in measured.metrics() {
                let (_, unit) = metric.words(&measured.case);
                let which = match metric {
                    Metric::LatencyP50 => "p50 ",
                    Metric::LatencyP99 => "p99 ",
                    _ => "",
                };
                let _ = write!(text, " {}: {which}{unit} |", measured.case.shape);
                columns += 1;
            }
        }
        let _ = writeln!(text, "\n|---|{}", "---|".repeat(columns));
        for (index, outcome) in group[0].outcomes.iter().enumerate() {
            let bold = if outcome.entry.role == Role::Ours { "**" } else { "" };
            let _ = write!(text, "| {bold}{}{bold} |", outcome.entry.name);
            for measured in group {
                let outcome = &measured.outcomes[index];
                if let Err(failed) = &outcome.rounds {
                    let _ = write!(text, " FAILED: {failed} |");
                    continue;
                }
                for metric in measured.metrics() {
                    let _ = write!(text, " {} |", cell(measured, outcome, metric));
                }
            }
            text.push('\n');
        }
    }
    text
}

fn cell(measured: &Measured, outcome: &Outcome, metric: Metric) -> String {
    let Some(figure) = outcome.median(metric) else { return String::new() };
    let times = measured.baseline().and_then(|other| outcome.times(other, metric));
    let times = times.map_or_else(String::new, |times| format!(", {times:.2}x"));
    format!("{}{times}", digits(figure))
}

/// Three digits.
fn digits(figure: f64) -> String {
    match figure {
        ..10.0 => format!("{figure:.3}"),
        ..100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}
