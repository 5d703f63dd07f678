//! Validates any plugin binary against SPEC.md, from outside.
//!
//! The story: [`spec`] reads the requirements; [`checks`] try them, each on a [`rig`] of its own under a
//! [`supervisor`] of its own; [`suite`] runs them and judges; [`report`] tells people and programs. The suite
//! disbelieves the project's own crates: it reads raw messages through the generated schema and the RPC library.
//!
//! Linux only: it needs `/proc`, subreapers and process descriptors.

mod binary;
pub mod check;
pub mod checks;
pub mod cli;
mod components;
mod doctor;
pub mod ending;
pub mod expect;
mod explain;
mod interrupt;
mod judge;
mod memory;
pub mod preflight;
mod raw;
pub mod report;
pub mod rig;
pub mod scenario;
pub mod select;
mod selftest;
pub mod spec;
mod stage;
mod step;
pub mod subject;
pub mod suite;
pub mod supervisor;
mod talk;
pub mod transcripts;
mod wait;
mod writable;
