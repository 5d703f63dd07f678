//! Files that the communicator takes.
use std::{cell::RefCell, path::PathBuf, rc::Rc};

use packwire_schema::{stream_capnp::byte_stream, work_capnp::outcome};

use super::config::Problem;
use crate::fault::Fault;

/// A file on its way here.
pub(super) struct Upload {
    pub(super) fault: Option<Fault>,
    pub(super) path: PathBuf,
    pub(super) size: i64,
    pub(super) bytes: RefCell<Vec<u8>>,
}

impl byte_stream::Server for Upload {
    async fn write(
        self: Rc<Self>,
        params: byte_stream::WriteParams,
        _results: byte_stream::WriteResults,
    ) -> Result<(), capnp::Error> {
        self.bytes.borrow_mut().extend_from_slice(params.get()?.get_bytes()?);
        Ok(())
    }

    async fn end(
        self: Rc<Self>,
        _params: byte_stream::EndParams,
        mut results: byte_stream::EndResults,
    ) -> Result<(), capnp::Error> {
        let bytes = self.bytes.take();
        let fits = self.size < 0 || usize::try_from(self.size) == Ok(bytes.len());
        let mut outcome: outcome::Builder<'_> = results.get().init_outcome();
        if fits || self.fault == Some(Fault::AcceptsShortUpload) {
            std::fs::write(&self.path, bytes)?;
            outcome.set_done(());
        } else {
            Problem::at("", "another number of bytes was announced").write(outcome.init_failed(1).get(0));
        }
        Ok(())
    }

    async fn abort(
        self: Rc<Self>,
        _params: byte_stream::AbortParams,
        _results: byte_stream::AbortResults,
    ) -> Result<(), capnp::Error> {
        if self.fault == Some(Fault::AbortKeepsFile) {
            std::fs::write(&self.path, self.bytes.take())?;
        }
        Ok(())
    }
}
