//! The recovery of what a crash left: a file of the builder's.
use std::{io::ErrorKind, rc::Rc};

use packwire_schema::recovery_capnp::recovery;

use super::{Green, config::Problem};
use crate::fault::Fault;

/// Removes files that builds have made.
pub(crate) struct Recovery(pub(crate) Green);

impl recovery::Server for Recovery {
    async fn recover(
        self: Rc<Self>,
        params: recovery::RecoverParams,
        mut results: recovery::RecoverResults,
    ) -> Result<(), capnp::Error> {
        let mut outcome = results.get().init_outcome();
        for entry in params.get()?.get_entries()? {
            match std::fs::remove_file(entry.get_text()?.to_str()?) {
                Err(error) if !self.is_fine(error.kind()) => {
                    Problem::at("", &error.to_string()).write(outcome.init_failed(1).get(0));
                    return Ok(());
                }
                Ok(()) | Err(_) => drop(entry.get_entry()?.settle_request().send().promise.await?),
            }
        }
        outcome.set_done(());
        Ok(())
    }
}

impl Recovery {
    fn is_fine(&self, kind: ErrorKind) -> bool {
        kind == ErrorKind::NotFound && !self.0.manner.commits(Fault::RecoveryFailsWhenGone)
    }
}
