//! The Rust generated from `schema/packwire/*.capnp`, and nothing else.
//!
//! One module for each file of the schema, called as the file is: [`work_capnp`] is `packwire/work.capnp`, whose
//! comments say who calls what, when, and what the answers mean. Each type has a module of its own name with a
//! `Reader`, a `Builder` and an `Owned`; an interface's has a `Client` and a trait `Server`.
//!
//! `cargo xtask codegen` renews the modules, and nobody edits them; `.ci/run` proves that they are fresh. Only
//! `packwire-wire` and the conformance suite may use this crate: everything above them sees plain Rust types.
//!
//! Beside them, `vectors/` holds messages as text and as the bytes that Cap'n Proto's own tool makes of it.
#![expect(
    missing_docs,
    clippy::unimplemented,
    clippy::unwrap_used,
    reason = "generated; our rules bind what people write"
)]

#[rustfmt::skip]
pub mod artifact_capnp;
#[rustfmt::skip]
pub mod attach_capnp;
#[rustfmt::skip]
pub mod builder_capnp;
#[rustfmt::skip]
pub mod communicator_capnp;
#[rustfmt::skip]
pub mod component_capnp;
#[rustfmt::skip]
pub mod connector_capnp;
#[rustfmt::skip]
pub mod data_source_capnp;
#[rustfmt::skip]
pub mod environment_capnp;
#[rustfmt::skip]
pub mod hook_capnp;
#[rustfmt::skip]
pub mod post_processor_capnp;
#[rustfmt::skip]
pub mod provisioner_capnp;
#[rustfmt::skip]
pub mod recovery_capnp;
#[rustfmt::skip]
pub mod stream_capnp;
#[rustfmt::skip]
pub mod ui_capnp;
#[rustfmt::skip]
pub mod work_capnp;
