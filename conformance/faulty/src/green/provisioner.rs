//! The provisioner: it says its lines, and needs no machine for that.
use std::rc::Rc;

use packwire_schema::{
    provisioner_capnp::{provision, provisioner},
    work_capnp::outcome,
};

use super::{
    Green,
    config::Config,
    outcome::{Ended, Once, Said, say, write},
    prepare::{self, Verdict},
};

/// Prepares provisioning.
pub(crate) struct Provisioner(pub(crate) Green);

impl provisioner::Server for Provisioner {
    async fn prepare(
        self: Rc<Self>,
        params: provisioner::PrepareParams,
        mut results: provisioner::PrepareResults,
    ) -> Result<(), capnp::Error> {
        self.0.greet().await?;
        let params = params.get()?;
        let Verdict { config, problems } =
            prepare::read(self.0, params.get_config()?.as_bytes(), params.get_context()?)?;
        if let Some(config) = config {
            results.get().set_provision(capnp_rpc::new_client(Provision { config, once: Once::default() }));
        }
        write(&problems, |count| results.get().init_diagnostics(count));
        Ok(())
    }
}

/// One run of it.
struct Provision {
    config: Config,
    once: Once,
}

impl provision::Server for Provision {
    async fn run(
        self: Rc<Self>,
        params: provision::RunParams,
        mut results: provision::RunResults,
    ) -> Result<(), capnp::Error> {
        let ended = match self.once.spend() {
            Ok(()) => Ended::of(self.work(params.get()?).await),
            Err(problem) => Ended::Failed(problem),
        };
        record(&ended, results.get().init_outcome());
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
    async fn work(&self, lent: provision::run_params::Reader<'_>) -> Result<Ended, capnp::Error> {
        Ok(match say(&self.config, &lent.get_ui()?, &lent.get_cancellation()?).await? {
            Said::All => Ended::Done,
            Said::Cancelled => Ended::Cancelled,
        })
    }
}

fn record(ended: &Ended, mut outcome: outcome::Builder<'_>) {
    match ended {
        Ended::Done => outcome.set_done(()),
        Ended::Failed(problem) => problem.write(outcome.init_failed(1).get(0)),
        Ended::Cancelled => outcome.set_cancelled(()),
    }
}
