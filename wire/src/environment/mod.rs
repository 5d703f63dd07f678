//! `Environment`: the host's services for one run. What they gave ends with the run.
mod leases;
mod ledger;
mod remote;
mod served;

pub use leases::{Held, KeyPair, Lease, Leased, OfferedLease, RemoteLease};
pub use ledger::{LedgerEntry, OfferedLedgerEntry, RemoteLedgerEntry};
pub use remote::RemoteEnvironment;
pub use served::{Environment, OfferedEnvironment};
