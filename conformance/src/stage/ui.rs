//! The Ui and the cancellation.

use std::rc::Rc;

use packwire_schema::ui_capnp::{progress, reply, ui};
use packwire_schema::work_capnp::cancellation;

use super::{Stage, State, open, revoked};
use crate::components::text;
use crate::talk::foreign;

/// A Ui that is lent.
pub(super) struct Ui {
    pub(super) stage: Rc<Stage>,
    pub(super) lane: usize,
}

impl Stage {
    pub(crate) fn lend_ui(self: &Rc<Self>) -> ui::Client {
        capnp_rpc::new_client(Ui { stage: self.clone(), lane: self.lane() })
    }

    pub(crate) fn lend_cancellation(self: &Rc<Self>) -> cancellation::Client {
        capnp_rpc::new_client(Cancellation { stage: self.clone(), lane: self.lane() })
    }
}

impl Ui {
    async fn told(&self, name: &'static str, text: String) -> capnp::Result<()> {
        self.stage.act(self.lane, name, text, &self.stage.ui).await
    }
}

impl ui::Server for Ui {
    async fn say(self: Rc<Self>, params: ui::SayParams, _: ui::SayResults) -> capnp::Result<()> {
        self.told("Ui.say", text(params.get()?.get_text())?).await
    }

    async fn message(self: Rc<Self>, params: ui::MessageParams, _: ui::MessageResults) -> capnp::Result<()> {
        self.told("Ui.message", text(params.get()?.get_text())?).await
    }

    async fn error(self: Rc<Self>, params: ui::ErrorParams, _: ui::ErrorResults) -> capnp::Result<()> {
        self.told("Ui.error", text(params.get()?.get_text())?).await
    }

    async fn machine(self: Rc<Self>, params: ui::MachineParams, _: ui::MachineResults) -> capnp::Result<()> {
        self.told("Ui.machine", text(params.get()?.get_category())?).await
    }

    /// Nobody can be asked here, or that is not said in a way that anybody knows.
    async fn ask(self: Rc<Self>, params: ui::AskParams, mut results: ui::AskResults) -> capnp::Result<()> {
        self.told("Ui.ask", text(params.get()?.get_query())?).await?;
        if self.stage.foreign_replies.get() {
            return results.get().set_reply(foreign::<reply::Owned>()?.get_root()?);
        }
        results.get().init_reply().set_refused("the suite answers no questions");
        Ok(())
    }

    async fn progress(
        self: Rc<Self>,
        params: ui::ProgressParams,
        mut results: ui::ProgressResults,
    ) -> capnp::Result<()> {
        let (label, total) = (text(params.get()?.get_label())?, params.get()?.get_total());
        self.told("Ui.progress", label).await?;
        let lane = self.stage.lane();
        let diary = &self.stage.diary;
        diary.end(diary.begin(lane, "Progress.made", total.to_string(), 0));
        results.get().set_progress(capnp_rpc::new_client(Ui { stage: self.stage.clone(), lane }));
        Ok(())
    }

    async fn mask(self: Rc<Self>, _: ui::MaskParams, _: ui::MaskResults) -> capnp::Result<()> {
        self.told("Ui.mask", String::new()).await
    }
}

impl progress::Server for Ui {
    async fn update(
        self: Rc<Self>,
        params: progress::UpdateParams,
        _: progress::UpdateResults,
    ) -> capnp::Result<()> {
        self.told("Progress.update", params.get()?.get_done().to_string()).await
    }

    async fn finish(
        self: Rc<Self>,
        _: progress::FinishParams,
        _: progress::FinishResults,
    ) -> capnp::Result<()> {
        self.told("Progress.finish", String::new()).await
    }
}

struct Cancellation {
    stage: Rc<Stage>,
    lane: usize,
}

impl cancellation::Server for Cancellation {
    async fn wait(
        self: Rc<Self>,
        _: cancellation::WaitParams,
        _: cancellation::WaitResults,
    ) -> capnp::Result<()> {
        self.stage.act(self.lane, "Cancellation.called", String::new(), &open()).await?;
        let mut states = self.stage.state.subscribe();
        let state = states.wait_for(|state| *state != State::Running).await.map(|state| *state);
        match state {
            Ok(State::Cancelled) => Ok(()),
            _ => Err(revoked()),
        }
    }
}
