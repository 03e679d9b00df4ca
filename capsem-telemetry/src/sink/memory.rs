//! Records kept in memory, for a summary at the end of a run and for tests.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Shortfall, Sink};
use crate::{Error, Stamped};

/// A sink that never fails and is never emptied: it grows with what happens.
#[derive(Debug)]
pub struct Memory {
    records: Arc<Mutex<Vec<Stamped>>>,
}

/// The reading side of a [`Memory`].
#[derive(Clone, Debug)]
pub struct MemoryHandle {
    records: Arc<Mutex<Vec<Stamped>>>,
}

impl Memory {
    /// An empty sink, and the handle to read it by.
    pub fn new() -> (Self, MemoryHandle) {
        let records = Arc::new(Mutex::new(Vec::new()));
        (Self { records: Arc::clone(&records) }, MemoryHandle { records })
    }
}

impl MemoryHandle {
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
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
