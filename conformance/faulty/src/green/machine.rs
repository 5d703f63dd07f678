//! The communicator: commands and files of this machine.
use std::{cell::RefCell, rc::Rc};

use packwire_schema::{
    communicator_capnp::communicator,
    connector_capnp::{connection, connector},
    work_capnp::outcome,
};
use tokio::sync::mpsc;

use super::{
    Green,
    config::{Config, Problem},
    files::Upload,
    outcome::{Ended, Once, perform, say},
    prepare::{self, prepared},
    process::{Input, Process},
    sending::{finish_or_abort, send_open},
    tree::{self, Unpacking},
    tunnel::{Nowhere, Tunnel},
};
use crate::{dialect::Dialect, fault::Fault, hurt::Hurt};

/// Prepares connections.
pub(crate) struct Connector(pub(crate) Green);

impl connector::Server for Connector {
    prepared!(connector, set_connection, Connection::of);
}

struct Connection {
    green: Green,
    config: Config,
    once: Once,
}

impl Connection {
    fn of(green: Green, config: Config) -> Self {
        Self { green, config, once: Once::default() }
    }
}

impl connection::Server for Connection {
    async fn open(
        self: Rc<Self>,
        params: connection::OpenParams,
        mut results: connection::OpenResults,
    ) -> Result<(), capnp::Error> {
        let lent = params.get()?;
        let config = prepare::config_of(self.green, &self.config);
        let work = async { say(self.green, &config, &lent.get_ui()?, &lent.get_cancellation()?).await };
        let (stop, ui) = (lent.get_cancellation().ok(), lent.get_ui().ok());
        let ended = perform(self.green, &self.once, stop, ui, work).await?;
        let mut outcome = results.get().init_outcome();
        match (&ended, self.green.manner.fault()) {
            (_, Some(Fault::ForgottenOutcome)) => {}
            (Ended::Failed(_), Some(Fault::EmptyFailure)) => drop(outcome.init_failed(0)),
            (Ended::Done, _) => outcome.set_communicator(capnp_rpc::new_client(Machine(self.green))),
            (Ended::Failed(problem), _) => problem.write(outcome.init_failed(1).get(0)),
            (Ended::Cancelled, _) => outcome.set_cancelled(()),
        }
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _params: connection::CloseParams,
        _results: connection::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}

/// This machine.
struct Machine(Green);

impl communicator::Server for Machine {
    async fn info(
        self: Rc<Self>,
        _params: communicator::InfoParams,
        mut results: communicator::InfoResults,
    ) -> Result<(), capnp::Error> {
        let mut info = results.get().init_info();
        info.set_type(if self.0.manner.commits(Fault::SaysItIsSsh) { "ssh" } else { "green" });
        let mut features = info.init_features(2);
        features.set(0, "signal");
        features.set(1, "tree");
        Ok(())
    }

    async fn command(
        self: Rc<Self>,
        params: communicator::CommandParams,
        mut results: communicator::CommandResults,
    ) -> Result<(), capnp::Error> {
        let command = params.get()?.get_command()?;
        let line = command.get_line()?.to_str()?.to_owned();
        let (fault, mut input) = (self.0.manner.fault(), None);
        if command.get_stdin() {
            let (sender, receiver) = mpsc::channel(4);
            let stream = Input { fault, sender: RefCell::new(Some(sender)) };
            results.get().set_stdin(capnp_rpc::new_client(stream));
            input = Some(receiver);
        }
        let endless = self.0.manner.hurts(Hurt::Stream);
        let line = if endless { "cat /dev/zero".to_owned() } else { line };
        let reaps_late = self.0.manner.speaks(Dialect::LateReaping);
        let process = Process { fault, reaps_late, line, pty: command.get_pty(), input: RefCell::new(input) };
        results.get().set_process(capnp_rpc::new_client(process));
        Ok(())
    }

    async fn upload(
        self: Rc<Self>,
        params: communicator::UploadParams,
        mut results: communicator::UploadResults,
    ) -> Result<(), capnp::Error> {
        let params = params.get()?;
        let (path, file) = (params.get_path()?.to_str()?.into(), params.get_file()?);
        let (size, mode) = (file.get_size(), u32::try_from(file.get_mode()).ok());
        let upload = Upload { fault: self.0.manner.fault(), path, size, mode, bytes: RefCell::default() };
        results.get().set_content(capnp_rpc::new_client(upload));
        Ok(())
    }

    async fn download(
        self: Rc<Self>,
        params: communicator::DownloadParams,
        mut results: communicator::DownloadResults,
    ) -> Result<(), capnp::Error> {
        let params = params.get()?;
        let (content, fault) = (params.get_content()?, self.0.manner.fault());
        let path = params.get_path()?.to_str()?;
        let given = async { send_open(&mut &tokio::fs::read(path).await?[..], &content, fault).await };
        let given = finish_or_abort(given.await, &content, fault).await;
        tell(given, results.get().init_outcome());
        Ok(())
    }

    async fn upload_tree(
        self: Rc<Self>,
        params: communicator::UploadTreeParams,
        mut results: communicator::UploadTreeResults,
    ) -> Result<(), capnp::Error> {
        let unpacking = Unpacking::into(params.get()?.get_path()?.to_str()?, self.0.manner.fault());
        results.get().set_archive(capnp_rpc::new_client(unpacking));
        Ok(())
    }

    async fn download_tree(
        self: Rc<Self>,
        params: communicator::DownloadTreeParams,
        mut results: communicator::DownloadTreeResults,
    ) -> Result<(), capnp::Error> {
        let params = params.get()?;
        let (stream, fault) = (params.get_archive()?, self.0.manner.fault());
        let path = params.get_path()?.to_str()?;
        let given = async { send_open(&mut &tree::pack(path.as_ref())?[..], &stream, None).await };
        let given = finish_or_abort(given.await, &stream, fault).await;
        tell(given, results.get().init_outcome());
        Ok(())
    }

    async fn dial(
        self: Rc<Self>,
        _params: communicator::DialParams,
        mut results: communicator::DialResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_tunnel(capnp_rpc::new_client(Tunnel(self.0.manner.fault())));
        results.get().set_outgoing(capnp_rpc::new_client(Nowhere));
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _params: communicator::CloseParams,
        _results: communicator::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}

fn tell(given: Result<(), capnp::Error>, mut outcome: outcome::Builder<'_>) {
    match given {
        Ok(()) => outcome.set_done(()),
        Err(error) => Problem::at("", &error.extra).write(outcome.init_failed(1).get(0)),
    }
}
