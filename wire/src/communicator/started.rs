//! What a machine was asked for and runs once: commands and tunnels.
use std::{cell::RefCell, rc::Rc, sync::Arc};

use packwire_schema::communicator_capnp::{remote_process, tunnel};

use super::{CommandIo, Communicator, Exit, RemoteCommand, TunnelIo};
use crate::{
    cancellation::RemoteCancellation,
    link::LinkState,
    place::{Place, answered},
    read,
    room::Panicked,
    stream::{StreamReceiver, StreamSender},
    value::{Outcome, panicked},
};

/// A command that is not started yet, or was.
pub(super) struct ServedProcess<C> {
    communicator: Arc<C>,
    place: Place,
    command: RefCell<Option<(RemoteCommand, Option<StreamReceiver>)>>,
}

impl<C> ServedProcess<C> {
    pub(super) fn new(
        communicator: &Arc<C>,
        place: &Place,
        command: RemoteCommand,
        stdin: Option<StreamReceiver>,
    ) -> Self {
        let command = RefCell::new(Some((command, stdin)));
        Self { communicator: communicator.clone(), place: place.clone(), command }
    }
}

impl<C: Communicator> remote_process::Server for ServedProcess<C> {
    async fn run(
        self: Rc<Self>,
        params: remote_process::RunParams,
        mut results: remote_process::RunResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let exit = match command_io(&params, &self.place.link) {
            Err(missing) => Exit::failed(missing),
            Ok((stdout, stderr, cancellation)) => match self.command.take() {
                None => Exit::failed("a command runs once: ask the communicator for another"),
                Some((command, stdin)) => {
                    let communicator = self.communicator.clone();
                    let io = CommandIo { stdin, stdout, stderr, cancellation };
                    let ran =
                        self.place.room().on_authors(async move { communicator.run(command, io).await });
                    ran.await.unwrap_or_else(|Panicked(text)| Exit::Failed(panicked(&text)))
                }
            },
        };
        exit.write(results.get().init_exit());
        answered(results)
    }

    async fn close(
        self: Rc<Self>,
        _: remote_process::CloseParams,
        _: remote_process::CloseResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        drop(self.command.take());
        Ok(())
    }
}

/// A TCP connection that is not opened yet, or was.
pub(super) struct ServedTunnel<C> {
    communicator: Arc<C>,
    place: Place,
    dialed: RefCell<Option<(String, u16, StreamReceiver)>>,
}

impl<C> ServedTunnel<C> {
    pub(super) fn new(communicator: &Arc<C>, place: &Place, dialed: (String, u16, StreamReceiver)) -> Self {
        let dialed = RefCell::new(Some(dialed));
        Self { communicator: communicator.clone(), place: place.clone(), dialed }
    }
}

impl<C: Communicator> tunnel::Server for ServedTunnel<C> {
    async fn run(
        self: Rc<Self>,
        params: tunnel::RunParams,
        mut results: tunnel::RunResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let lent = {
            let (params, link) = (params.get()?, &self.place.link);
            let incoming = read::optional(params.has_incoming(), || params.get_incoming())?;
            let cancellation = read::optional(params.has_cancellation(), || params.get_cancellation())?;
            incoming.map(|incoming| {
                (StreamSender::adopt(link, incoming), RemoteCancellation::adopt(link, cancellation))
            })
        };
        let outcome = match lent {
            None => Outcome::failed("a tunnel needs somewhere for what comes in: incoming is null"),
            Some((incoming, cancellation)) => match self.dialed.take() {
                None => Outcome::failed("a tunnel runs once: dial again"),
                Some((host, port, outgoing)) => {
                    let communicator = self.communicator.clone();
                    let io = TunnelIo { outgoing, incoming, cancellation };
                    let ran =
                        self.place.room().on_authors(async move { communicator.dial(host, port, io).await });
                    ran.await.unwrap_or_else(|Panicked(text)| Outcome::Failed(panicked(&text)))
                }
            },
        };
        outcome.write(results.get().init_outcome());
        answered(results)
    }

    async fn close(
        self: Rc<Self>,
        _: tunnel::CloseParams,
        _: tunnel::CloseResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        drop(self.dialed.take());
        Ok(())
    }
}

fn command_io(
    params: &remote_process::RunParams,
    link: &Rc<LinkState>,
) -> Result<(StreamSender, StreamSender, RemoteCancellation), String> {
    let reader = params.get().map_err(|error| error.to_string())?;
    if !reader.has_stdout() || !reader.has_stderr() {
        return Err("a command needs somewhere for its output: stdout or stderr is null".to_owned());
    }
    let read = || {
        let cancellation = read::optional(reader.has_cancellation(), || reader.get_cancellation())?;
        Ok((
            StreamSender::adopt(link, reader.get_stdout()?),
            StreamSender::adopt(link, reader.get_stderr()?),
            RemoteCancellation::adopt(link, cancellation),
        ))
    };
    read().map_err(|error: capnp::Error| error.to_string())
}
