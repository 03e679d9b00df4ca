//! `docs/clients.md`: what `accept --answers` measured, as Markdown.
//!
//! Refuses to know how anything was measured.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::answers::{Fallback, LIMIT, Measured};
use crate::clients::Clients;
use crate::{paths, process};

/// Characters of what a user reads that are shown.
const WORDS: usize = 160;

const COLUMNS: &str = "| answer | the user reads | seconds | exit | upgrades | POSTs | by POST after a socket |\n\
                       |---|---|---:|---:|---:|---:|---|\n";

/// What the tables say of the defaults, and of the statuses a rule may have instead.
const FOLLOWS: &str = r"
## What follows from it

- A refused message is answered on its socket with `response.failed` and `invalid_prompt`. After it
  Codex shows the rule's own words, ends its turn and does not send the content again. An `error`
  event of status 400 ends the turn as well, but its user reads JSON; of status 403, or after a Close,
  Codex connects anew until it gives the socket up, and sends the same by POST.
- A blocked request or upgrade is answered 403 where its rule has no `status`. It is what the answer
  means (RFC 9110 section 15.5.4), no client goes on without an error, and of a POST both SDKs show the
  rule's words. Codex takes a 403 of the upgrade for a fault of the socket and asks again by POST; a
  rule that refuses both costs it time and lets nothing pass.
- `status = 400` in a rule on upgrades ends Codex at once, with the rule's words in JSON. It is not the
  default, since a client that is told of a bad request looks for its own mistake.
- `status = 426` in a rule on upgrades makes Codex ask by POST at once: for those who allow models
  and want no sockets.
- `status = 429` hides the rule's words from the user of Codex, and the SDKs repeat their POSTs.
- A rule on upgrades alone keeps nothing in: what a client does not get said on a socket it may say by
  POST. A rule on messages speaks of both.
";

/// The document so far.
pub(super) struct Report {
    text: String,
    subject: &'static str,
    rows: usize,
}

impl Report {
    /// The head: what was measured, when, by which command, of which clients.
    pub(super) fn new(clients: &Clients) -> Result<Self> {
        let day = process::read(Command::new("date").args(["-u", "+%F"]))?;
        let versions = clients.versions()?.join(", ");
        let text = format!(
            "# What real clients do when they are refused\n\n\
             Written by `cargo xtask accept --answers`, not by hand. Measured on {} with {versions}.\n\n\
             Each row is one turn through the built program in transparent mode, ended after {} s at\n\
             the latest. Codex runs with its built-in provider, the SDKs with their defaults. Rules\n\
             give the statuses 400 to 451 and refuse messages, on sockets and POSTs alike unless the\n\
             row says otherwise; the rest is the upstream's doing, on sockets alone. Upgrades and\n\
             POSTs are counted in the ledger. The last column says whether the same content came again\n\
             by POST, and what it met there. What a script of an SDK prints of a failed event is its\n\
             own choice: type, code and message.\n",
            day.trim(),
            LIMIT.as_secs()
        );
        Ok(Self { text, subject: "", rows: 0 })
    }

    /// Adds a row, below a heading of its client, and prints it.
    pub(super) fn add(&mut self, subject: &'static str, answer: &str, measured: &Measured) {
        if self.subject != subject {
            self.subject = subject;
            self.text += &["\n## ", subject, "\n\n", COLUMNS].concat();
        }
        let row = row(answer, measured);
        println!("{subject} {row}");
        self.text += &row;
        self.text.push('\n');
        self.rows += 1;
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Puts the document in its place, which it returns.
    pub(super) fn write(&self) -> Result<PathBuf> {
        let folder = paths::root().join("docs");
        fs::create_dir_all(&folder)?;
        let file = folder.join("clients.md");
        let text = [&self.text, FOLLOWS].concat();
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }
}

fn row(answer: &str, measured: &Measured) -> String {
    let exit = measured.exit.map_or_else(|| "still running".into(), |code| code.to_string());
    let fallback = match measured.fallback {
        Fallback::None => "no",
        Fallback::Refused => "yes, refused by the same rule",
        Fallback::Passed => "yes, no rule against it",
    };
    format!(
        "| {answer} | {} | {:.1} | {exit} | {} | {} | {fallback} |",
        shortened(&measured.words),
        measured.took.as_secs_f64(),
        measured.upgrades,
        measured.posts
    )
}

/// As code in one cell of a table.
fn shortened(words: &str) -> String {
    let words = words.replace('`', "'").replace('|', "\\|");
    match words.char_indices().nth(WORDS) {
        Some((end, _)) => format!("`{}` ..", words[..end].trim_end_matches(['\\', ' '])),
        None => format!("`{words}`"),
    }
}

#[cfg(test)]
mod tests;
