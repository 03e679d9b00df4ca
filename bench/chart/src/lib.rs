//! Lines of a benchmark as an SVG, both ways on log scales. Refuses to know what was measured.
//!
//! Readable on a light and on a dark page: what is not coloured takes the page's ink.

#![forbid(unsafe_code)]

use std::fmt::Write as _;

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

/// Times over something that grows.
pub struct Chart {
    /// What is shown, and which way is better.
    pub title: String,
    /// Where and when it was measured.
    pub caption: String,
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// Places on the axis that grows, and their names.
    pub ticks: Vec<(f64, String)>,
    /// What was measured.
    pub lines: Vec<Line>,
}

/// One line.
pub struct Line {
    /// Stands at its end.
    pub name: String,
    /// How it is drawn.
    pub style: Style,
    /// What grows, and nanoseconds.
    pub points: Vec<(f64, f64)>,
}

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// What this is about.
    Ours,
    /// The least there can be, or what all are held against.
    Floor,
    /// Another.
    Peer,
}

impl Style {
    fn class(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Floor => "floor",
            Self::Peer => "peer",
        }
    }
}

impl Chart {
    /// The whole document.
    pub fn svg(&self) -> String {
        let Self { title, caption, label, ticks, lines } = self;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{label}\">\n{STYLE}\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"18\">{title}</text>\n\
             <text class=\"axis\" x=\"{LEFT}\" y=\"35\">{caption}</text>\n"
        );
        let scale = Scale::of(lines);
        grid(&mut svg, ticks, &scale);
        let mut colours = COLOURS.into_iter().cycle();
        let lines: Vec<(&Line, String)> =
            lines.iter().map(|it| (it, ink(it, &mut colours))).collect();
        for (line, ink) in &lines {
            draw(&mut svg, line, ink, &scale);
        }
        names(&mut svg, lines, &scale);
        svg.push_str("</svg>\n");
        svg
    }
}

/// The attributes of a line's path.
fn ink(line: &Line, colours: &mut impl Iterator<Item = &'static str>) -> String {
    let colour = (line.style == Style::Peer).then(|| colours.next()).flatten();
    let stroke = colour.map_or_else(String::new, |colour| format!(" stroke=\"{colour}\""));
    format!("class=\"line {}\"{stroke}", line.style.class())
}

/// From what grows and nanoseconds to places.
struct Scale {
    /// Powers of two.
    across: (f64, f64),
    /// Powers of ten.
    ns: (f64, f64),
}

impl Scale {
    fn of(lines: &[Line]) -> Self {
        let points = || lines.iter().flat_map(|line| &line.points);
        let across = || points().map(|(it, _)| it.log2());
        let ns = || points().map(|(_, ns)| ns.log10());
        Self {
            across: (across().fold(f64::MAX, f64::min), across().fold(0.0, f64::max)),
            ns: (ns().fold(f64::MAX, f64::min).floor(), ns().fold(0.0, f64::max).ceil()),
        }
    }

    fn x(&self, across: f64) -> f64 {
        let (low, high) = self.across;
        LEFT + (RIGHT - LEFT) * (across.log2() - low) / (high - low).max(1.0)
    }

    fn y(&self, ns: f64) -> f64 {
        let (low, high) = self.ns;
        BOTTOM - (BOTTOM - TOP) * (ns.log10() - low) / (high - low).max(1.0)
    }
}

fn grid(svg: &mut String, ticks: &[(f64, String)], scale: &Scale) {
    for (at, name) in ticks {
        let x = scale.x(*at);
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

fn draw(svg: &mut String, line: &Line, ink: &str, scale: &Scale) {
    let mut path = String::new();
    for (index, &(across, ns)) in line.points.iter().enumerate() {
        let step = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{step}{:.1} {:.1}", scale.x(across), scale.y(ns));
    }
    let _ = writeln!(svg, "<path {ink} d=\"{path}\"/>");
}

/// The names, each where its line ends or as near below as there is room.
fn names(svg: &mut String, mut lines: Vec<(&Line, String)>, scale: &Scale) {
    let end = |line: &Line| line.points.last().map_or(BOTTOM, |&(_, ns)| scale.y(ns));
    lines.sort_by(|(one, _), (other, _)| end(one).total_cmp(&end(other)));
    let mut free = TOP;
    for (line, ink) in lines {
        let (from, y) = (end(line), end(line).max(free));
        free = y + LINE;
        let bold = if line.style == Style::Ours { " class=\"bold\"" } else { "" };
        let _ = writeln!(
            svg,
            "<path {ink} style=\"stroke-width:1\" d=\"M{RIGHT} {from:.1}L{:.1} {y:.1}\"/>\
             <text{bold} x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            RIGHT + 22.0,
            RIGHT + 26.0,
            y + 4.0,
            line.name
        );
    }
}
