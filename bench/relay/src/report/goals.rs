//! The goals for what the program costs, and whether a run reached them.

use std::fmt::Write as _;

use super::Measured;
use crate::harness::Outcome;
use crate::proxies::{BASELINE, Role};
use crate::subject::Metric;

/// One line a figure that has a goal.
pub fn lines(cases: &[Measured]) -> String {
    let mut text = String::new();
    let (mut reached, mut all) = (0, 0);
    for measured in cases {
        for metric in measured.metrics() {
            let verdicts: Vec<Verdict> = verdicts(measured, metric);
            if verdicts.is_empty() {
                continue;
            }
            all += verdicts.len();
            reached += verdicts.iter().filter(|verdict| verdict.reached).count();
            let (_, unit) = metric.words(&measured.case);
            let texts: Vec<String> = verdicts.into_iter().map(|verdict| verdict.text).collect();
            let _ = writeln!(text, "- {}, {unit}: {}", measured.case.title(), texts.join("; "));
        }
    }
    let _ = writeln!(text, "\n{reached} of {all} goals reached.");
    text
}

struct Verdict {
    text: String,
    reached: bool,
}

impl Verdict {
    fn at_most(what: &str, found: f64, most: f64) -> Self {
        let reached = found <= most;
        let word = if reached { "reached" } else { "NOT REACHED" };
        let shown = (most * 1e3).round() / 1e3;
        Self { text: format!("{what}, goal {shown}, {word}"), reached }
    }
}

fn verdicts(measured: &Measured, metric: Metric) -> Vec<Verdict> {
    let Some(ours) = measured.ours() else { return vec![] };
    let of_tunnel = times_tunnel(measured, metric).and_then(|most| {
        let times = ours.times(measured.baseline()?, metric)?;
        Some(Verdict::at_most(&format!("{times:.2} of the {BASELINE}"), times, most))
    });
    let with_inflate = inflate(measured, ours, metric);
    let itself = at_most(measured, metric).and_then(|most| {
        let figure = ours.median(metric)?;
        Some(Verdict::at_most(&format!("{figure:.1}"), figure, most))
    });
    let of_peers = measured.outcomes.iter().filter(|it| it.entry.role == Role::Peer);
    let of_peers = of_peers.filter_map(|peer| {
        let most = times_peer(measured, metric)?;
        let times = ours.times(peer, metric)?;
        Some(Verdict::at_most(&format!("{times:.3} of {}", peer.entry.name), times, most))
    });
    [of_tunnel, with_inflate, itself].into_iter().flatten().chain(of_peers).collect()
}

/// Times the blind tunnel, at most.
fn times_tunnel(measured: &Measured, metric: Metric) -> Option<f64> {
    Some(match (measured.case.name, metric) {
        ("bulk_to_client" | "bulk_to_upstream", Metric::CpuPerGib) => 0.80,
        ("bulk_responses", Metric::CpuPerGib) => 1.0,
        ("stream_small", Metric::CpuPerMillionMessages) => 0.90,
        ("echo_small", Metric::CpuPerMillionMessages) => 0.95,
        (_, Metric::LatencyP50) => 1.03,
        (_, Metric::LatencyP99) => 1.1,
        (_, Metric::CpuPerHandshake) => 1.15,
        _ => return None,
    })
}

/// Times the blind tunnel and inflating what it passed on.
fn inflate(measured: &Measured, ours: &Outcome, metric: Metric) -> Option<Verdict> {
    let inflate = measured.inflate.filter(|_| metric == Metric::CpuPerGib)?;
    let tunnel = measured.baseline()?.median(metric)?;
    let times = ours.median(metric)? / (tunnel + inflate);
    let what = format!("{times:.2} of the {BASELINE} and {inflate:.2} for raw inflate");
    Some(Verdict::at_most(&what, times, 1.15))
}

/// In the metric's own unit.
fn at_most(measured: &Measured, metric: Metric) -> Option<f64> {
    if metric != Metric::RssPerConnection {
        return None;
    }
    Some(match measured.case.shape {
        "fresh" => 36.0,
        "deflate used both ways" => 110.0,
        _ => 45.0,
    })
}

/// Times each peer, at most.
fn times_peer(measured: &Measured, metric: Metric) -> Option<f64> {
    Some(match (measured.case.name, metric) {
        ("bulk_to_client" | "bulk_to_upstream", Metric::CpuPerGib) => 1.0 / 1.15,
        ("stream_small", Metric::CpuPerMillionMessages) => 1.0 / 8.0,
        _ => return None,
    })
}
