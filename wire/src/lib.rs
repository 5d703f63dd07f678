//! Under construction.
pub mod process;
