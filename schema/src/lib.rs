//! The Rust generated from `schema/packwire/*.capnp`, and nothing else.
//!
//! Renewed by `cargo xtask codegen`; `.ci/run` proves that it is fresh. Only `packwire-wire` and `conformance`
//! may use it: everything above them sees plain Rust types.
#![allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications)]
#![cfg_attr(rustfmt, rustfmt_skip)]

pub mod artifact_capnp;
pub mod attach_capnp;
pub mod builder_capnp;
pub mod communicator_capnp;
pub mod component_capnp;
pub mod connector_capnp;
pub mod data_source_capnp;
pub mod environment_capnp;
pub mod hook_capnp;
pub mod post_processor_capnp;
pub mod provisioner_capnp;
pub mod recovery_capnp;
pub mod stream_capnp;
pub mod ui_capnp;
pub mod work_capnp;
