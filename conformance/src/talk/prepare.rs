//! `prepare`, of every kind that has it.

use std::path::Path;
use std::time::{Duration, Instant};

use capnp::capability::{Client, Promise, Response};
use futures::FutureExt;
use futures::future::{LocalBoxFuture, join_all};
use packwire_schema::builder_capnp::{build, image_builder};
use packwire_schema::component_capnp::component;
use packwire_schema::connector_capnp::{connection, connector};
use packwire_schema::data_source_capnp::{data_source, query};
use packwire_schema::post_processor_capnp::{post_process, post_processor};
use packwire_schema::provisioner_capnp::{provision, provisioner};
use packwire_schema::work_capnp::context;
use serde_json::Value;

use super::diagnostic::told;
use super::{Diagnostic, foreign_wish};
use crate::check::Stop;
use crate::components::{Kind, Offered, offered, text};
use crate::rig::{Attached, Rig};

/// How long `prepare` may take.
pub(crate) const PREPARE: Duration = Duration::from_secs(30);
/// How many calls are sent before their answers are awaited.
const SIDE_BY_SIDE: usize = 16;

/// A component that prepares, as its hello offers it.
pub(crate) struct Preparer {
    /// ``builder `custom-cloud` ``.
    pub(crate) title: String,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// Its configSchema, as it was declared.
    pub(crate) schema: String,
    /// Its outputSchema, as it was declared.
    pub(crate) output_schema: String,
    pub(crate) needs_communicator: bool,
    capability: Capability,
}

enum Capability {
    Builder(image_builder::Client),
    Provisioner(provisioner::Client),
    PostProcessor(post_processor::Client),
    DataSource(data_source::Client),
    Communicator(connector::Client),
}

/// One prepared use of a component.
#[derive(Clone)]
pub(crate) enum Object {
    Build(build::Client),
    Provision(provision::Client),
    PostProcess(post_process::Client),
    Query(query::Client),
    Connection(connection::Client),
}

/// What `prepare` answered.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) object: Option<Object>,
}

/// What a host wishes for where a build fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Cleanup,
    Abort,
    Ask,
    /// It is forgotten.
    Unset,
    /// Something that nobody knows.
    Unknown,
}

impl Wish {
    /// As a host says it, who knows what it says.
    fn known(self) -> context::OnError {
        match self {
            Self::Abort => context::OnError::Abort,
            Self::Ask => context::OnError::Ask,
            Self::Unset => context::OnError::Unset,
            Self::Cleanup | Self::Unknown => context::OnError::Cleanup,
        }
    }
}

/// Where and how a component is used in a run, as its context says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    /// The working directory of the host.
    pub(crate) directory: &'a Path,
    /// The directory of the template.
    pub(crate) template: &'a Path,
    /// Whether what is there may be replaced.
    pub(crate) force: bool,
}

/// What came of calling `prepare`.
#[derive(Clone)]
pub(crate) enum Answer {
    Given(Prepared),
    /// An exception, or an answer that cannot be read.
    Threw(String),
    /// Nothing, in the time that it may take.
    Silent,
}

impl Answer {
    /// What it was, if it was an answer.
    pub(crate) fn given(&self) -> Option<&Prepared> {
        match self {
            Self::Given(prepared) => Some(prepared),
            Self::Threw(_) | Self::Silent => None,
        }
    }

    /// The diagnostics, none if it was no answer.
    pub(crate) fn diagnostics(&self) -> &[Diagnostic] {
        self.given().map_or(&[], |prepared| &prepared.diagnostics)
    }

    /// Whether it holds an error diagnostic.
    pub(crate) fn refuses(&self) -> bool {
        self.diagnostics().iter().any(Diagnostic::is_error)
    }

    /// In a line, for a report.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Given(Prepared { diagnostics, object }) => {
                let object = if object.is_some() { "an object" } else { "no object" };
                format!("it answered {object} and {}", told(diagnostics))
            }
            Self::Threw(error) => format!("it threw: {error}"),
            Self::Silent => "no answer came".to_owned(),
        }
    }

    /// What two equal answers have in common, in whatever order the diagnostics come.
    pub(crate) fn essence(&self) -> String {
        match self {
            Self::Given(Prepared { diagnostics, object }) => {
                let mut lines: Vec<String> = diagnostics.iter().map(Diagnostic::in_full).collect();
                lines.sort();
                let object = if object.is_some() { "an object" } else { "no object" };
                format!("{object}; {}", lines.join("; "))
            }
            Self::Threw(_) | Self::Silent => self.told(),
        }
    }
}

/// The components of a session that prepare; without one the check has nothing to try.
pub(crate) fn preparers(session: &Attached) -> Result<Vec<Preparer>, Stop> {
    let components = session.plugin.read("the list of components", session.hello.read().and_then(offered))?;
    let found: Vec<Preparer> = components.iter().filter_map(Preparer::of).collect();
    if found.is_empty() {
        return Err(Stop::NotApplicable("hooks and commands have no prepare".to_owned()));
    }
    Ok(found)
}

impl Preparer {
    pub(crate) fn of(offered: &Offered<'_>) -> Option<Self> {
        let capability = match offered.reader.which().ok()? {
            component::ImageBuilder(capability) => Capability::Builder(capability.ok()?),
            component::Provisioner(capability) => Capability::Provisioner(capability.ok()?),
            component::PostProcessor(capability) => Capability::PostProcessor(capability.ok()?),
            component::DataSource(capability) => Capability::DataSource(capability.ok()?),
            component::Communicator(capability) => Capability::Communicator(capability.ok()?),
            component::Hook(_) | component::Command(_) | component::Unset(()) => return None,
        };
        Some(Self {
            title: offered.title.clone(),
            kind: offered.kind?,
            name: offered.name.clone(),
            schema: text(offered.reader.get_config_schema()).ok()?,
            output_schema: text(offered.reader.get_output_schema()).ok()?,
            needs_communicator: offered.reader.get_needs_communicator(),
            capability,
        })
    }

    /// Calls `prepare` with any bytes as the configuration.
    pub(crate) async fn prepare(&self, rig: &Rig, config: &[u8]) -> Answer {
        let work = &rig.places().work;
        answer(
            rig,
            self.call(config, Setting { directory: work, template: work, force: false }, "", Wish::Cleanup),
        )
        .await
    }

    /// Calls `prepare` with many configurations, several at once, and answers in their order.
    pub(crate) async fn prepare_all(
        &self,
        rig: &Rig,
        configs: impl IntoIterator<Item = &[u8]>,
    ) -> Vec<Answer> {
        let configs: Vec<&[u8]> = configs.into_iter().collect();
        let mut answers = Vec::new();
        for some in configs.chunks(SIDE_BY_SIDE) {
            answers.extend(join_all(some.iter().map(|config| self.prepare(rig, config))).await);
        }
        answers
    }

    /// The same for a value, which has to be accepted for the rule to be tried.
    pub(crate) async fn prepared(
        &self,
        rig: &Rig,
        session: &Attached,
        config: &Value,
        used: Setting<'_>,
    ) -> Result<Object, Stop> {
        let answer = self.prepare_by(rig, config, used, Wish::Cleanup).await;
        if let Some(object) = answer.given().and_then(|prepared| prepared.object.clone()) {
            return Ok(object);
        }
        let expected = format!(
            "the {} prepares the scenario's configuration, so that the rule can be tried",
            self.title
        );
        session.plugin.lacks(expected, answer.told())
    }

    /// The same for a run, whatever is answered, by a context that may wish for something else where a build fails; what
    /// nobody knows may be refused.
    pub(crate) async fn prepare_by(
        &self,
        rig: &Rig,
        config: &Value,
        used: Setting<'_>,
        wish: Wish,
    ) -> Answer {
        answer(rig, self.call(config.to_string().as_bytes(), used, "run", wish)).await
    }

    /// The capability without its type, and the id of its interface.
    pub(crate) fn untyped(&self) -> (Client, u64) {
        use capnp::traits::HasTypeId;
        match &self.capability {
            Capability::Builder(client) => (client.client.clone(), image_builder::Client::TYPE_ID),
            Capability::Provisioner(client) => (client.client.clone(), provisioner::Client::TYPE_ID),
            Capability::PostProcessor(client) => (client.client.clone(), post_processor::Client::TYPE_ID),
            Capability::DataSource(client) => (client.client.clone(), data_source::Client::TYPE_ID),
            Capability::Communicator(client) => (client.client.clone(), connector::Client::TYPE_ID),
        }
    }

    fn call(&self, config: &[u8], used: Setting<'_>, run: &str, wish: Wish) -> Call {
        macro_rules! call {
            ($client:expr, $object:ident, $has:ident, $take:ident) => {{
                let mut request = $client.prepare_request();
                let mut params = request.get();
                params.set_config(capnp::text::Reader(config));
                let filled = match wish {
                    Wish::Cleanup | Wish::Abort | Wish::Ask | Wish::Unset => {
                        let mut context = params.init_context();
                        used.fill(context.reborrow(), run);
                        context.set_on_error(wish.known());
                        Ok(())
                    }
                    Wish::Unknown => foreign_wish(|context| used.fill(context, run))
                        .and_then(|context| params.set_context(context.get_root()?)),
                };
                let answer = request.send().promise;
                async move {
                    filled?;
                    let answer = answer.await?;
                    let answer = answer.get()?;
                    let diagnostics = Diagnostic::read_all(answer.get_diagnostics()?)?;
                    let object = answer.$has().then(|| answer.$take().map(Object::$object)).transpose()?;
                    Ok(Prepared { diagnostics, object })
                }
                .boxed_local()
            }};
        }
        match &self.capability {
            Capability::Builder(client) => call!(client, Build, has_build, get_build),
            Capability::Provisioner(client) => call!(client, Provision, has_provision, get_provision),
            Capability::PostProcessor(client) => {
                call!(client, PostProcess, has_post_process, get_post_process)
            }
            Capability::DataSource(client) => call!(client, Query, has_query, get_query),
            Capability::Communicator(client) => call!(client, Connection, has_connection, get_connection),
        }
    }
}

type Call = LocalBoxFuture<'static, capnp::Result<Prepared>>;

async fn answer(rig: &Rig, call: Call) -> Answer {
    match tokio::time::timeout(rig.stretch(PREPARE), call).await {
        Ok(Ok(prepared)) => Answer::Given(prepared),
        Ok(Err(error)) => Answer::Threw(error.extra),
        Err(_) => Answer::Silent,
    }
}

impl Setting<'_> {
    fn fill(self, mut context: context::Builder<'_>, run: &str) {
        fill(context.reborrow(), self.directory, run);
        context.set_template_dir(self.template.display().to_string());
        context.set_force(self.force);
    }
}

/// What a host says of itself and of the place of use; a run has an id, validation has none.
pub(crate) fn fill(mut context: context::Builder<'_>, directory: &Path, run: &str) {
    let work = directory.display().to_string();
    context.set_on_error(context::OnError::Cleanup);
    context.set_host_name("conformance");
    context.set_host_version(env!("CARGO_PKG_VERSION"));
    context.set_template_dir(&work[..]);
    context.set_working_dir(&work[..]);
    context.set_run_id(run);
    if !run.is_empty() {
        context.set_build_name("conformance");
        context.set_builder_type("conformance");
    }
}

impl Object {
    /// Ends its use.
    pub(crate) async fn close(&self, rig: &Rig) {
        macro_rules! close {
            ($client:expr) => {{
                let answer = $client.close_request().send().promise;
                // Whether it answers is no check's business here.
                drop(tokio::time::timeout(rig.stretch(Duration::from_secs(10)), answer).await);
            }};
        }
        match self {
            Self::Build(client) => close!(client),
            Self::Provision(client) => close!(client),
            Self::PostProcess(client) => close!(client),
            Self::Query(client) => close!(client),
            Self::Connection(client) => close!(client),
        }
    }
}

/// How long a call took, beside its answer.
pub(crate) async fn timed<T>(call: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let answer = call.await;
    (answer, began.elapsed())
}

/// Calls whatever method on whatever interface, with empty parameters.
pub(crate) async fn call_unknown(
    rig: &Rig,
    capability: &Client,
    interface: u64,
    method: u16,
) -> Option<Result<(), String>> {
    use capnp::any_pointer;
    let request = capability.new_call::<any_pointer::Owned, any_pointer::Owned>(interface, method, None);
    let answer: Promise<Response<any_pointer::Owned>, capnp::Error> = request.send().promise;
    match tokio::time::timeout(rig.stretch(Duration::from_secs(10)), answer).await {
        Ok(Ok(_)) => Some(Ok(())),
        Ok(Err(error)) => Some(Err(error.extra)),
        Err(_) => None,
    }
}
