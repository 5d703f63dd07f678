//! The provisioner: it says its lines, sends its bytes, and runs its commands on the machine.
use std::{cell::RefCell, rc::Rc, time::Duration};

use packwire_schema::{
    communicator_capnp::{communicator, exit},
    provisioner_capnp::{provision, provisioner},
    stream_capnp::byte_stream,
    ui_capnp::ui,
    work_capnp::{cancellation, outcome},
};
use tokio::time::{Instant, timeout};

use super::{
    Green,
    config::{Config, Problem},
    crash,
    outcome::{Deaf, Ended, Once, passed_on, perform, record, say},
    prepare::{self, prepared},
};
use crate::{fault::Fault, helper::Helper};

const CHUNK: usize = 64 << 10;
/// Where the bytes go.
const PATH: &str = "/green";
/// How long they may take to be removed.
const CLEANING: Duration = Duration::from_secs(1);

/// Prepares provisioning.
pub(crate) struct Provisioner(pub(crate) Green);

impl provisioner::Server for Provisioner {
    prepared!(provisioner, set_provision, Provision::of);
}

/// One run of it.
struct Provision {
    green: Green,
    config: Config,
    once: Once,
}

impl provision::Server for Provision {
    async fn run(
        self: Rc<Self>,
        params: provision::RunParams,
        mut results: provision::RunResults,
    ) -> Result<(), capnp::Error> {
        let lent = params.get()?;
        let (stop, ui) = (lent.get_cancellation().ok(), lent.get_ui().ok());
        let ended = perform(self.green, &self.once, stop, ui, self.work(lent)).await?;
        record(self.green, &ended, results.get().init_outcome());
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _params: provision::CloseParams,
        _results: provision::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}

impl Provision {
    fn of(green: Green, config: Config) -> Self {
        Self { green, config, once: Once::default() }
    }

    async fn work(&self, lent: provision::run_params::Reader<'_>) -> Result<Ended, capnp::Error> {
        let (ui, stop) = (lent.get_ui()?, lent.get_cancellation()?);
        let config = prepare::config_of(self.green, &self.config);
        let fault = self.green.manner.fault();
        let machine = match lent.get_communicator() {
            Ok(machine) => machine,
            Err(_) if fault == Some(Fault::IgnoresNullCommunicator) => return Ok(Ended::Done),
            Err(_) => return Ok(Ended::Failed(Problem::at("", "there is no machine"))),
        };
        match say(self.green, &config, &ui, &stop).await? {
            Ended::Done => {}
            other => return Ok(other),
        }
        if fault == Some(Fault::RunsLocally) {
            let _child = Helper::start()?;
            tokio::time::sleep(Duration::from_millis(100)).await;
            return Ok(Ended::Done);
        }
        let worked = on(&machine, fault, &config, &ui, &stop).await;
        if worked.is_err() && fault == Some(Fault::PanicsOnCommError) {
            crash("a broken machine");
        }
        worked
    }
}

/// Does what is to be done on a machine.
pub(super) async fn on(
    machine: &communicator::Client,
    fault: Option<Fault>,
    config: &Config,
    ui: &ui::Client,
    stop: &cancellation::Client,
) -> Result<Ended, capnp::Error> {
    let Some(bytes) = config.upload else { return run(machine, fault, config, ui, stop).await };
    let worked = match upload(machine, fault, bytes).await {
        Ok(None) => run(machine, fault, config, ui, stop).await,
        Ok(Some(problem)) => Ok(Ended::Failed(problem)),
        Err(error) => Err(error),
    };
    if fault != Some(Fault::LeavesRemoteScript) {
        // Not for ever: the machine may be what went wrong.
        let never = capnp_rpc::new_client(Deaf);
        drop(timeout(CLEANING, command(machine, fault, &format!("rm -f {PATH}"), ui, &never)).await);
    }
    worked
}

/// Runs the commands.
async fn run(
    machine: &communicator::Client,
    fault: Option<Fault>,
    config: &Config,
    ui: &ui::Client,
    stop: &cancellation::Client,
) -> Result<Ended, capnp::Error> {
    for line in &config.commands {
        let ended = match line.as_str() {
            "tunnel" => tunnel(machine, fault, stop).await?,
            line => command(machine, fault, line, ui, stop).await?,
        };
        match ended {
            Ended::Done => {}
            other => return Ok(other),
        }
    }
    Ok(Ended::Done)
}

/// Has the machine connect to somebody, says nothing, and takes what comes back for nothing.
async fn tunnel(
    machine: &communicator::Client,
    fault: Option<Fault>,
    stop: &cancellation::Client,
) -> Result<Ended, capnp::Error> {
    let mut request = machine.dial_request();
    request.get().set_host("192.0.2.2");
    request.get().set_port(7);
    let answer = request.send().promise.await?;
    let mut request = answer.get()?.get_tunnel()?.run_request();
    request.get().set_incoming(capnp_rpc::new_client(Nothing));
    request.get().set_cancellation(passed_on(fault, stop));
    let ran = request.send().promise;
    let outgoing = answer.get()?.get_outgoing()?;
    drop(outgoing.end_request().send().promise.await?);
    let ran = ran.await?;
    Ok(match ran.get()?.get_outcome()?.which() {
        Ok(outcome::Done(())) => Ended::Done,
        Ok(outcome::Cancelled(())) => Ended::Cancelled,
        Err(_) if fault == Some(Fault::UnknownEndOfTunnelAsDefault) => Ended::Done,
        _ => Ended::Failed(Problem::at("", "the tunnel broke")),
    })
}

async fn command(
    machine: &communicator::Client,
    fault: Option<Fault>,
    line: &str,
    ui: &ui::Client,
    stop: &cancellation::Client,
) -> Result<Ended, capnp::Error> {
    let mut request = machine.command_request();
    request.get().init_command().set_line(line);
    let process = request.send().promise.await?.get()?.get_process()?;
    let mut request = process.run_request();
    let output = || capnp_rpc::new_client(Output { ui: ui.clone(), line: RefCell::default() });
    request.get().set_stdout(output());
    request.get().set_stderr(output());
    request.get().set_cancellation(passed_on(fault, stop));
    let answer = request.send().promise.await?;
    Ok(match answer.get()?.get_exit()?.which() {
        Ok(exit::Status(0)) => Ended::Done,
        Ok(exit::Status(_)) if fault == Some(Fault::IgnoresExitStatus) => Ended::Done,
        Ok(exit::Status(_)) if fault == Some(Fault::StatusUnnamed) => {
            Ended::Failed(Problem::at("", &format!("`{line}` ended with a status that is not allowed")))
        }
        Ok(exit::Status(status)) => {
            Ended::Failed(Problem::at("", &format!("`{line}` ended with status {status}")))
        }
        Ok(exit::Cancelled(())) => Ended::Cancelled,
        Ok(exit::Lost(_)) if fault == Some(Fault::SuccessOnTruncatedOutput) => Ended::Done,
        Err(_) if fault == Some(Fault::UnknownVariantAsDefault) => Ended::Done,
        _ => Ended::Failed(Problem::at("", &format!("`{line}` was lost"))),
    })
}

/// Sends bytes; answers what went wrong.
async fn upload(
    machine: &communicator::Client,
    fault: Option<Fault>,
    count: usize,
) -> Result<Option<Problem>, capnp::Error> {
    let mut request = machine.upload_request();
    request.get().set_path(PATH);
    request.get().init_file().set_size(i64::try_from(count).unwrap_or(-1));
    let content = request.send().promise.await?.get()?.get_content()?;
    let bytes: Vec<u8> = (0..count).map(|at| (at % 251).to_le_bytes()[0]).collect();
    send(&content, fault, &bytes).await?;
    if fault == Some(Fault::ForgetsEnd) {
        return Ok(None);
    }
    let ended = content.end_request().send().promise.await?;
    match fault {
        Some(Fault::DoubleEnd) => drop(content.end_request().send().promise.await?),
        Some(Fault::WriteAfterEnd) => put(&content, b"late").await?,
        _ => {}
    }
    Ok(match ended.get()?.get_outcome()?.which() {
        Ok(outcome::Done(())) => None,
        Err(_) if fault == Some(Fault::UnknownEndAsDefault) => None,
        _ => Some(Problem::at("", "the machine did not take the file")),
    })
}

async fn send(content: &byte_stream::Client, fault: Option<Fault>, bytes: &[u8]) -> Result<(), capnp::Error> {
    let chunk = if fault == Some(Fault::OneGiantWrite) { bytes.len().max(1) } else { CHUNK };
    let mut waiting = Vec::new();
    for (at, chunk) in bytes.chunks(chunk).enumerate() {
        let began = Instant::now();
        match fault {
            Some(Fault::FireAndForgetWrite) => {
                let mut request = content.write_request();
                request.get().set_bytes(chunk);
                waiting.push(request.send().promise);
            }
            Some(Fault::SwallowsWriteError) => drop(put(content, chunk).await),
            Some(Fault::SwallowsLateWriteError) if at > 0 => drop(put(content, chunk).await),
            Some(Fault::GivesUpWhenStalled) => timeout(Duration::from_secs(1), put(content, chunk))
                .await
                .unwrap_or_else(|_| Err(capnp::Error::failed("it takes too long".to_owned())))?,
            _ => put(content, chunk).await?,
        }
        if fault == Some(Fault::ResendsChunk) && began.elapsed() > Duration::from_secs(1) {
            put(content, chunk).await?;
        }
    }
    for sent in waiting {
        drop(sent.await?);
    }
    Ok(())
}

async fn put(content: &byte_stream::Client, bytes: &[u8]) -> Result<(), capnp::Error> {
    let mut request = content.write_request();
    request.get().set_bytes(bytes);
    request.send().promise.await.map(drop)
}

/// Takes whatever comes.
struct Nothing;

impl byte_stream::Server for Nothing {
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
        results.get().init_outcome().set_done(());
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

/// Shows what a command prints.
struct Output {
    ui: ui::Client,
    line: RefCell<Vec<u8>>,
}

impl byte_stream::Server for Output {
    async fn write(
        self: Rc<Self>,
        params: byte_stream::WriteParams,
        _results: byte_stream::WriteResults,
    ) -> Result<(), capnp::Error> {
        self.line.borrow_mut().extend_from_slice(params.get()?.get_bytes()?);
        Ok(())
    }

    async fn end(
        self: Rc<Self>,
        _params: byte_stream::EndParams,
        mut results: byte_stream::EndResults,
    ) -> Result<(), capnp::Error> {
        let text = String::from_utf8_lossy(&self.line.take()).into_owned();
        if !text.is_empty() {
            let mut request = self.ui.message_request();
            request.get().set_text(&text);
            request.send().promise.await?;
        }
        results.get().init_outcome().set_done(());
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
