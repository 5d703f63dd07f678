//! packer-builder-null: makes nothing, and provisions a machine that is there.
//!
//! | Option of Packer's `null` builder | Here |
//! | --- | --- |
//! | `communicator` | done: `none`, or any communicator that the host has; `ssh` where it is missing, as there |
//! | `ssh_host`, `ssh_…`, `winrm_…` | passed on to the communicator of that name, which knows them |
//! | – | `communicator_config`: the same as an object, for communicators whose options have no prefix |
//!
//! The host opens the communicator, so that this builder need not speak any of their protocols; its options are
//! checked there. With `none` only provisioners run that need no machine. The artifact is Packer's.
mod config;
mod null;

packwire_plugin::serve_builder!("null", null::Null);
