//! Where records go. Knows files and tables; a sink knows nothing of queues, retries or modes.

mod jsonl;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use jsonl::Jsonl;
pub use memory::{Memory, MemoryHandle};
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;

use crate::{Error, Stamped};

/// A place that keeps records, in the order it is given them.
///
/// It is called from one thread only and may block. It decides nothing: whether a failed write is
/// tried again or given up is the ledger's choice.
pub trait Sink: Send {
    /// What it is, in one word, for records and errors about it.
    fn name(&self) -> &'static str;

    /// The highest `seq` already kept from an earlier run; `None` if there is none.
    fn last_seq(&mut self) -> Result<Option<u64>, Error>;

    /// Shows `each` record kept from earlier runs, in order, as its JSON; what is torn is shown as it
    /// is. Called before the first write. A sink that cannot be read back shows none.
    fn read_back(&mut self, each: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let _ = each;
        Ok(())
    }

    /// Keeps all records of `batch`, or says how many of them, from the front, it did keep.
    ///
    /// A record that counts as taken will be kept without being given again.
    fn write(&mut self, batch: &[Stamped]) -> Result<(), Shortfall>;

    /// Called once, after the last batch: what is still to be done for the records to last.
    fn finish(&mut self) -> Result<(), Error>;
}

/// A batch that was not taken whole.
#[derive(Debug)]
pub struct Shortfall {
    /// How many records, from the front, were taken.
    pub taken: usize,
    /// Why not the rest.
    pub error: Error,
}
