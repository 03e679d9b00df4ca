//! The verdicts as a table by section and arrangement, and as JSON.

use super::arrangement::Arrangement;
use super::cases::SECTIONS;
use super::verdict::{Judged, Verdict};

/// All verdicts of a run.
#[derive(Default)]
pub(super) struct Table {
    columns: Vec<(Arrangement, Vec<Judged>)>,
}

/// The verdicts that are told apart in the table, in this order.
const SHOWN: [Verdict; 6] = [
    Verdict::Ok,
    Verdict::Informational,
    Verdict::NonStrict,
    Verdict::Unimplemented,
    Verdict::Failed,
    Verdict::Missing,
];

impl Table {
    pub(super) fn add(&mut self, arrangement: Arrangement, judged: Vec<Judged>) {
        self.columns.push((arrangement, judged));
    }

    /// Prints a table for each arrangement, then every verdict that needs a word.
    pub(super) fn print(&self) {
        for (arrangement, judged) in &self.columns {
            print!("\n{:<28} {:>5}", arrangement.word(), "cases");
            for verdict in SHOWN {
                print!(" {:>13}", verdict.word());
            }
            println!();
            for (section, title) in SECTIONS {
                let name = format!("{section:>2} {title}");
                line(&name, judged.iter().filter(|judged| judged.case.section() == section));
            }
            line("   all", judged.iter());
        }
        println!();
        for judged in self.all().filter(|judged| judged.reason.is_some() || !judged.passed) {
            let (word, reason) = (judged.verdict.word(), judged.reason.as_deref().unwrap_or(""));
            let result = if judged.passed { "named" } else { "WRONG" };
            println!("{result} {} {} {word}: {reason}", judged.arrangement.word(), judged.case);
        }
    }

    pub(super) fn failed(&self) -> usize {
        self.all().filter(|judged| !judged.passed).count()
    }

    /// Counts in one line.
    pub(super) fn summary(&self) -> String {
        let counts = SHOWN.map(|verdict| (count(self.all(), verdict), verdict.word()));
        let shown = counts.iter().filter(|(count, _)| *count > 0);
        shown.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn json(&self) -> String {
        serde_json::json!(self.all().collect::<Vec<_>>()).to_string()
    }

    fn all(&self) -> impl Iterator<Item = &Judged> {
        self.columns.iter().flat_map(|(_, judged)| judged)
    }
}

fn line<'a>(name: &str, judged: impl Iterator<Item = &'a Judged>) {
    let judged: Vec<&Judged> = judged.collect();
    if judged.is_empty() {
        return;
    }
    print!("{name:<28} {:>5}", judged.len());
    for verdict in SHOWN {
        let count = count(judged.iter().copied(), verdict);
        print!(" {:>13}", if count > 0 { count.to_string() } else { String::new() });
    }
    println!();
}

fn count<'a>(judged: impl Iterator<Item = &'a Judged>, verdict: Verdict) -> usize {
    judged.filter(|judged| judged.verdict == verdict).count()
}
