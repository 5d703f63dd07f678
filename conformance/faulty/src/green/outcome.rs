//! What builders and provisioners have in common: an object runs once, says its lines, and minds its cancellation.
use std::cell::Cell;

use packwire_schema::{
    ui_capnp::ui,
    work_capnp::{cancellation, diagnostic},
};

use super::config::{Config, Problem};

/// How a piece of work ended.
pub(crate) enum Ended {
    Done,
    Failed(Problem),
    Cancelled,
}

impl Ended {
    /// Turns what broke under the work into its failure: an outcome is data, never an exception.
    pub(crate) fn of(result: Result<Self, capnp::Error>) -> Self {
        result.unwrap_or_else(|error| Self::Failed(Problem::at("", &error.to_string())))
    }
}

/// Whether an object may run: once.
#[derive(Default)]
pub(crate) struct Once(Cell<bool>);

impl Once {
    /// Spends the one run.
    pub(crate) fn spend(&self) -> Result<(), Problem> {
        if self.0.replace(true) { Err(Problem::at("", "this object has run already")) } else { Ok(()) }
    }
}

/// Fills in all problems.
pub(crate) fn write<'a>(
    problems: &[Problem],
    init: impl FnOnce(u32) -> capnp::struct_list::Builder<'a, diagnostic::Owned>,
) {
    let mut diagnostics = init(u32::try_from(problems.len()).unwrap_or(u32::MAX));
    for (at, problem) in (0..).zip(problems) {
        problem.write(diagnostics.reborrow().get(at));
    }
}

/// Says the lines, one after another.
pub(crate) async fn say(
    config: &Config,
    ui: &ui::Client,
    stop: &cancellation::Client,
) -> Result<Said, capnp::Error> {
    tokio::select! {
        () = cancelled(stop) => Ok(Said::Cancelled),
        said = say_all(config, ui) => said,
    }
}

/// Whether all was said.
pub(crate) enum Said {
    All,
    Cancelled,
}

async fn say_all(config: &Config, ui: &ui::Client) -> Result<Said, capnp::Error> {
    for line in &config.lines {
        let mut request = ui.say_request();
        request.get().set_text(line);
        request.send().promise.await?;
    }
    if config.wait {
        std::future::pending::<()>().await;
    }
    Ok(Said::All)
}

/// Returns when the lender wants the work to stop. A wait that fails means nothing.
async fn cancelled(stop: &cancellation::Client) {
    if stop.wait_request().send().promise.await.is_err() {
        std::future::pending::<()>().await;
    }
}
