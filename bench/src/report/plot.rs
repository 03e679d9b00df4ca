//! The plot of decoding masked frames: ns a frame over payload size, both on log scales.
//!
//! Readable on a light and on a dark page: what is not coloured takes the page's ink.

use std::fmt::Write as _;

use super::{Measured, method};
use crate::case::{Bench, size_name};
use crate::ours;
use crate::subject::Kind;

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 470.0;
const LEFT: f64 = 56.0;
/// Right of this are the names of the lines.
const RIGHT: f64 = 560.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 430.0;
/// Between two names at least.
const LINE: f64 = 16.0;

const COLOURS: [&str; 9] = [
    "#4e79a7", "#f28e2b", "#e15759", "#3aa39b", "#59a14f", "#b8920f", "#b07aa1", "#d9598c",
    "#9c755f",
];

const STYLE: &str = "<style>\
text{font:13px sans-serif;fill:#24292f}.title{font-weight:bold}.axis{fill:#6e7781;font-size:12px}\
.grid{stroke:#6e7781;stroke-opacity:.25}.line{fill:none;stroke-width:1.5}\
.ours{stroke:#24292f;stroke-width:3.5}.floor{stroke:#24292f;stroke-dasharray:5 4}.bold{font-weight:bold}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.axis{fill:#9198a1}.ours,.floor{stroke:#e6edf3}}\
</style>";

/// An SVG of the floor, the codec and its peers.
pub fn decode_masked(cases: &[Measured], caption: &str) -> String {
    let wanted =
        |measured: &&Measured| measured.case.bench == Bench::Decode && measured.case.masked;
    let cases: Vec<&Measured> = cases.iter().filter(wanted).collect();
    let lines = lines(&cases);
    let scale = Scale::of(&lines);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Time to decode a masked frame over its size\">\n{STYLE}\n"
    );
    let _ = writeln!(
        svg,
        "<text class=\"title\" x=\"{LEFT}\" y=\"18\">Decode masked binary frames: ns a frame (less \
         is better)</text>\n<text class=\"axis\" x=\"{LEFT}\" y=\"35\">{caption}</text>"
    );
    grid(&mut svg, &cases, &scale);
    for line in &lines {
        draw(&mut svg, line, &scale);
    }
    names(&mut svg, &lines, &scale);
    svg.push_str("</svg>\n");
    svg
}

struct Line {
    name: String,
    class: &'static str,
    colour: Option<&'static str>,
    /// Bytes and nanoseconds.
    points: Vec<(f64, f64)>,
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
        lines.push(Line { name: "floor by hand".into(), class: "floor", colour: None, points });
    }
    let Some(first) = cases.first() else { return lines };
    let mut colours = COLOURS.into_iter().cycle();
    for (index, outcome) in first.outcomes.iter().enumerate() {
        let (class, colour) = match outcome.kind {
            Kind::Ours if outcome.name == ours::NAME => ("ours", None),
            Kind::Peer => ("peer", colours.next()),
            _ => continue,
        };
        let package = outcome.package.unwrap_or(outcome.name);
        let name = format!("{package} {}", method::version(package));
        if let Some(points) = points(&|case| case.outcomes[index].ns()) {
            lines.push(Line { name, class, colour, points });
        }
    }
    lines
}

/// From bytes and nanoseconds to places.
struct Scale {
    /// Powers of two.
    sizes: (f64, f64),
    /// Powers of ten.
    ns: (f64, f64),
}

impl Scale {
    fn of(lines: &[Line]) -> Self {
        let points = || lines.iter().flat_map(|line| &line.points);
        let sizes = || points().map(|(size, _)| size.log2());
        let ns = || points().map(|(_, ns)| ns.log10());
        Self {
            sizes: (sizes().fold(f64::MAX, f64::min), sizes().fold(0.0, f64::max)),
            ns: (ns().fold(f64::MAX, f64::min).floor(), ns().fold(0.0, f64::max).ceil()),
        }
    }

    fn x(&self, size: f64) -> f64 {
        let (low, high) = self.sizes;
        LEFT + (RIGHT - LEFT) * (size.log2() - low) / (high - low).max(1.0)
    }

    fn y(&self, ns: f64) -> f64 {
        let (low, high) = self.ns;
        BOTTOM - (BOTTOM - TOP) * (ns.log10() - low) / (high - low).max(1.0)
    }
}

fn grid(svg: &mut String, cases: &[&Measured], scale: &Scale) {
    for measured in cases {
        let x = scale.x(measured.case.size as f64);
        let name = size_name(measured.case.size);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/>\
             <text class=\"axis\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
            BOTTOM + 18.0
        );
    }
    let mut ns = 10_f64.powf(scale.ns.0);
    while ns <= 10_f64.powf(scale.ns.1) * 1.01 {
        let y = scale.y(ns);
        let name = match ns {
            ..1e3 => format!("{ns:.0} ns"),
            ..1e6 => format!("{:.0} us", ns / 1e3),
            _ => format!("{:.0} ms", ns / 1e6),
        };
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>\
             <text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
            LEFT - 6.0,
            y + 4.0
        );
        ns *= 10.0;
    }
}

fn draw(svg: &mut String, line: &Line, scale: &Scale) {
    let mut path = String::new();
    for (index, &(size, ns)) in line.points.iter().enumerate() {
        let step = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{step}{:.1} {:.1}", scale.x(size), scale.y(ns));
    }
    let stroke = line.colour.map_or_else(String::new, |colour| format!(" stroke=\"{colour}\""));
    let _ = writeln!(svg, "<path class=\"line {}\"{stroke} d=\"{path}\"/>", line.class);
}

/// The names, each where its line ends or as near below as there is room.
fn names(svg: &mut String, lines: &[Line], scale: &Scale) {
    let end = |line: &Line| line.points.last().map_or(BOTTOM, |&(_, ns)| scale.y(ns));
    let mut ordered: Vec<&Line> = lines.iter().collect();
    ordered.sort_by(|one, other| end(one).total_cmp(&end(other)));
    let mut free = TOP;
    for line in ordered {
        let (from, y) = (end(line), end(line).max(free));
        free = y + LINE;
        let bold = if line.class == "ours" { " class=\"bold\"" } else { "" };
        let stroke = line.colour.map_or_else(String::new, |colour| format!(" stroke=\"{colour}\""));
        let _ = writeln!(
            svg,
            "<path class=\"line {}\"{stroke} style=\"stroke-width:1\" d=\"M{RIGHT} {from:.1}L{:.1} \
             {y:.1}\"/><text{bold} x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            line.class,
            RIGHT + 22.0,
            RIGHT + 26.0,
            y + 4.0,
            line.name
        );
    }
}
