//! `Command`: a command of the host's own command line; and `Components`, which the host lends to it.
//!
//! It is called a host command here, because a command on a machine is [another thing](crate::RemoteCommand).
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::component_capnp::{command as schema, component, components};
use tokio_util::sync::CancellationToken;

use crate::{
    artifact::flush,
    broken::Broken,
    cancellation::{OfferedCancellation, RemoteCancellation},
    component::{Component, Kind, OfferedCapability, RemoteCapability},
    environment::{OfferedEnvironment, RemoteEnvironment},
    link::LinkState,
    place::{Forward, Place, Seed, answered, lend, offered, remote, send, size},
    read,
    room::{Adopted, Remote},
    ui::{OfferedUi, RemoteUi},
    value::len,
};

/// A command of the host's command line.
pub trait HostCommand: Send + Sync + 'static {
    /// Does what the arguments say, any number of times; answers the exit status, 0 to 255.
    fn run(&self, run: HostCommandRun) -> impl Future<Output = i32> + Send;
}

/// What [`HostCommand::run`] may use.
#[derive(Debug)]
pub struct HostCommandRun {
    /// The words after the command's own, as they were given.
    pub arguments: Vec<String>,
    /// Where to say what happens.
    pub ui: RemoteUi,
    /// The host's services.
    pub environment: RemoteEnvironment,
    /// The components that the host knows.
    pub components: RemoteComponents,
    /// When to stop.
    pub cancellation: RemoteCancellation,
}

/// The components that a host knows.
pub trait Components: Send + Sync + 'static {
    /// All of them, of all plugins.
    fn list(&self) -> impl Future<Output = Vec<Component<OfferedCapability>>> + Send;

    /// The one that a template would get for a kind and a name.
    fn find(
        &self,
        kind: Kind,
        name: String,
    ) -> impl Future<Output = Option<Component<OfferedCapability>>> + Send;
}

offered! {
    /// A [`HostCommand`] of ours.
    OfferedHostCommand: schema::Client
}

offered! {
    /// [`Components`] that we lend.
    OfferedComponents: components::Client
}

remote! {
    /// A command of a plugin.
    RemoteHostCommand: schema::Client
}

remote! {
    /// The components that a host knows, lent to us.
    RemoteComponents: components::Client
}

impl OfferedHostCommand {
    /// Offers `command`.
    pub fn new(command: impl HostCommand) -> Self {
        Self(Seed::serving(Arc::new(command), |command, place| {
            new_client(ServedHostCommand { command, place })
        }))
    }
}

impl From<RemoteHostCommand> for OfferedHostCommand {
    /// Lends on what a plugin offers, for as long as it is lent.
    fn from(command: RemoteHostCommand) -> Self {
        Self::new(Forward(command))
    }
}

impl OfferedComponents {
    /// Lends `components`.
    pub fn new(components: impl Components) -> Self {
        Self(Seed::serving(Arc::new(components), |components, place| {
            new_client(ServedComponents { components, place })
        }))
    }
}

impl From<&RemoteComponents> for OfferedComponents {
    /// Lends on what was lent to us.
    fn from(components: &RemoteComponents) -> Self {
        Self(Seed::passing(&components.0))
    }
}

struct ServedHostCommand<C> {
    command: Arc<C>,
    place: Place,
}

/// What a command answers that cannot be run as it was called: as for a usage error.
const REFUSED: i32 = 2;

impl<C: HostCommand> schema::Server for ServedHostCommand<C> {
    async fn run(
        self: Rc<Self>,
        params: schema::RunParams,
        mut results: schema::RunResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let status = match HostCommandRun::read(params.get()?, &self.place.link)? {
            None => REFUSED,
            Some(run) => {
                let (command, ui) = (self.command.clone(), run.ui.clone());
                let status = self.place.ask_author(async move { command.run(run).await }).await;
                flush(Some(ui)).await;
                status?
            }
        };
        results.get().set_exit_status(status);
        answered(results)
    }
}

impl HostCommandRun {
    /// `None` where something is not lent (`robust.null-arguments`).
    fn read(
        reader: schema::run_params::Reader<'_>,
        link: &Rc<LinkState>,
    ) -> Result<Option<Self>, capnp::Error> {
        let ui = read::optional(reader.has_ui(), || reader.get_ui())?;
        let environment = read::optional(reader.has_environment(), || reader.get_environment())?;
        let components = read::optional(reader.has_components(), || reader.get_components())?;
        let cancellation = read::optional(reader.has_cancellation(), || reader.get_cancellation())?;
        let (Some(ui), Some(environment), Some(components)) = (ui, environment, components) else {
            return Ok(None);
        };
        Ok(Some(Self {
            arguments: read::texts(reader.get_args())?,
            ui: RemoteUi::adopt(link, ui),
            environment: RemoteEnvironment(Remote::adopt(link, environment)),
            components: RemoteComponents(Remote::adopt(link, components)),
            cancellation: RemoteCancellation::adopt(link, cancellation),
        }))
    }
}

struct ServedComponents<C> {
    components: Arc<C>,
    place: Place,
}

impl<C: Components> components::Server for ServedComponents<C> {
    async fn list(
        self: Rc<Self>,
        _: components::ListParams,
        mut results: components::ListResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let components = self.components.clone();
        let all = self.place.ask_author(async move { components.list().await }).await?;
        let mut list = results.get().init_components(len(&all));
        for (at, component) in (0..).zip(all) {
            component.write(list.reborrow().get(at), &self.place);
        }
        answered(results)
    }

    async fn find(
        self: Rc<Self>,
        params: components::FindParams,
        mut results: components::FindResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(size(&params))?;
        let (kind, name) = {
            let params = params.get()?;
            (read::text(params.get_kind())?, read::text(params.get_name())?)
        };
        let Some(kind) = Kind::ALL.into_iter().find(|known| known.name() == kind) else {
            results.get().init_component();
            return Ok(());
        };
        let components = self.components.clone();
        let found = self.place.ask_author(async move { components.find(kind, name).await }).await?;
        let builder = results.get().init_component();
        if let Some(component) = found {
            component.write(builder, &self.place);
        }
        answered(results)
    }
}

/// What a host lends to a command.
#[derive(Debug, Clone)]
pub struct HostCommandLent {
    /// The words after the command's own.
    pub arguments: Vec<String>,
    /// Where it says what happens.
    pub ui: OfferedUi,
    /// The host's services.
    pub environment: OfferedEnvironment,
    /// The components that the host knows.
    pub components: OfferedComponents,
    /// Stops it when it is cancelled.
    pub cancellation: CancellationToken,
}

impl RemoteHostCommand {
    /// Runs the command; answers its exit status. What is lent ends with the answer.
    pub async fn run(&self, lent: HostCommandLent) -> Result<i32, Broken> {
        self.0
            .call("Command.run", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let HostCommandLent { arguments, ui, environment, components, cancellation } = lent;
                let mut request = client.run_request();
                let (mut params, cancellation) = (request.get(), OfferedCancellation::from(cancellation));
                let mut list = params.reborrow().init_args(len(&arguments));
                for (at, argument) in (0..).zip(&arguments) {
                    list.set(at, argument);
                }
                lend!(params at &place;
                    set_ui: ui, set_environment: environment, set_components: components,
                    set_cancellation: cancellation);
                let sent = send(request);
                async move {
                    let _loan = loan;
                    Ok(sent?.await?.get()?.get_exit_status())
                }
            })
            .await
    }
}

impl HostCommand for Forward<RemoteHostCommand> {
    async fn run(&self, run: HostCommandRun) -> i32 {
        let HostCommandRun { arguments, ui, environment, components, cancellation } = run;
        let lent = HostCommandLent {
            arguments,
            ui: (&ui).into(),
            environment: (&environment).into(),
            components: (&components).into(),
            cancellation: cancellation.token().clone(),
        };
        match self.0.run(lent).await {
            Ok(status) => status,
            Err(broken) => {
                // Where this cannot be said either, the status alone has to say it.
                drop(ui.error(broken.to_string()).await);
                REFUSED
            }
        }
    }
}

impl RemoteComponents {
    /// All of them, of all plugins. What it gave ends with the run of the command.
    pub async fn list(&self) -> Result<Vec<Component<RemoteCapability>>, Broken> {
        self.0
            .call("Components.list", None, |Adopted { client, link }| {
                let sent = send(client.list_request());
                async move {
                    let answer = sent?.await?;
                    let list = answer.get()?.get_components()?;
                    list.iter().map(|component| Component::read(component, &link)).collect()
                }
            })
            .await
    }

    /// The one that a template would get for a kind and a name.
    pub async fn find(
        &self,
        kind: Kind,
        name: impl Into<String>,
    ) -> Result<Option<Component<RemoteCapability>>, Broken> {
        let name = name.into();
        self.0
            .call("Components.find", None, move |Adopted { client, link }| {
                let mut request = client.find_request();
                request.get().set_kind(kind.name());
                request.get().set_name(name);
                let sent = send(request);
                async move {
                    let answer = sent?.await?;
                    let found = answer.get()?.get_component()?;
                    match found.which() {
                        Ok(component::Unset(())) => Ok(None),
                        _ => Component::read(found, &link).map(Some),
                    }
                }
            })
            .await
    }
}
