//! `Ui`: what a component says to the person who builds, and asks of them.
mod lines;
mod remote;
mod served;

pub use remote::{RemoteProgress, RemoteUi};
pub use served::{OfferedProgress, OfferedUi, Progress, Reply, Ui};
