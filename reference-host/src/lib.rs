//! The library of a host: what runs a template through plugins, and the `packwire` command on top of it.

pub mod catalog;
pub mod cli;
pub mod command;
pub mod exit;
pub mod failure;
pub mod grace;
pub mod ledger;
pub mod log;
pub mod places;
pub mod plan;
pub mod plugins;
pub mod prepare;
pub mod report;
pub mod run;
pub mod services;
pub mod template;
pub mod ui;

mod events;
mod lock;
mod provision;
mod spell;
