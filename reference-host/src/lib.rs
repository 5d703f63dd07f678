//! The library of a host: what runs a template through plugins, and the `packwire` command on top of it.

pub mod template;

mod spell;
