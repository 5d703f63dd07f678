//! Runs: the one long call of each kind, with everything lent that it takes.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use packwire_schema::component_capnp::{command, components};
use packwire_schema::hook_capnp::hook;
use packwire_schema::recovery_capnp::recovery;
use tokio::sync::Notify;

use super::outcome::{read_build, read_connection, read_outcome, read_post_process, read_query};
use super::{Ended, Outcome, Stage, open};
use crate::components::text;
use crate::rig::Rig;
use crate::talk::prepare::fill;
use crate::talk::{Object, foreign_component};

/// A run in progress, or one that has ended.
#[derive(Clone)]
pub(crate) struct Running {
    ended: Rc<RefCell<Option<Ended>>>,
    news: Rc<Notify>,
    pub(crate) stage: Rc<Stage>,
}

/// What can be left out of what is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lent {
    Everything,
    /// Everything but the communicator.
    NoMachine,
    /// No capability at all.
    Nothing,
}

type Answered = LocalBoxFuture<'static, capnp::Result<(Outcome, String, String)>>;

impl Running {
    /// Its end, once it has come.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    /// Waits for its end; `within` is stretched by `--slow`.
    pub(crate) async fn end(&self, rig: &Rig, within: Duration) -> Option<Ended> {
        let ended = async {
            loop {
                let news = self.news.notified();
                if let Some(ended) = self.ended() {
                    return ended;
                }
                news.await;
            }
        };
        tokio::time::timeout(rig.stretch(within), ended).await.ok()
    }

    /// A call that was just made, with the stage that it was lent.
    pub(super) fn of(rig: &Rig, stage: &Rc<Stage>, answered: Answered) -> Self {
        let running = Self { ended: Rc::default(), news: Rc::default(), stage: stage.clone() };
        let this = running.clone();
        rig.spawn(async move {
            let answer = answered.await;
            let unanswered = this.stage.diary.unanswered("Ui.") + this.stage.diary.unanswered("ByteStream.");
            let (outcome, generated, fate) =
                answer.unwrap_or_else(|error| (Outcome::Threw(error.extra), String::new(), String::new()));
            this.stage.revoke();
            *this.ended.borrow_mut() = Some(Ended { outcome, generated, fate, unanswered });
            this.news.notify_waiters();
        });
        running
    }
}

impl Object {
    /// Calls `run`, or `open`.
    pub(crate) fn start(&self, rig: &Rig, stage: &Rc<Stage>) -> capnp::Result<Running> {
        self.start_with(rig, stage, Lent::Everything)
    }

    /// The same with less than everything.
    pub(crate) fn start_with(&self, rig: &Rig, stage: &Rc<Stage>, lent: Lent) -> capnp::Result<Running> {
        macro_rules! lend {
            ($params:ident) => {
                if lent != Lent::Nothing {
                    $params.set_ui(stage.lend_ui());
                    $params.set_environment(stage.lend_environment());
                    $params.set_cancellation(stage.lend_cancellation());
                }
            };
        }
        macro_rules! answer {
            ($request:ident, $read:ident) => {{
                let answer = $request.send().promise;
                async move {
                    let outcome = $read(answer.await?.get()?.get_outcome()?)?;
                    Ok((outcome, String::new(), String::new()))
                }
                .boxed_local()
            }};
        }
        let answered = match self {
            Self::Build(client) => {
                let mut request = client.run_request();
                let mut params = request.get();
                lend!(params);
                if lent != Lent::Nothing {
                    params.set_hook(stage.lend_hook());
                }
                let answer = request.send().promise;
                async move {
                    let (outcome, generated) = read_build(answer.await?.get()?.get_outcome()?)?;
                    Ok((outcome, generated, String::new()))
                }
                .boxed_local()
            }
            Self::Provision(client) => {
                let mut request = client.run_request();
                let mut params = request.get();
                lend!(params);
                params.set_generated_data("{}");
                if lent == Lent::Everything {
                    params.set_communicator(stage.lend_machine());
                }
                answer!(request, read_outcome)
            }
            Self::PostProcess(client) => {
                let mut request = client.run_request();
                let mut params = request.get();
                lend!(params);
                params.set_generated_data("{}");
                if lent != Lent::Nothing {
                    params.set_artifact(stage.lend_artifact()?);
                }
                let answer = request.send().promise;
                async move {
                    let (outcome, fate) = read_post_process(answer.await?.get()?.get_outcome()?)?;
                    Ok((outcome, String::new(), fate))
                }
                .boxed_local()
            }
            Self::Query(client) => {
                let mut request = client.run_request();
                let mut params = request.get();
                lend!(params);
                answer!(request, read_query)
            }
            Self::Connection(client) => {
                let mut request = client.open_request();
                let mut params = request.get();
                lend!(params);
                answer!(request, read_connection)
            }
        };
        Ok(Running::of(rig, stage, answered))
    }
}

/// Calls a hook that the plugin offers.
pub(crate) fn start_hook(
    rig: &Rig,
    client: &hook::Client,
    stage: &Rc<Stage>,
    (event, data): (&str, &str),
    lent: Lent,
) -> Running {
    let mut request = client.run_request();
    let mut params = request.get();
    params.set_event(event);
    params.set_data(data);
    if lent != Lent::Nothing {
        params.set_ui(stage.lend_ui());
        params.set_environment(stage.lend_environment());
        params.set_cancellation(stage.lend_cancellation());
    }
    if lent == Lent::Everything {
        params.set_communicator(stage.lend_machine());
    }
    let answer = request.send().promise;
    let answered = async move {
        let outcome = read_outcome(answer.await?.get()?.get_outcome()?)?;
        Ok((outcome, String::new(), String::new()))
    };
    Running::of(rig, stage, answered.boxed_local())
}

/// Calls a command.
pub(crate) fn start_command(
    rig: &Rig,
    client: &command::Client,
    stage: &Rc<Stage>,
    arguments: &[String],
    lent: Lent,
) -> Running {
    let mut request = client.run_request();
    let mut params = request.get();
    let mut args = params.reborrow().init_args(u32::try_from(arguments.len()).unwrap_or_default());
    for (at, argument) in (0..).zip(arguments) {
        args.set(at, argument);
    }
    if lent != Lent::Nothing {
        params.set_ui(stage.lend_ui());
        params.set_environment(stage.lend_environment());
        params.set_cancellation(stage.lend_cancellation());
        let known = Known { stage: stage.clone(), lane: stage.lane() };
        params.set_components(capnp_rpc::new_client(known));
    }
    let answer = request.send().promise;
    let answered = async move {
        let status = answer.await?.get()?.get_exit_status();
        Ok((Outcome::Status(status), String::new(), String::new()))
    };
    Running::of(rig, stage, answered.boxed_local())
}

/// Has a plugin recover what is left: with the configuration and directory of the run that left it.
pub(crate) fn start_recovery(
    rig: &Rig,
    client: &recovery::Client,
    stage: &Rc<Stage>,
    (config, directory): (&str, &Path),
    entries: &[String],
) -> Running {
    let mut request = client.recover_request();
    let mut params = request.get();
    params.set_config(config);
    fill(params.reborrow().init_context(), directory, "run");
    params.set_ui(stage.lend_ui());
    params.set_environment(stage.lend_environment());
    params.set_cancellation(stage.lend_cancellation());
    let mut list = params.init_entries(u32::try_from(entries.len()).unwrap_or_default());
    for (at, text) in (0..).zip(entries) {
        let mut entry = list.reborrow().get(at);
        entry.set_text(text);
        entry.set_entry(stage.lend_entry(text.clone()));
    }
    let answer = request.send().promise;
    let answered = async move {
        let outcome = read_outcome(answer.await?.get()?.get_outcome()?)?;
        Ok((outcome, String::new(), String::new()))
    };
    Running::of(rig, stage, answered.boxed_local())
}

/// What a host knows of components: nothing, or one of a kind that nobody knows.
struct Known {
    stage: Rc<Stage>,
    lane: usize,
}

impl Known {
    async fn called(&self, name: &'static str, text: String) -> capnp::Result<()> {
        self.stage.act(self.lane, name, text, &open()).await
    }
}

impl components::Server for Known {
    async fn list(
        self: Rc<Self>,
        _: components::ListParams,
        mut results: components::ListResults,
    ) -> capnp::Result<()> {
        self.called("Components.list", String::new()).await?;
        if self.stage.foreign_components.get() {
            let mut list = results.get().init_components(1);
            list.set_with_caveats(0, foreign_component()?.get_root()?)?;
        }
        Ok(())
    }

    async fn find(
        self: Rc<Self>,
        params: components::FindParams,
        mut results: components::FindResults,
    ) -> capnp::Result<()> {
        self.called("Components.find", text(params.get()?.get_name())?).await?;
        if self.stage.foreign_components.get() {
            return results.get().set_component(foreign_component()?.get_root()?);
        }
        results.get().init_component().set_unset(());
        Ok(())
    }
}
