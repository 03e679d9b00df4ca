//! Records kept in memory, for a summary at the end of a run and for tests.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::{Shortfall, Sink};
use crate::{Error, Stamped};

/// A sink that never fails and is never emptied: it grows with what happens.
#[derive(Debug)]
pub struct Memory {
    records: Arc<Mutex<Vec<Stamped>>>,
    grown: Arc<Notify>,
}

/// The reading side of a [`Memory`].
#[derive(Clone, Debug)]
pub struct MemoryHandle {
    records: Arc<Mutex<Vec<Stamped>>>,
    grown: Arc<Notify>,
}

impl Memory {
    /// An empty sink, and the handle to read it by.
    pub fn new() -> (Self, MemoryHandle) {
        let records = Arc::new(Mutex::new(Vec::new()));
        let grown = Arc::new(Notify::new());
        let sink = Self { records: Arc::clone(&records), grown: Arc::clone(&grown) };
        (sink, MemoryHandle { records, grown })
    }
}

impl MemoryHandle {
    /// Resolves when there are more records than at the time of the call.
    pub fn grown(&self) -> impl Future<Output = ()> + '_ {
        self.grown.notified()
    }

    /// A copy of all records so far.
    pub fn records(&self) -> Vec<Stamped> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn last_seq(&mut self) -> Result<Option<u64>, Error> {
        Ok(None)
    }

    fn write(&mut self, batch: &[Stamped]) -> Result<(), Shortfall> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(batch);
        self.grown.notify_waiters();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
