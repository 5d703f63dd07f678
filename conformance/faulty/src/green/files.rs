//! Files that the communicator takes.
use std::{
    cell::RefCell,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    rc::Rc,
};

use packwire_schema::{stream_capnp::byte_stream, work_capnp::outcome};

use super::config::Problem;
use crate::fault::Fault;

/// What an upload may do that does not say.
const DEFAULT_MODE: u32 = 0o644;

/// A file on its way here.
pub(super) struct Upload {
    pub(super) fault: Option<Fault>,
    pub(super) path: PathBuf,
    pub(super) size: i64,
    pub(super) mode: Option<u32>,
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
        let mut outcome: outcome::Builder<'_> = results.get().init_outcome();
        match self.take() {
            Ok(()) => outcome.set_done(()),
            Err(error) => Problem::at("", &error.to_string()).write(outcome.init_failed(1).get(0)),
        }
        Ok(())
    }

    async fn abort(
        self: Rc<Self>,
        _params: byte_stream::AbortParams,
        _results: byte_stream::AbortResults,
    ) -> Result<(), capnp::Error> {
        if self.fault == Some(Fault::AbortKeepsFile) {
            fs::write(&self.path, self.bytes.take())?;
        }
        Ok(())
    }
}

impl Upload {
    /// All of it is here. It takes its place as a whole: a link there goes, and what that led to stays.
    fn take(&self) -> io::Result<()> {
        let bytes = self.bytes.take();
        let fits = self.size < 0 || usize::try_from(self.size) == Ok(bytes.len());
        if !fits && self.fault != Some(Fault::AcceptsShortUpload) {
            return Err(io::Error::other("another number of bytes was announced"));
        }
        if self.fault == Some(Fault::UploadFollowsLink) {
            return self.make(&self.path, &bytes);
        }
        // Nothing comes in between: this is the only thread, and it does not wait.
        let draft = self.path.with_file_name(".green.draft");
        self.make(&draft, &bytes)?;
        fs::rename(draft, &self.path)
    }

    fn make(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)?;
        fs::set_permissions(path, Permissions::from_mode(self.mode_here() & 0o7777))
    }

    fn mode_here(&self) -> u32 {
        let mode = self.mode.unwrap_or(DEFAULT_MODE);
        match self.fault {
            Some(Fault::UploadForgetsMode) => DEFAULT_MODE,
            Some(Fault::UploadModeByUmask) => mode & !0o022,
            _ => mode,
        }
    }
}
