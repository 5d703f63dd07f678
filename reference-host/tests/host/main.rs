//! The host as its users meet it: whole outputs, exit code included.

#![expect(clippy::unwrap_used, reason = "a failure of the set-up is a failure of the test")]

mod catalog;
mod command_line;
mod documented;
mod parts;
mod plans;
mod rig;
mod templates;
