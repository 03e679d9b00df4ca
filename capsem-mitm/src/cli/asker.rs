//! The program that is asked where a rule says `ask`: the facts as JSON on its stdin, exit 0 for
//! allow, any other end for block. Refuses to know who it asks.

use crate::{Asker, Asking, Question};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
    sync::Semaphore,
};

/// Commands at once. A guest can ask as often as it opens connections; further questions wait for
/// their turn, within their own deadline.
const AT_ONCE: usize = 32;

/// A command of the configuration.
pub(crate) struct CommandAsker {
    program: PathBuf,
    arguments: Vec<String>,
    turns: Semaphore,
}

impl CommandAsker {
    /// `None` for a command of no words.
    pub(crate) fn new(words: &[String]) -> Option<Self> {
        let (program, arguments) = words.split_first()?;
        let turns = Semaphore::new(AT_ONCE);
        Some(Self { program: Path::new(program).into(), arguments: arguments.to_vec(), turns })
    }

    async fn run(&self, question: &Question) -> io::Result<bool> {
        let _turn = self.turns.acquire().await.map_err(io::Error::other)?;
        // Its words go to our stderr.
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = Group::of(&child);
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not read may still answer.
            let _ = stdin.write_all(format!("{}\n", question.to_json()).as_bytes()).await;
        }
        let status = child.wait().await?;
        group.leave();
        match status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(io::Error::other(format!("{}: {status}", self.program.display()))),
        }
    }
}

/// A command and what it has started, killed where the answer is late or not wanted any more.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    /// The command has answered: what it leaves behind is its own affair.
    fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // One that is gone need not be killed.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Asker for CommandAsker {
    fn ask<'a>(&'a self, question: &'a Question) -> Asking<'a> {
        Box::pin(self.run(question))
    }
}

#[cfg(test)]
mod tests;
