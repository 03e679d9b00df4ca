//! What the attacks cost, beside what they may, as a table and as JSON.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::list::Attack;

/// How long a good client may wait for its echo while an attack goes on: a busy machine's share of
/// it is the attacker's own work.
const WAIT: Duration = Duration::from_secs(1);

/// CPU time in ms that a MiB which was sent may cost beside: what it costs to relay it, some three
/// times. A faster attacker sends more in the time it has.
const PER_MIB: u64 = 5;

/// What an attack came to.
pub(super) struct Cost {
    /// Bytes the attackers sent inside TCP or TLS.
    pub(super) sent: u64,
    pub(super) took: Duration,
    /// KiB beyond what was resident before, at the worst moment.
    pub(super) memory: u64,
    pub(super) cpu: Duration,
    /// The longest a good client waited for its echo.
    pub(super) wait: Duration,
}

#[derive(Serialize)]
struct Row {
    attack: &'static str,
    attackers: u32,
    sent_bytes: u64,
    took_ms: u128,
    memory_kib: u64,
    memory_limit_kib: u64,
    cpu_ms: u128,
    cpu_limit_ms: u64,
    good_client_wait_ms: u128,
    /// What is wrong; nothing if all is well.
    wrong: Option<String>,
}

/// Each line is printed as it comes.
pub(super) struct Table(Vec<Row>);

impl Table {
    pub(super) fn begin() -> Self {
        println!(
            "{:<40} {:>9} {:>10} {:>7} {:>10} {:>8} {:>7} {:>8} {:>8}",
            "attack",
            "attackers",
            "sent KiB",
            "ms",
            "memory KiB",
            "at most",
            "CPU ms",
            "at most",
            "good ms"
        );
        Self(Vec::new())
    }

    pub(super) fn add(&mut self, attack: &Attack, cost: Result<Cost>) {
        let (cost, wrong) = match cost {
            Ok(cost) => {
                let wrong = wrong(attack, &cost);
                (Some(cost), wrong)
            }
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        let ms =
            |part: fn(&Cost) -> Duration| cost.as_ref().map_or(0, |cost| part(cost).as_millis());
        let row = Row {
            attack: attack.name,
            attackers: attack.attackers,
            sent_bytes: cost.as_ref().map_or(0, |cost| cost.sent),
            took_ms: ms(|cost| cost.took),
            memory_kib: cost.as_ref().map_or(0, |cost| cost.memory),
            memory_limit_kib: attack.memory,
            cpu_ms: ms(|cost| cost.cpu),
            cpu_limit_ms: cost.as_ref().map_or(attack.cpu, |cost| cpu_limit(attack, cost)),
            good_client_wait_ms: ms(|cost| cost.wait),
            wrong,
        };
        row.print();
        self.0.push(row);
    }

    pub(super) fn failed(&self) -> usize {
        self.0.iter().filter(|row| row.wrong.is_some()).count()
    }

    pub(super) fn summary(&self) -> String {
        format!("{} attacks, {} failed", self.0.len(), self.failed())
    }

    pub(super) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(&self.0)?)
    }
}

impl Row {
    fn print(&self) {
        println!(
            "{:<40} {:>9} {:>10} {:>7} {:>10} {:>8} {:>7} {:>8} {:>8}  {}",
            self.attack,
            self.attackers,
            self.sent_bytes.div_ceil(1024),
            self.took_ms,
            self.memory_kib,
            self.memory_limit_kib,
            self.cpu_ms,
            self.cpu_limit_ms,
            self.good_client_wait_ms,
            self.wrong.as_deref().unwrap_or("passed")
        );
    }
}

fn cpu_limit(attack: &Attack, cost: &Cost) -> u64 {
    attack.cpu + PER_MIB * (cost.sent >> 20)
}

fn wrong(attack: &Attack, cost: &Cost) -> Option<String> {
    let over = [
        ("memory", cost.memory > attack.memory),
        ("CPU", cost.cpu > Duration::from_millis(cpu_limit(attack, cost))),
        ("the good client's wait", cost.wait > WAIT),
    ];
    let over: Vec<&str> = over.iter().filter(|(_, over)| *over).map(|(what, _)| *what).collect();
    (!over.is_empty()).then(|| format!("too much: {}", over.join(", ")))
}
