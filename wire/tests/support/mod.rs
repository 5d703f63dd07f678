//! A host and a plugin in one process, joined in memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in a test ends it")]
mod lent;
mod tap;

use packwire_wire::{
    Attachment, Build, BuildOutcome, BuildRun, Builder, Built, Component, Context, Guest, Hello,
    OfferedArtifact, OfferedBuilder, OfferedCapability, OfferedRecovery, Prepared, RemoteBuild,
    RemoteBuilder, RemoteCapability, Room, attach, memory,
    process::{Offer, Token},
    receive,
};

pub(crate) use lent::Lent;
use tap::Tap;

/// Both ends of a session. The plugin offers one builder.
pub(crate) struct Pair {
    pub(crate) guest: Guest,
    pub(crate) attachment: Attachment,
    /// Who listens in.
    pub(crate) tap: Tap,
}

/// Attaches a plugin that offers `builder`, which is a function.
pub(crate) async fn pair<F, B>(builder: F) -> Pair
where
    F: Fn(BuildRun) -> B + Clone + Send + Sync + 'static,
    B: Future<Output = Built<OfferedArtifact>> + Send + 'static,
{
    pair_offering(OfferedCapability::Builder(self::builder(builder)), None).await
}

/// A builder, which is a function.
pub(crate) fn builder<F, B>(builder: F) -> OfferedBuilder
where
    F: Fn(BuildRun) -> B + Clone + Send + Sync + 'static,
    B: Future<Output = Built<OfferedArtifact>> + Send + 'static,
{
    OfferedBuilder::new(FnBuilder(builder))
}

pub(crate) async fn pair_offering(capability: OfferedCapability, recovery: Option<OfferedRecovery>) -> Pair {
    let host = Room::open(tokio::runtime::Handle::current()).unwrap();
    pair_with(&host, capability, recovery).await
}

/// As [`pair_offering`], with the room of a host that has other plugins as well.
pub(crate) async fn pair_with(
    host_room: &Room,
    capability: OfferedCapability,
    recovery: Option<OfferedRecovery>,
) -> Pair {
    let ((host, hosts_peer), (plugins_peer, plugin)) = (memory(), memory());
    let tap = Tap::between(hosts_peer, plugins_peer);
    let plugin_room = Room::open(tokio::runtime::Handle::current()).unwrap();
    let token = Token::fresh().unwrap();
    let receiving = tokio::spawn({
        let (token, host_room) = (token.clone(), host_room.clone());
        async move { receive(&host_room, host, token, Offer::of(&[1]).unwrap()).await }
    });
    let attachment = attach(&plugin_room, plugin, token, hello(capability, recovery)).await;
    Pair { guest: receiving.await.unwrap().unwrap(), attachment, tap }
}

fn hello(capability: OfferedCapability, recovery: Option<OfferedRecovery>) -> Hello<OfferedCapability> {
    Hello {
        protocol_version: 1,
        name: "test".to_owned(),
        version: "1.0.0".to_owned(),
        sdk: String::new(),
        components: vec![Component {
            name: "test".to_owned(),
            summary: "A test".to_owned(),
            documentation: String::new(),
            config_schema: "{}".to_owned(),
            output_schema: String::new(),
            recovery,
            needs_communicator: true,
            extensions: String::new(),
            capability,
        }],
        extensions: String::new(),
    }
}

impl Pair {
    pub(crate) fn component(&self) -> &Component<RemoteCapability> {
        &self.guest.hello().components[0]
    }

    pub(crate) fn builder(&self) -> RemoteBuilder {
        match &self.guest.hello().components[0].capability {
            RemoteCapability::Builder(builder) => builder.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn prepare(&self) -> RemoteBuild {
        self.builder().prepare("{}".to_owned(), Context::default()).await.unwrap().object.unwrap()
    }
}

/// A builder whose builds run a function.
struct FnBuilder<F>(F);

impl<F, B> Builder for FnBuilder<F>
where
    F: Fn(BuildRun) -> B + Clone + Send + Sync + 'static,
    B: Future<Output = Built<OfferedArtifact>> + Send + 'static,
{
    type Build = FnBuild<F>;

    async fn prepare(&self, _: String, _: Context) -> Prepared<Self::Build> {
        Prepared::ready(FnBuild(self.0.clone()))
    }
}

struct FnBuild<F>(F);

impl<F, B> Build for FnBuild<F>
where
    F: Fn(BuildRun) -> B + Clone + Send + Sync + 'static,
    B: Future<Output = Built<OfferedArtifact>> + Send + 'static,
{
    async fn run(self, run: BuildRun) -> Built<OfferedArtifact> {
        (self.0)(run).await
    }
}

/// Ends a build with an error that tells what a test wants to see.
pub(crate) fn failed(text: impl std::fmt::Display) -> Built<OfferedArtifact> {
    BuildOutcome::Failed(vec![packwire_wire::Diagnostic::error(text.to_string())]).into()
}

/// The first error of a build that failed.
pub(crate) fn failure<A>(built: Built<A>) -> String {
    match built.outcome {
        BuildOutcome::Failed(diagnostics) => diagnostics[0].summary.clone(),
        BuildOutcome::Artifact(_) => "an artifact".to_owned(),
        BuildOutcome::Nothing => "nothing".to_owned(),
        BuildOutcome::Cancelled => "cancelled".to_owned(),
    }
}
