//! What people see: Packer's lines, through one choke point that masks secrets and disarms control characters.

mod build;
mod duration;
mod escape;
mod lent;
mod remote;
mod secrets;
mod summary;
mod terminal;

#[cfg(test)]
pub(crate) use build::tests as testing;
pub use build::{BuildUi, announce_colours};
pub use escape::escaped;
pub use remote::RemoteOutput;
pub use secrets::{Refused, Secrets};
pub use summary::{BuildResult, Summary};
pub use terminal::{Colour, Paint, Terminal};
