//! Tunnels, which this machine does not open.
use std::rc::Rc;

use packwire_schema::{communicator_capnp::tunnel, stream_capnp::byte_stream};

use super::config::Problem;
use crate::fault::Fault;

const NO_TUNNELS: &str = "this machine opens no tunnels";

/// A connection that is not made.
pub(super) struct Tunnel(pub(super) Option<Fault>);

impl tunnel::Server for Tunnel {
    async fn run(
        self: Rc<Self>,
        params: tunnel::RunParams,
        mut results: tunnel::RunResults,
    ) -> Result<(), capnp::Error> {
        let incoming = params.get()?.get_incoming()?;
        let mut outcome = results.get().init_outcome();
        match self.0 {
            Some(Fault::TunnelToNowhere) => {
                drop(incoming.end_request().send().promise.await?);
                outcome.set_done(());
            }
            _ => {
                drop(incoming.abort_request().send().promise.await?);
                Problem::at("", NO_TUNNELS).write(outcome.init_failed(1).get(0));
            }
        }
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _params: tunnel::CloseParams,
        _results: tunnel::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}

/// Takes what is meant for a connection that is not made.
pub(super) struct Nowhere;

impl byte_stream::Server for Nowhere {
    async fn write(
        self: Rc<Self>,
        _params: byte_stream::WriteParams,
        _results: byte_stream::WriteResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }

    async fn end(
        self: Rc<Self>,
        _params: byte_stream::EndParams,
        mut results: byte_stream::EndResults,
    ) -> Result<(), capnp::Error> {
        Problem::at("", NO_TUNNELS).write(results.get().init_outcome().init_failed(1).get(0));
        Ok(())
    }

    async fn abort(
        self: Rc<Self>,
        _params: byte_stream::AbortParams,
        _results: byte_stream::AbortResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}
