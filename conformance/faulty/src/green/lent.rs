//! Machines that a builder had better not lend.
use std::{cell::Cell, rc::Rc};

use packwire_schema::communicator_capnp::communicator;

/// A machine that is not there.
pub(super) struct Dead;

impl communicator::Server for Dead {}

/// A machine of a plugin that does one thing at a time.
pub(super) struct Deaf;

impl communicator::Server for Deaf {
    async fn info(
        self: Rc<Self>,
        _params: communicator::InfoParams,
        _results: communicator::InfoResults,
    ) -> Result<(), capnp::Error> {
        std::future::pending().await
    }
}

/// A machine that runs commands until somebody closes it.
pub(super) struct Closable {
    machine: communicator::Client,
    closed: Cell<bool>,
}

impl Closable {
    pub(super) fn of(machine: communicator::Client) -> Self {
        Self { machine, closed: Cell::new(false) }
    }
}

impl communicator::Server for Closable {
    async fn info(
        self: Rc<Self>,
        _params: communicator::InfoParams,
        mut results: communicator::InfoResults,
    ) -> Result<(), capnp::Error> {
        let answer = self.machine.info_request().send().promise.await?;
        results.get().set_info(answer.get()?.get_info()?)
    }

    async fn command(
        self: Rc<Self>,
        params: communicator::CommandParams,
        mut results: communicator::CommandResults,
    ) -> Result<(), capnp::Error> {
        if self.closed.get() {
            return Err(capnp::Error::failed("this machine is closed".to_owned()));
        }
        let mut request = self.machine.command_request();
        request.get().set_command(params.get()?.get_command()?)?;
        let answer = request.send().promise.await?;
        let answer = answer.get()?;
        results.get().set_process(answer.get_process()?);
        if answer.has_stdin() {
            results.get().set_stdin(answer.get_stdin()?);
        }
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _params: communicator::CloseParams,
        _results: communicator::CloseResults,
    ) -> Result<(), capnp::Error> {
        self.closed.set(true);
        Ok(())
    }
}
