//! The builder: it says its lines, has its machine provisioned (there is none), and leaves an artifact or nothing.
use std::rc::Rc;

use packwire_schema::{
    builder_capnp::{build, build_outcome, image_builder},
    hook_capnp::hook,
    work_capnp::outcome,
};
use serde_json::json;

use super::{
    Green,
    artifact::Artifact,
    config::{Config, Problem},
    outcome::{Ended, Once, Said, say, write},
    prepare::{self, Verdict},
};

/// Prepares builds.
pub(crate) struct Builder(pub(crate) Green);

impl image_builder::Server for Builder {
    async fn prepare(
        self: Rc<Self>,
        params: image_builder::PrepareParams,
        mut results: image_builder::PrepareResults,
    ) -> Result<(), capnp::Error> {
        self.0.greet().await?;
        let params = params.get()?;
        let Verdict { config, problems } =
            prepare::read(self.0, params.get_config()?.as_bytes(), params.get_context()?)?;
        if let Some(config) = config {
            results.get().set_build(capnp_rpc::new_client(Build { config, once: Once::default() }));
        }
        write(&problems, |count| results.get().init_diagnostics(count));
        Ok(())
    }
}

/// One build.
struct Build {
    config: Config,
    once: Once,
}

impl build::Server for Build {
    async fn run(
        self: Rc<Self>,
        params: build::RunParams,
        mut results: build::RunResults,
    ) -> Result<(), capnp::Error> {
        let ended = match self.once.spend() {
            Ok(()) => Ended::of(self.work(params.get()?).await),
            Err(problem) => Ended::Failed(problem),
        };
        let mut outcome = results.get().init_outcome();
        outcome.set_generated_data(self.generated_data());
        self.write(&ended, outcome);
        Ok(())
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
    async fn work(&self, lent: build::run_params::Reader<'_>) -> Result<Ended, capnp::Error> {
        match say(&self.config, &lent.get_ui()?, &lent.get_cancellation()?).await? {
            Said::All => {}
            Said::Cancelled => return Ok(Ended::Cancelled),
        }
        let ended = self.call_hook(lent, "packer_provision").await?;
        if !matches!(ended, Ended::Done) {
            self.call_hook(lent, "packer_cleanup_provision").await?;
        }
        Ok(ended)
    }

    /// There is no machine, so the communicator stays null.
    async fn call_hook(
        &self,
        lent: build::run_params::Reader<'_>,
        event: &str,
    ) -> Result<Ended, capnp::Error> {
        let hook: hook::Client = lent.get_hook()?;
        let mut request = hook.run_request();
        let mut call = request.get();
        call.set_event(event);
        call.set_ui(lent.get_ui()?);
        call.set_data(self.generated_data());
        call.set_environment(lent.get_environment()?);
        call.set_cancellation(lent.get_cancellation()?);
        let answer = request.send().promise.await?;
        Ok(match answer.get()?.get_outcome()?.which() {
            Ok(outcome::Done(())) => Ended::Done,
            Ok(outcome::Cancelled(())) => Ended::Cancelled,
            Ok(outcome::Failed(_)) => Ended::Failed(Problem::at("", "the provisioning failed")),
            Ok(outcome::Unset(())) | Err(_) => {
                Ended::Failed(Problem::at("", "the host's hook answered something unknown"))
            }
        })
    }

    fn generated_data(&self) -> String {
        json!({ "lines": self.config.lines.len() }).to_string()
    }

    fn write(&self, ended: &Ended, mut outcome: build_outcome::Builder<'_>) {
        match ended {
            Ended::Done if self.config.keep => {
                outcome.set_artifact(capnp_rpc::new_client(Artifact { name: self.config.name.clone() }));
            }
            Ended::Done => outcome.set_nothing(()),
            Ended::Failed(problem) => problem.write(outcome.init_failed(1).get(0)),
            Ended::Cancelled => outcome.set_cancelled(()),
        }
    }
}
