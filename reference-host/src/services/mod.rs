//! What `Environment` lends to a run.

mod communicator;
mod environment;

pub(crate) use communicator::lend_on;
pub use environment::Services;
