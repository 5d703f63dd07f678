//! A builder whose builds answer what means nothing.
use std::{process::ExitCode, rc::Rc};

use capnp::{
    message::{Builder, Reader, ReaderOptions},
    serialize::{OwnedSegments, read_message, write_message_to_words},
};
use capnp_rpc::new_client;
use packwire_schema::builder_capnp::{build, build_outcome, image_builder};
use packwire_wire::process::Invitation;

use crate::raw;

/// Which member of its outcome is the answer, by number; what belongs to a member is never there.
#[derive(Clone, Copy)]
pub(crate) struct Strange(pub(crate) u16);

/// The member that nobody sets.
pub(crate) const UNSET: Strange = Strange(0);
/// An artifact, which is null.
pub(crate) const NULL: Strange = Strange(1);
/// A member that no version has.
pub(crate) const UNKNOWN: Strange = Strange(4711);

/// Attaches with such a builder.
pub(crate) fn run(invitation: &Invitation, strange: Strange) -> ExitCode {
    raw::offer(invitation, || new_client(strange))
}

impl Strange {
    /// The outcome alone in a message: behind the head of its frame and the pointer to it comes the number.
    fn outcome(self) -> capnp::Result<Reader<OwnedSegments>> {
        let mut built = Builder::new_default();
        built.init_root::<build_outcome::Builder<'_>>();
        let mut bytes = write_message_to_words(&built);
        bytes[16..18].copy_from_slice(&self.0.to_le_bytes());
        read_message(&bytes[..], ReaderOptions::new())
    }
}

impl image_builder::Server for Strange {
    async fn prepare(
        self: Rc<Self>,
        _: image_builder::PrepareParams,
        mut results: image_builder::PrepareResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_build(new_client(*self));
        Ok(())
    }
}

impl build::Server for Strange {
    async fn run(
        self: Rc<Self>,
        _: build::RunParams,
        mut results: build::RunResults,
    ) -> Result<(), capnp::Error> {
        let outcome = self.outcome()?;
        results.get().set_outcome(outcome.get_root()?)
    }

    async fn close(
        self: Rc<Self>,
        _: build::CloseParams,
        _: build::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}
