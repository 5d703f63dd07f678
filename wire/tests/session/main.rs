//! Whole sessions in memory: what each end sees of the other.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod machines;
mod runs;
#[path = "../support/mod.rs"]
mod support;
