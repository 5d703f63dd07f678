//! Components under test, without a process: a [`Host`] in memory that remembers what it saw, and a [`Machine`] that
//! answers what it was told to.
//!
//! The component is called over a real link, so what passes here passes on the wire.
mod host;
mod machine;
mod session;

pub use host::{Finished, Host, Opened};
pub use machine::{File, Machine};
