//! The smaller kinds: a post-processor, a data source, a hook and a command. They say their lines, and little more.
use std::rc::Rc;

use packwire_schema::{
    component_capnp::command,
    data_source_capnp::{data_source, query},
    hook_capnp::hook,
    post_processor_capnp::{post_process, post_process_outcome::Input, post_processor},
};
use serde_json::{Value, json};

use super::{
    Green,
    artifact::Artifact,
    config::{Config, Problem},
    outcome::{Ended, Once, perform, record, say},
    prepare::{self, prepared},
    provisioner::on,
};
use crate::fault::Fault;

/// Prepares post-processing.
pub(crate) struct PostProcessor(pub(crate) Green);

impl post_processor::Server for PostProcessor {
    prepared!(post_processor, set_post_process, |green, config| PostProcess(Prepared::of(green, config)));
}

/// One use of a component.
struct Prepared {
    green: Green,
    config: Config,
    once: Once,
}

impl Prepared {
    fn of(green: Green, config: Config) -> Self {
        Self { green, config, once: Once::default() }
    }
}

struct PostProcess(Prepared);

impl post_process::Server for PostProcess {
    async fn run(
        self: Rc<Self>,
        params: post_process::RunParams,
        mut results: post_process::RunResults,
    ) -> Result<(), capnp::Error> {
        let Prepared { green, config, once } = &self.0;
        let lent = params.get()?;
        let work = async {
            let (ui, stop) = (lent.get_ui()?, lent.get_cancellation()?);
            let input = lent.get_artifact()?;
            let described = input.describe_request().send().promise.await?;
            let files = described.get()?.get_info()?.get_files()?;
            match green.manner.fault() {
                Some(Fault::DestroysInput) => {
                    let mut request = input.destroy_request();
                    request.get().set_ui(ui.clone());
                    request.get().set_cancellation(stop.clone());
                    drop(request.send().promise.await?);
                }
                Some(Fault::ChangesInput) => {
                    for file in files.iter() {
                        std::fs::write(file?.to_str()?, "changed")?;
                    }
                }
                _ => {}
            }
            say(*green, &prepare::config_of(*green, config), &ui, &stop).await
        };
        let (stop, ui) = (lent.get_cancellation().ok(), lent.get_ui().ok());
        let ended = perform(*green, once, stop, ui, work).await?;
        let mut outcome = results.get().init_outcome();
        if !green.manner.commits(Fault::KeepDefault) {
            outcome.set_input(Input::Keep);
        }
        match (&ended, green.manner.fault()) {
            (_, Some(Fault::ForgottenOutcome)) => {}
            (Ended::Failed(_), Some(Fault::EmptyFailure)) => drop(outcome.init_failed(0)),
            (Ended::Done, _) if config.keep => {
                outcome.set_artifact(capnp_rpc::new_client(Artifact::of(*green, config)));
            }
            (Ended::Done, _) => outcome.set_nothing(()),
            (Ended::Failed(problem), _) => problem.write(outcome.init_failed(1).get(0)),
            (Ended::Cancelled, _) => outcome.set_cancelled(()),
        }
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _params: post_process::CloseParams,
        _results: post_process::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}

/// Prepares look-ups.
pub(crate) struct DataSource(pub(crate) Green);

impl data_source::Server for DataSource {
    prepared!(data_source, set_query, |green, config| Query(Prepared::of(green, config)));
}

struct Query(Prepared);

impl query::Server for Query {
    async fn run(
        self: Rc<Self>,
        params: query::RunParams,
        mut results: query::RunResults,
    ) -> Result<(), capnp::Error> {
        let Prepared { green, config, once } = &self.0;
        let lent = params.get()?;
        let config = prepare::config_of(*green, config);
        let work = async { say(*green, &config, &lent.get_ui()?, &lent.get_cancellation()?).await };
        let (stop, ui) = (lent.get_cancellation().ok(), lent.get_ui().ok());
        let ended = perform(*green, once, stop, ui, work).await?;
        let mut outcome = results.get().init_outcome();
        match (&ended, green.manner.fault()) {
            (_, Some(Fault::ForgottenOutcome)) => {}
            (Ended::Failed(_), Some(Fault::EmptyFailure)) => drop(outcome.init_failed(0)),
            (Ended::Failed(_), Some(Fault::NullOnFailure)) => outcome.set_value("null"),
            (Ended::Done, fault) => outcome.set_value(value(fault, &config).to_string()),
            (Ended::Failed(problem), _) => problem.write(outcome.init_failed(1).get(0)),
            (Ended::Cancelled, _) => outcome.set_cancelled(()),
        }
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _params: query::CloseParams,
        _results: query::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}

/// What is found: the schema in hello says the same.
fn value(fault: Option<Fault>, config: &Config) -> Value {
    match fault {
        Some(Fault::WrongType) => json!({ "name": config.name, "lines": "many" }),
        Some(Fault::ExtraField) => json!({ "name": config.name, "lines": config.lines.len(), "more": 1 }),
        _ => json!({ "name": config.name, "lines": config.lines.len() }),
    }
}

/// Knows one event.
pub(crate) struct Hook(pub(crate) Green);

impl hook::Server for Hook {
    async fn run(
        self: Rc<Self>,
        params: hook::RunParams,
        mut results: hook::RunResults,
    ) -> Result<(), capnp::Error> {
        self.0.greet().await?;
        let lent = params.get()?;
        let fault = self.0.manner.fault();
        let work = async {
            if lent.get_event()? != "packer_provision" {
                let refusal = Problem::at("", "nobody knows this event");
                return Ok(if fault == Some(Fault::UnknownHookFails) {
                    Ended::Failed(refusal)
                } else {
                    Ended::Done
                });
            }
            let (ui, stop) = (lent.get_ui()?, lent.get_cancellation()?);
            let data: Value = serde_json::from_slice(lent.get_data()?.as_bytes()).unwrap_or_default();
            let line = data["line"].as_str().unwrap_or("hooked").to_owned();
            let command = data["command"].as_str().unwrap_or("hook").to_owned();
            let config = Config { lines: vec![line], commands: vec![command], ..Config::default() };
            let config = prepare::respelt(self.0, config);
            match say(self.0, &config, &ui, &stop).await? {
                Ended::Done => on(&lent.get_communicator()?, fault, &config, &ui, &stop).await,
                other => Ok(other),
            }
        };
        let (stop, ui) = (lent.get_cancellation().ok(), lent.get_ui().ok());
        let ended = match perform(self.0, &Once::default(), stop, ui, work).await? {
            Ended::Failed(_) if fault == Some(Fault::HookSwallowsError) => Ended::Done,
            ended => ended,
        };
        record(self.0, &ended, results.get().init_outcome());
        Ok(())
    }
}

/// The status that the arguments `exit STATUS` ask for.
fn asked_for(arguments: &[String]) -> i32 {
    match arguments {
        [exit, status] if exit == "exit" => status.parse().unwrap_or_default(),
        _ => 0,
    }
}

/// Asks what else there is, and of which kinds.
async fn look_around(lent: command::run_params::Reader<'_>) -> Result<(), capnp::Error> {
    let answer = lent.get_components()?.list_request().send().promise.await?;
    for one in answer.get()?.get_components()? {
        one.which()?;
    }
    Ok(())
}

/// Says its arguments, and ends as they ask.
pub(crate) struct Command(pub(crate) Green);

impl command::Server for Command {
    async fn run(
        self: Rc<Self>,
        params: command::RunParams,
        mut results: command::RunResults,
    ) -> Result<(), capnp::Error> {
        self.0.greet().await?;
        let lent = params.get()?;
        let fault = self.0.manner.fault();
        let mut lines = Vec::new();
        for argument in lent.get_args()?.iter() {
            let argument = argument?.to_str()?.to_owned();
            match self.0.manner.fault() {
                Some(Fault::ShellSplitsArgs) => lines.extend(argument.split_whitespace().map(str::to_owned)),
                _ => lines.push(argument),
            }
        }
        match look_around(lent).await {
            Err(error) if fault == Some(Fault::ThrowsAtUnknownKind) => return Err(error),
            // What it does not know is nothing to it.
            _ => {}
        }
        let status = asked_for(&lines);
        let config = prepare::respelt(self.0, Config { lines, ..Config::default() });
        let work = async {
            let (ui, stop) = (lent.get_ui()?, lent.get_cancellation()?);
            say(self.0, &config, &ui, &stop).await
        };
        let (stop, ui) = (lent.get_cancellation().ok(), lent.get_ui().ok());
        let ended = perform(self.0, &Once::default(), stop, ui, work).await?;
        results.get().set_exit_status(match ended {
            Ended::Done if self.0.manner.commits(Fault::StatusFlattened) => status.min(1),
            Ended::Done => status,
            Ended::Failed(_) => 1,
            Ended::Cancelled => 130,
        });
        Ok(())
    }
}
