//! Whole sessions in memory: what each end sees of the other.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod kinds;
mod lending;
mod machines;
mod runs;
mod services;
#[path = "../support/mod.rs"]
mod support;
