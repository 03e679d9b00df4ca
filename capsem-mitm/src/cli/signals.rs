//! The signals that end the program. Refuses to know what ending means.

use super::error::CliError;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// SIGINT: from a terminal, to every process in its foreground.
    Interrupt,
    /// SIGTERM: to this process.
    Terminate,
}

/// Both signals, awaited from now on instead of ending the program.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to wait.
    pub(crate) fn listen() -> Result<Self, CliError> {
        let open = |kind| signal(kind).map_err(CliError::Signals);
        // A ledger that may grow no further is an error of its sink and no end of the program.
        let _ = open(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
        Ok(Self {
            interrupt: open(SignalKind::interrupt())?,
            terminate: open(SignalKind::terminate())?,
        })
    }

    /// SIGHUP, awaited from now on instead of ending the program.
    pub(crate) fn hang_up() -> Result<Signal, CliError> {
        signal(SignalKind::hangup()).map_err(CliError::Signals)
    }

    /// The next one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv() => Stop::Terminate,
        }
    }
}
