//! The table `accept` prints, row by row as they end.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::rows::Mode;

/// The rows so far.
pub(super) struct Table {
    rows: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    row: &'static str,
    mode: Mode,
    passed: bool,
    /// What was compared, with its numbers; or what failed.
    detail: String,
    seconds: f64,
}

impl Table {
    pub(super) fn new() -> Self {
        println!("{:<34} {:<12} {:<7} {:>6}  compared", "row", "mode", "result", "time");
        Self { rows: Vec::new() }
    }

    /// Waits for one row, prints and keeps it.
    pub(super) async fn add(
        &mut self,
        row: &'static str,
        mode: Mode,
        outcome: impl Future<Output = Result<String>>,
    ) {
        let began = Instant::now();
        let outcome = outcome.await;
        let seconds = (began.elapsed().as_secs_f64() * 100.0).round() / 100.0;
        let (passed, detail) = match outcome {
            Ok(detail) => (true, detail),
            Err(error) => (false, format!("{error:#}")),
        };
        let result = if passed { "passed" } else { "FAILED" };
        println!("{row:<34} {:<12} {result:<7} {seconds:>5.1}s  {detail}", mode.word());
        self.rows.push(Line { row, mode, passed, detail, seconds });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn json(&self) -> String {
        serde_json::json!(self.rows).to_string()
    }

    /// Prints the last line; returns how many failed.
    pub(super) fn finish(&self) -> usize {
        let failed = self.rows.iter().filter(|row| !row.passed).count();
        let total: f64 = self.rows.iter().map(|row| row.seconds).sum();
        println!("{:?} in all", Duration::from_secs_f64(total.round()));
        println!("{} passed, {failed} failed", self.rows.len() - failed);
        failed
    }
}
