//! From the text of a JSON template to builds whose names and configurations are resolved.
//!
//! The way is [`Template::read`] → [`Variables::settle`] → [`Template::resolve`]. Only the first opens a file; nothing
//! here starts a process. Every word keeps its place in the text, so that whoever complains can point at it.

mod check;
mod duration;
mod entries;
mod expression;
mod function;
mod given;
mod json;
mod lexer;
mod problem;
mod read;
mod reader;
mod resolve;
mod source;
mod time_layout;
mod variables;
mod version;

pub(crate) use json::read as read_json;

pub use given::{Given, Origin};
pub use problem::{Problem, TemplateError};
pub use read::{Builder, Provisioner, Template, Variable, Word};
pub use resolve::{Config, ResolvedBuild, ResolvedProvisioner, RunContext};
pub use source::{Member, Node, Shape, Source, Span};
pub use variables::Variables;
pub use version::PACKER_VERSION;
