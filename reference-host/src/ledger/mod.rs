//! The ledger: what outlives a crash, on disk before it is made.
//!
//! One directory for each run, with a file that says how to make the run's configurations anew, and one file for each
//! entry. A host keeps the directory locked as long as it lives, and so does whoever recovers it: the system takes
//! the lock back however they end, so what can be locked belongs to nobody who lives.
//!
//! No secret is on disk. Of the values that the user gave on the command line only the names are kept: whoever
//! recovers gives them again.

mod book;
mod keeper;
mod process;
mod record;

pub use book::{Book, Claim, LedgerError, claim, runs};
pub(crate) use keeper::{Kept, Ledger, NotKept};
pub use process::ProcessId;
pub use record::{Entry, Maker, RunRecord, Thing};
