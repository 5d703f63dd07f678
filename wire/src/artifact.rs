//! `Artifact`: what a build made. It lives on after the build, until it is closed or its process ends.
use std::{rc::Rc, sync::Arc};

use capnp_rpc::new_client;
use packwire_schema::artifact_capnp::{artifact as schema, artifact_info};
use tokio_util::sync::CancellationToken;

use crate::{
    broken::{Broken, Trouble},
    cancellation::{OfferedCancellation, RemoteCancellation},
    limits,
    place::{Forward, Place, Seed, answered, lend, offered, remote, send},
    read,
    room::{Adopted, Panicked},
    ui::{OfferedUi, RemoteUi},
    value::{Outcome, panicked},
};

/// What a build made.
pub trait Artifact: Send + Sync + 'static {
    /// What it is. Repeatable.
    fn describe(&self) -> impl Future<Output = ArtifactInfo> + Send;

    /// One more thing about it, as JSON; `None` where there is no such thing.
    fn state(&self, name: String) -> impl Future<Output = Option<String>> + Send {
        drop(name);
        std::future::ready(None)
    }

    /// Removes it. Only hosts call this; a second time is done as well (`artifact.destroy-twice`).
    fn destroy(&self, destroy: ArtifactDestroy) -> impl Future<Output = Outcome> + Send;

    /// The host has no more questions. What it stands for stays.
    fn close(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What [`Artifact::destroy`] may use.
#[derive(Debug, Clone)]
pub struct ArtifactDestroy {
    /// Where to say what happens, unless the host has nowhere.
    pub ui: Option<RemoteUi>,
    /// When to stop.
    pub cancellation: RemoteCancellation,
}

/// What an artifact is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArtifactInfo {
    /// Names the kind of artifact; post-processors go by it. Never empty.
    pub builder_id: String,
    /// Names this one. Never empty.
    pub id: String,
    /// A few words or lines for people.
    pub description: String,
    /// Its local files, absolute.
    pub files: Vec<String>,
    /// A JSON object with reverse-DNS keys; unknown ones are ignored.
    pub extensions: String,
}

impl ArtifactInfo {
    pub(crate) fn read(reader: artifact_info::Reader<'_>) -> Result<Self, Trouble> {
        Ok(Self {
            builder_id: read::text(reader.get_builder_id())?,
            id: read::text(reader.get_id())?,
            description: read::text(reader.get_description())?,
            files: read::texts(reader.get_files())?,
            extensions: read::text(reader.get_extensions())?,
        })
    }

    pub(crate) fn write(self, mut builder: artifact_info::Builder<'_>) {
        let Self { builder_id, id, description, files, extensions } = self;
        builder.set_builder_id(builder_id);
        builder.set_id(id);
        builder.set_description(description);
        let mut list = builder.reborrow().init_files(crate::value::len(&files));
        for (at, file) in (0..).zip(&files) {
            list.set(at, file);
        }
        builder.set_extensions(extensions);
    }
}

offered! {
    /// An [`Artifact`] of ours.
    OfferedArtifact: schema::Client
}

impl OfferedArtifact {
    /// Offers `artifact`: in an answer, until the session ends; lent, until the call has answered.
    pub fn new(artifact: impl Artifact) -> Self {
        Self(Seed::serving(Arc::new(artifact), |artifact, place| {
            new_client(ServedArtifact { artifact, place })
        }))
    }
}

impl From<RemoteArtifact> for OfferedArtifact {
    /// Gives on what another plugin made.
    fn from(artifact: RemoteArtifact) -> Self {
        Self::new(Forward(artifact))
    }
}

impl Artifact for Forward<RemoteArtifact> {
    async fn describe(&self) -> ArtifactInfo {
        // Of an artifact that is gone nothing is known.
        self.0.describe().await.unwrap_or_default()
    }

    async fn state(&self, name: String) -> Option<String> {
        self.0.state(name).await.unwrap_or_default()
    }

    async fn destroy(&self, destroy: ArtifactDestroy) -> Outcome {
        let ArtifactDestroy { ui, cancellation } = destroy;
        let ui = ui.as_ref().map(Into::into);
        let destroyed = self.0.destroy(ui, cancellation.token().clone()).await;
        destroyed.unwrap_or_else(|broken| Outcome::Failed(broken.into()))
    }

    async fn close(&self) {
        // One that is gone has been closed by that.
        drop(self.0.close().await);
    }
}

struct ServedArtifact<A> {
    artifact: Arc<A>,
    place: Place,
}

impl<A: Artifact> schema::Server for ServedArtifact<A> {
    async fn describe(
        self: Rc<Self>,
        _: schema::DescribeParams,
        mut results: schema::DescribeResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let artifact = self.artifact.clone();
        let info = self.place.ask_author(async move { artifact.describe().await }).await?;
        info.write(results.get().init_info());
        answered(results)
    }

    async fn state(
        self: Rc<Self>,
        params: schema::StateParams,
        mut results: schema::StateResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let name = read::text(params.get()?.get_name())?;
        let artifact = self.artifact.clone();
        let value = self.place.ask_author(async move { artifact.state(name).await }).await?;
        results.get().set_value(value.unwrap_or_default());
        answered(results)
    }

    async fn destroy(
        self: Rc<Self>,
        params: schema::DestroyParams,
        mut results: schema::DestroyResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let destroy = {
            let (params, link) = (params.get()?, &self.place.link);
            let ui = read::optional(params.has_ui(), || params.get_ui())?;
            let cancellation = read::optional(params.has_cancellation(), || params.get_cancellation())?;
            ArtifactDestroy {
                ui: ui.map(|ui| RemoteUi::adopt(link, ui)),
                cancellation: RemoteCancellation::adopt(link, cancellation),
            }
        };
        let (artifact, ui) = (self.artifact.clone(), destroy.ui.clone());
        let destroyed = self.place.room().on_authors(async move { artifact.destroy(destroy).await }).await;
        flush(ui).await;
        destroyed
            .unwrap_or_else(|Panicked(text)| Outcome::Failed(panicked(&text)))
            .write(results.get().init_outcome());
        answered(results)
    }

    async fn close(
        self: Rc<Self>,
        _: schema::CloseParams,
        _: schema::CloseResults,
    ) -> Result<(), capnp::Error> {
        let _entered = self.place.enter(0)?;
        let artifact = self.artifact.clone();
        self.place.ask_author(async move { artifact.close().await }).await
    }
}

/// Waits for the last lines of a run; that they cannot be said does not change how it ended.
pub(crate) async fn flush(ui: Option<RemoteUi>) {
    if let Some(ui) = ui {
        drop(ui.flush().await);
    }
}

remote! {
    /// An artifact of a plugin.
    RemoteArtifact: schema::Client
}

impl RemoteArtifact {
    /// What it is.
    pub async fn describe(&self) -> Result<ArtifactInfo, Broken> {
        self.0
            .call("Artifact.describe", Some(limits::QUICK_WITHIN), |Adopted { client, .. }| {
                let sent = send(client.describe_request());
                async move { ArtifactInfo::read(sent?.await?.get()?.get_info()?) }
            })
            .await
    }

    /// One more thing about it, as JSON; `None` where there is no such thing.
    pub async fn state(&self, name: impl Into<String>) -> Result<Option<String>, Broken> {
        let name = name.into();
        self.0
            .call("Artifact.state", Some(limits::QUICK_WITHIN), move |Adopted { client, .. }| {
                let mut request = client.state_request();
                request.get().set_name(name);
                let sent = send(request);
                async move {
                    let value = read::text(sent?.await?.get()?.get_value())?;
                    Ok(Some(value).filter(|value| !value.is_empty()))
                }
            })
            .await
    }

    /// Removes it.
    pub async fn destroy(
        &self,
        ui: Option<OfferedUi>,
        cancellation: CancellationToken,
    ) -> Result<Outcome, Broken> {
        self.0
            .call("Artifact.destroy", None, move |Adopted { client, link }| {
                let (place, loan) = Place::lent(&link);
                let mut request = client.destroy_request();
                let (mut params, cancellation) = (request.get(), OfferedCancellation::from(cancellation));
                lend!(params at &place; set_cancellation: cancellation);
                if let Some(ui) = ui {
                    lend!(params at &place; set_ui: ui);
                }
                let sent = send(request);
                async move {
                    let _loan = loan;
                    Outcome::read(sent?.await?.get()?.get_outcome()?)
                }
            })
            .await
    }

    /// Says that it is not needed any more. What it stands for stays.
    pub async fn close(&self) -> Result<(), Broken> {
        self.0
            .acknowledged("Artifact.close", Some(limits::QUICK_WITHIN), |client| send(client.close_request()))
            .await
    }
}
