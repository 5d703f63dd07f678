//! The library of a host: what runs a template through plugins, and the `packwire` command on top of it.

pub mod catalog;
pub mod cli;
pub mod command;
pub mod exit;
pub mod log;
pub mod plan;
pub mod report;
pub mod template;
pub mod ui;

mod spell;
