//! The builder: it says its lines, makes a file if it shall, has its machine provisioned, and leaves an artifact.
use std::{cell::RefCell, path::PathBuf, rc::Rc};

use capnp::{dynamic_struct, dynamic_value, struct_list};
use packwire_schema::{
    builder_capnp::{build, build_outcome, image_builder},
    communicator_capnp::communicator,
    environment_capnp::ledger_entry,
    hook_capnp::hook,
    ui_capnp::ui,
    work_capnp::{
        cancellation,
        diagnostic::{self, Severity},
        outcome,
    },
};
use serde_json::json;

use super::{
    Green,
    artifact::Artifact,
    config::{Config, Half, Problem},
    lent::{Closable, Dead, Deaf},
    outcome::{Ended, Once, ask, passed_on, perform, say},
    prepare::{self, prepared},
    turn::Turn,
};
use crate::{dialect::Dialect, fault::Fault};

/// Prepares builds.
pub(crate) struct Builder(pub(crate) Green);

impl image_builder::Server for Builder {
    prepared!(image_builder, set_build, Build::of);
}

/// One build.
struct Build {
    green: Green,
    config: Config,
    once: Once,
    draft: RefCell<Option<Draft>>,
    /// What the host remembers of the draft.
    entry: RefCell<Option<ledger_entry::Client>>,
}

impl build::Server for Build {
    async fn run(
        self: Rc<Self>,
        params: build::RunParams,
        mut results: build::RunResults,
    ) -> Result<(), capnp::Error> {
        let lent = params.get()?;
        let _turn = Turn::take(self.green.manner.fault()).await;
        let (stop, ui) = (lent.get_cancellation().ok(), lent.get_ui().ok());
        let ended = perform(self.green, &self.once, stop, ui, self.work(lent)).await?;
        let fault = self.green.manner.fault();
        match (&ended, fault) {
            (Ended::Done, _) | (Ended::Cancelled, Some(Fault::CancelLeaks)) => self.keep(),
            (Ended::Cancelled, Some(Fault::AbortKeepsCancelled)) if self.config.half == Half::Stays => {
                self.keep()
            }
            (Ended::Failed(_), _) if self.shall_stay(lent).await => self.keep(),
            _ => self.discard(),
        }
        self.settle().await;
        let mut outcome = results.get().init_outcome();
        match fault {
            Some(Fault::GiantResult) => {
                outcome.set_generated_data(json!({ "lines": "x".repeat(9 << 20) }).to_string());
            }
            Some(Fault::ForgetsGeneratedData) => {}
            Some(Fault::GeneratedDataChanges) => {
                outcome.set_generated_data(json!({ "lines": self.config().lines.len() + 1 }).to_string());
            }
            _ => outcome.set_generated_data(self.generated_data()),
        }
        self.write(&ended, outcome)
    }

    async fn close(
        self: Rc<Self>,
        _params: build::CloseParams,
        _results: build::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}

impl Build {
    fn of(green: Green, config: Config) -> Self {
        let (draft, entry) = (RefCell::default(), RefCell::default());
        Self { green, config, once: Once::default(), draft, entry }
    }

    fn config(&self) -> Config {
        prepare::config_of(self.green, &self.config)
    }

    async fn work(&self, lent: build::run_params::Reader<'_>) -> Result<Ended, capnp::Error> {
        let config = self.config();
        let (ui, stop) = (lent.get_ui()?, lent.get_cancellation()?);
        if let Some(path) = &config.file {
            if let Some(refusal) = self.refusal(path, &config) {
                return Ok(Ended::Failed(refusal));
            }
            self.have_made(lent, path, &config).await?;
        }
        match say(self.green, &config, &ui, &stop).await? {
            Ended::Done => {}
            other => return Ok(other),
        }
        let fault = self.green.manner.fault();
        if fault == Some(Fault::SkipsHook) {
            return Ok(Ended::Done);
        }
        let machine = self.machine(&config, lent).await?;
        if self.green.manner.speaks(Dialect::OwnEvents) {
            // Whoever wants to know of it has a hook for it.
            self.call_hook(lent, &ui, &stop, machine.clone(), "green_machine_is_up").await?;
        }
        let call = |event| self.call_hook(lent, &ui, &stop, machine.clone(), event);
        let ended = call("packer_provision").await?;
        if matches!(ended, Ended::Done) || fault == Some(Fault::SuccessAfterHookFailure) {
            return Ok(Ended::Done);
        }
        if fault != Some(Fault::SkipsCleanupHook) {
            call("packer_cleanup_provision").await?;
        }
        Ok(ended)
    }

    /// Why the file is not made: something is there already, and nobody allows to replace it.
    fn refusal(&self, path: &str, config: &Config) -> Option<Problem> {
        let is_there = std::fs::symlink_metadata(path).is_ok();
        let may = match self.green.manner.fault() {
            Some(Fault::ReplacesUnasked) => true,
            Some(Fault::IgnoresForce) => false,
            _ => config.force,
        };
        if !is_there || may {
            return None;
        }
        if self.green.manner.commits(Fault::RemovesWhatExists) {
            drop(std::fs::remove_file(path));
        }
        Some(Problem::at("/file", "it is there already"))
    }

    /// The machine, where the configuration asks for one.
    async fn machine(
        &self,
        config: &Config,
        lent: build::run_params::Reader<'_>,
    ) -> Result<Option<communicator::Client>, capnp::Error> {
        if !config.machine {
            return Ok(None);
        }
        self.look_into_cache(lent).await?;
        match self.green.manner.fault() {
            Some(Fault::DeadCommunicator) => return Ok(Some(capnp_rpc::new_client(Dead))),
            Some(Fault::SingleThreadDeadlock) => return Ok(Some(capnp_rpc::new_client(Deaf))),
            _ => {}
        }
        let mut request = lent.get_environment()?.communicator_request();
        request.get().set_type("ssh");
        request.get().set_config("{}");
        let answer = request.send().promise.await?;
        let answer = answer.get()?;
        if !self.is_granted(answer.get_diagnostics()?)? {
            return Ok(None);
        }
        let machine = answer.get_communicator()?;
        Ok(Some(match self.green.manner.fault() {
            Some(Fault::CloseEndsLentMachine) => capnp_rpc::new_client(Closable::of(machine)),
            _ => machine,
        }))
    }

    async fn call_hook(
        &self,
        lent: build::run_params::Reader<'_>,
        ui: &ui::Client,
        stop: &cancellation::Client,
        machine: Option<communicator::Client>,
        event: &str,
    ) -> Result<Ended, capnp::Error> {
        let hook: hook::Client = lent.get_hook()?;
        let mut request = hook.run_request();
        let mut call = request.get();
        call.set_event(event);
        call.set_ui(ui.clone());
        call.set_data(self.generated_data());
        call.set_cancellation(passed_on(self.green.manner.fault(), stop));
        if let Some(machine) = self.machine_in(event, machine) {
            call.set_communicator(machine);
        }
        let answer = request.send().promise.await?;
        Ok(match answer.get()?.get_outcome()?.which() {
            Ok(outcome::Done(())) => Ended::Done,
            Ok(outcome::Cancelled(())) => Ended::Cancelled,
            Ok(outcome::Failed(Ok(told))) if self.takes_for_remarks(told) => Ended::Done,
            Ok(outcome::Failed(_)) => Ended::Failed(Problem::at("", "the provisioning failed")),
            Err(_) if self.green.manner.commits(Fault::UnknownVariantAsDefault) => Ended::Done,
            Ok(outcome::Unset(())) | Err(_) => {
                Ended::Failed(Problem::at("", "the host's hook answered something unknown"))
            }
        })
    }

    /// The machine as it is in an event: the same in each.
    fn machine_in(&self, event: &str, machine: Option<communicator::Client>) -> Option<communicator::Client> {
        match (event, self.green.manner.fault()) {
            ("packer_cleanup_provision", Some(Fault::CleanupWithoutMachine)) => None,
            ("packer_cleanup_provision", Some(Fault::MachineGoneBeforeCleanup)) => {
                machine.map(|_| capnp_rpc::new_client(Dead))
            }
            _ => machine,
        }
    }

    /// Whether what is told of a failure is nothing to it: never, unless that is the fault.
    fn takes_for_remarks(&self, told: struct_list::Reader<'_, diagnostic::Owned>) -> bool {
        let takes = self.green.manner.commits(Fault::UnknownSeverityAsWarning);
        takes && told.iter().all(|one| one.get_severity() != Ok(Severity::Error))
    }

    /// Makes the file, of which the host knows by then.
    async fn have_made(
        &self,
        lent: build::run_params::Reader<'_>,
        path: &str,
        config: &Config,
    ) -> Result<(), capnp::Error> {
        let draft = || Draft::make(self.green, path.into(), config);
        let remembered = self.have_remembered(lent, path);
        *self.draft.borrow_mut() = Some(match self.green.manner.fault() {
            Some(Fault::MakesThenRemembers) => {
                let made = draft()?;
                remembered.await?;
                made
            }
            Some(Fault::RemembersWithoutWaiting) => tokio::join!(remembered, async { draft() }).1?,
            _ => {
                remembered.await?;
                draft()?
            }
        });
        Ok(())
    }

    /// Has the host remember the file that is to be made.
    async fn have_remembered(
        &self,
        lent: build::run_params::Reader<'_>,
        path: &str,
    ) -> Result<(), capnp::Error> {
        let mut request = lent.get_environment()?.remember_request();
        request.get().set_entry(path);
        let answer = request.send().promise.await?;
        let answer = answer.get()?;
        if !self.green.manner.commits(Fault::IgnoresRefusedEntry) {
            self.is_granted(answer.get_diagnostics()?)?;
        }
        *self.entry.borrow_mut() = answer.get_entry().ok();
        Ok(())
    }

    /// Whether a service was granted. Whatever is not a warning is an error, except where that is the fault.
    fn is_granted(&self, told: struct_list::Reader<'_, diagnostic::Owned>) -> Result<bool, capnp::Error> {
        let unknown = |one: diagnostic::Reader<'_>| one.get_severity().is_err();
        if self.green.manner.commits(Fault::UnknownRefusalAsGrant) && told.iter().any(unknown) {
            return Ok(false);
        }
        match told.iter().find(|one| one.get_severity() != Ok(Severity::Warning)) {
            Some(_) if self.green.manner.commits(Fault::RefusalUntold) => {
                Err(capnp::Error::failed("the work cannot go on".to_owned()))
            }
            Some(one) => Err(capnp::Error::failed(one.get_summary()?.to_string()?)),
            None => Ok(true),
        }
    }

    /// The file is gone now, or it stays.
    async fn settle(&self) {
        let entry = self.entry.take();
        if let Some(entry) = entry.filter(|_| !self.green.manner.commits(Fault::NeverSettles)) {
            drop(entry.settle_request().send().promise.await);
        }
    }

    /// Asks for what a machine begins with, and does not need it.
    async fn look_into_cache(&self, lent: build::run_params::Reader<'_>) -> Result<(), capnp::Error> {
        let mut request = lent.get_environment()?.cache_request();
        request.get().set_key("green");
        request.get().set_shared(true);
        let lease = request.send().promise.await?.get()?.get_lease();
        if let Some(lease) = lease.ok().filter(|_| !self.green.manner.commits(Fault::KeepsLease)) {
            drop(lease.close_request().send().promise.await?);
        }
        Ok(())
    }

    /// Whether the half-made of a failure stays: as the context says, or the user.
    async fn shall_stay(&self, lent: build::run_params::Reader<'_>) -> bool {
        match (self.config.half, lent.get_ui()) {
            (Half::Asked, Ok(ui)) => {
                let answered = ask(None, &ui).await;
                self.green.manner.commits(Fault::RefusedQuestionKeeps) || answered.unwrap_or_default()
            }
            (half, _) => half == Half::Stays,
        }
    }

    fn discard(&self) {
        if let Some(mut draft) = self.draft.take() {
            draft.leaks = false;
        }
    }

    fn keep(&self) {
        if let Some(draft) = self.draft.take() {
            draft.keep();
        }
    }

    fn generated_data(&self) -> String {
        json!({ "lines": self.config().lines.len() }).to_string()
    }

    fn write(&self, ended: &Ended, mut outcome: build_outcome::Builder<'_>) -> Result<(), capnp::Error> {
        match (ended, self.green.manner.fault()) {
            (_, Some(Fault::ForgottenOutcome)) => {}
            (Ended::Done, Some(Fault::NullArtifact)) => {
                let outcome: dynamic_struct::Builder<'_> = dynamic_value::Builder::from(outcome).downcast();
                let mut outcome = outcome;
                outcome.clear_named("artifact")?;
            }
            (Ended::Failed(_), Some(Fault::EmptyFailure)) => drop(outcome.init_failed(0)),
            (Ended::Done, _) if self.config.keep => {
                outcome.set_artifact(capnp_rpc::new_client(Artifact::of(self.green, &self.config())));
            }
            (Ended::Done, _) => outcome.set_nothing(()),
            (Ended::Failed(problem), _) => problem.write(outcome.init_failed(1).get(0)),
            (Ended::Cancelled, _) => outcome.set_cancelled(()),
        }
        Ok(())
    }
}

thread_local! {
    /// The files that no run has kept yet.
    static DRAFTS: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

/// Removes what runs have made that the end of the session has cut off, or leaves it for ever.
pub(crate) fn clean_up(leaks: bool) {
    let drafts = DRAFTS.take();
    if !leaks {
        drafts.into_iter().for_each(|path| drop(std::fs::remove_file(path)));
    }
}

/// A file that is not kept yet: dropped, it goes.
struct Draft {
    path: PathBuf,
    leaks: bool,
}

impl Draft {
    fn make(green: Green, path: PathBuf, config: &Config) -> Result<Self, capnp::Error> {
        std::fs::write(&path, config.lines.join("\n"))?;
        DRAFTS.with_borrow_mut(|drafts| drafts.push(path.clone()));
        // When the link is lost, what is not finished is dropped.
        Ok(Self { path, leaks: green.manner.commits(Fault::DisconnectLeaks) })
    }

    fn keep(self) {
        self.forget();
    }

    fn forget(&self) -> bool {
        DRAFTS.with_borrow_mut(|drafts| {
            let before = drafts.len();
            drafts.retain(|draft| *draft != self.path);
            drafts.len() < before
        })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.forget() && !self.leaks {
            drop(std::fs::remove_file(&self.path));
        }
    }
}
