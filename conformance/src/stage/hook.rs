//! The hook that is lent to builders.

use std::rc::Rc;

use packwire_schema::hook_capnp::hook;
use packwire_schema::work_capnp::outcome;

use super::Stage;
use super::machine::fail;
use crate::components::text;
use crate::talk::{foreign, foreign_severity};

/// What the hook answers to `packer_provision`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HookAnswer {
    #[default]
    Done,
    Failed,
    /// With a member that nobody knows.
    Foreign,
    /// It failed, and told of it with a severity that nobody knows.
    ForeignSeverity,
}

struct Hook {
    stage: Rc<Stage>,
    lane: usize,
}

impl Stage {
    pub(super) fn lend_hook(self: &Rc<Self>) -> hook::Client {
        capnp_rpc::new_client(Hook { stage: self.clone(), lane: self.lane() })
    }
}

impl hook::Server for Hook {
    /// While the gate is held, only the cancellation that was passed ends the call.
    async fn run(
        self: Rc<Self>,
        params: hook::RunParams,
        mut results: hook::RunResults,
    ) -> capnp::Result<()> {
        let stage = &self.stage;
        let lent = params.get()?;
        let event = text(lent.get_event())?;
        let number = stage.diary.begin(self.lane, "Hook.run", event.clone(), 0);
        let cancellation = lent.get_cancellation();
        let stopped = async {
            match cancellation {
                Ok(cancellation) if cancellation.wait_request().send().promise.await.is_ok() => {}
                _ => std::future::pending().await,
            }
        };
        let worked = async {
            self.write_down(lent).await?;
            if lent.has_communicator() {
                stage.use_machine(self.lane, &event, &lent.get_communicator()?).await;
            }
            stage.hook.pass().await
        };
        tokio::select! {
            biased;
            worked = worked => {
                worked?;
                match (event.as_str(), stage.provisioning.get()) {
                    ("packer_provision", HookAnswer::Failed) => {
                        fail(results.get().init_outcome(), "the suite lets the provisioning fail");
                    }
                    ("packer_provision", HookAnswer::Foreign) => {
                        results.get().set_outcome(foreign::<outcome::Owned>()?.get_root()?)?;
                    }
                    ("packer_provision", HookAnswer::ForeignSeverity) => {
                        results.get().set_outcome(foreign_severity()?.get_root()?)?;
                    }
                    ("packer_provision" | "packer_cleanup_provision", _) => {
                        results.get().init_outcome().set_done(());
                    }
                    // As a host whose template has no hook for it.
                    _ => fail(results.get().init_outcome(), "nothing is hooked to this event"),
                }
            }
            () = stopped => results.get().init_outcome().set_cancelled(()),
        }
        stage.diary.end(number);
        Ok(())
    }
}

impl Hook {
    /// What came with the call: whether its Ui is there, and whether its communicator lives.
    async fn write_down(&self, lent: hook::run_params::Reader<'_>) -> capnp::Result<()> {
        let diary = &self.stage.diary;
        let note = |name, text: String| diary.end(diary.begin(self.lane, name, text, 0));
        note("Hook.data", text(lent.get_data())?);
        note("Hook.ui", if lent.has_ui() { "there" } else { "null" }.to_owned());
        if lent.has_communicator() {
            let request = lent.get_communicator()?.info_request();
            // The plugin waits for our answer: a call that comes meanwhile is not to wait for that.
            let told = match tokio::time::timeout(self.stage.info_within, request.send().promise).await {
                Ok(Ok(_)) => "alive".to_owned(),
                Ok(Err(error)) => format!("dead: {}", error.extra),
                Err(_) => "silent while the hook runs".to_owned(),
            };
            note("Hook.communicator", told);
        }
        Ok(())
    }
}
