//! Talking to the components of a plugin, raw: requests built and answers read without the project's own library.

pub(crate) mod config;
pub(crate) mod diagnostic;
mod foreign;
pub(crate) mod prepare;
pub(crate) mod random;
pub(crate) mod shape;

pub(crate) use config::{Sample, Schema};
pub(crate) use diagnostic::Diagnostic;
pub(crate) use foreign::{foreign, foreign_component, foreign_severity, foreign_wish};
pub(crate) use prepare::{Answer, Object, Prepared, Preparer, Setting, Wish, preparers};
