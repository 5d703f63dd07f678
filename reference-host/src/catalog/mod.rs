//! Which executables offer which components, found by looking at names and never by starting anything.
//!
//! Precedence, first wins: the config file's direct paths; the directories of `PACKER_PLUGIN_PATH`, earlier ones first;
//! the directory of our own executable. The current directory is never searched. A plugin of one component
//! (`packer-TYPE-NAME`) goes before one of several (`packer-plugin-NAME`), whose components only it can tell.

mod component;
mod config;
mod directory;
mod find;

pub use component::{Kind, Naming, PluginCommand};
pub use config::{ConfigFile, PortRange};
pub use find::{Candidate, Catalog, CatalogError, Environment, Origin, Reason, Rejected, Unknown};
