//! What came of each cell, laid beside what is right, as a table and as JSON.

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::IN_TIME;
use super::cell::{Cell, Phase, Side, Toxic, Variant};
use super::expect::{Close, Outcome, expected};
use super::play::{Played, Told};
use crate::ledger::{Ledger, Record};

/// The cells so far.
#[derive(Default)]
pub(super) struct Table {
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    cell: Cell,
    #[serde(flatten)]
    variant: Variant,
    #[serde(flatten)]
    outcome: Option<Outcome>,
    /// From the beginning of the toxic until the far side knew.
    told_ms: u128,
    /// Messages that came whole.
    messages: usize,
    /// What is wrong with it.
    wrong: Option<String>,
}

impl Table {
    /// Judges one cell by its own connection in the ledger.
    pub(super) fn add(
        &mut self,
        cell: Cell,
        variant: Variant,
        played: Result<Played>,
        ledger: &Ledger,
    ) {
        let mut line = Line { cell, variant, outcome: None, told_ms: 0, messages: 0, wrong: None };
        let judged = played.and_then(|played| {
            line.told_ms = played.after.as_millis();
            line.messages = played.messages;
            let outcome = recorded(&played, ledger)?;
            line.outcome = Some(outcome.clone());
            check(&played, &outcome)
        });
        line.wrong = judged.err().map(|error| format!("{error:#}"));
        self.lines.push(line);
    }

    /// Prints seconds by toxic, side and phase, the longest of the variants, then what is wrong.
    pub(super) fn print(&self) {
        print!("\n{:<11} {:<9}", "toxic", "side");
        for phase in Phase::ALL {
            print!(" {:>10}", phase.word());
        }
        println!("   seconds until the other side knew");
        for toxic in Toxic::ALL {
            for side in Side::ALL {
                print!("{:<11} {:<9}", toxic.word(), side.word());
                for phase in Phase::ALL {
                    print!(" {:>10}", self.shown(Cell { toxic, side, phase }));
                }
                println!();
            }
        }
        println!();
        for line in &self.lines {
            if let Some(wrong) = &line.wrong {
                let Cell { toxic, side, phase } = line.cell;
                let Variant { speaker, compressed } = line.variant;
                let speaker = speaker.word();
                let squeezed = if compressed { ", compressed" } else { "" };
                println!(
                    "WRONG {} {} {} ({speaker} speaks{squeezed}): {wrong}",
                    toxic.word(),
                    side.word(),
                    phase.word()
                );
            }
        }
    }

    fn shown(&self, cell: Cell) -> String {
        let lines = || self.lines.iter().filter(|line| line.cell == cell);
        if lines().any(|line| line.wrong.is_some()) {
            return "WRONG".into();
        }
        let longest = lines().map(|line| line.told_ms).max().unwrap_or_default();
        format!("{}.{:02}", longest / 1000, longest % 1000 / 10)
    }

    pub(super) fn failed(&self) -> usize {
        self.lines.iter().filter(|line| line.wrong.is_some()).count()
    }

    /// Counts in one line.
    pub(super) fn summary(&self) -> String {
        let failed = self.failed();
        let passed = self.lines.len() - failed;
        let messages: usize = self.lines.iter().map(|line| line.messages).sum();
        format!("{passed} cells as they must be, {failed} not, {messages} messages compared")
    }

    pub(super) fn json(&self, seed: u64) -> String {
        serde_json::json!({"seed": seed, "cells": self.lines}).to_string()
    }
}

fn check(played: &Played, outcome: &Outcome) -> Result<()> {
    let right = expected(played.cell, played.variant);
    ensure!(right.contains(outcome), "{outcome:?} in place of {right:?}");
    ensure!(played.after < IN_TIME, "told after {:?}", played.after);
    Ok(())
}

/// What the ledger says of the one connection of a cell.
fn recorded(played: &Played, ledger: &Ledger) -> Result<Outcome> {
    let from = played.from.to_string();
    let opened = one(ledger.records.iter().filter_map(|record| match record {
        Record::Opened { conn, peer } if peer.as_deref() == Some(&from) => Some(conn),
        _ => None,
    }))?;
    let conn = opened.context("the ledger has no such connection")?;
    let fault = one(ledger.faults().filter(|fault| fault.conn.as_ref() == Some(conn)))?;
    let close = match one(ledger.decided().filter(|decided| decided.conn == *conn))? {
        None => None,
        Some(decided) => {
            let close = &ledger.ended(&decided.exchange).context("no end")?.close;
            let by = close.by.clone().unwrap_or_default();
            Some(Close { kind: close.kind.clone(), by, code: close.code })
        }
    };
    let told =
        if played.told == Told::NotCalled && played.was_called() { Told::End } else { played.told };
    let fault = fault.map(|fault| (fault.side.clone(), fault.class.clone()));
    Ok(Outcome { told, fault, close })
}

/// The only one, if there is any.
fn one<T>(mut of: impl Iterator<Item = T>) -> Result<Option<T>> {
    let first = of.next();
    ensure!(of.next().is_none(), "the ledger has two of what there is one of");
    Ok(first)
}
