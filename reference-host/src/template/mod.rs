//! From the text of a JSON template to builds whose names and configurations are resolved.
//!
//! The way is [`Template::read`] → [`Variables::settle`] → [`Template::resolve`]. Only the first opens a file; nothing
//! here starts a process. Every word keeps its place in the text, so that whoever complains can point at it.

mod check;
mod config;
mod duration;
mod entries;
mod entry;
mod expression;
mod function;
mod given;
mod json;
mod lexer;
mod parts;
mod problem;
mod read;
mod reader;
mod resolve;
mod source;
mod time_layout;
mod variables;
mod version;

pub(crate) use json::read as read_json;

pub use config::{Asked, Config, Data, LateValue, Learned};
pub use given::{Given, Origin};
pub use parts::{
    BuildFilter, Builder, DataSource, EventHook, Grants, PostProcessor, Provisioner, Variable, Word,
};
pub use problem::{Problem, TemplateError};
pub use read::Template;
pub use resolve::{
    Resolved, ResolvedBuild, ResolvedData, ResolvedHook, ResolvedPostProcessor, ResolvedProvisioner,
    RunContext,
};
pub use source::{Member, Node, Shape, Source, Span};
pub use variables::Variables;
pub use version::PACKER_VERSION;
