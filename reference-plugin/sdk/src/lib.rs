//! Write a Packwire plugin: implement a trait, call `serve_builder!`, that is all.
//!
//! A complete builder, which has the host open a communicator and the machine behind it provisioned; its crate is
//! called `packer-builder-custom-cloud` and depends on this one, `serde`, `serde_json` and `schemars`:
//!
//! ```
//! use packwire_plugin::{Build, BuildRun, Builder, Built, Context, Diagnostic, FilesArtifact, Stop, machine};
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use serde_json::json;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Image {
//!     /// The address of the machine to make an image of.
//!     host: String,
//! }
//!
//! struct CustomCloud;
//!
//! impl Builder for CustomCloud {
//!     type Config = Image;
//!     type Build = Image;
//!     const SUMMARY: &'static str = "Makes images of the custom cloud";
//!
//!     fn prepare(&self, image: Image, _: &Context) -> Result<Image, Vec<Diagnostic>> {
//!         Ok(image)
//!     }
//! }
//!
//! impl Build for Image {
//!     async fn run(self, run: BuildRun) -> Result<Built, Stop> {
//!         run.ui.say(format!("Connecting to {}", self.host)).await?;
//!         let communicator = run.communicator("ssh", &json!({"ssh_host": self.host})).await?;
//!         run.provision(Some(&communicator), &json!({"Host": self.host})).await?;
//!         let id = machine::output(&communicator, "make-image", &run.cancellation).await?;
//!         Ok(Built::artifact(FilesArtifact::new("acme.image", id, "An image", vec![])))
//!     }
//! }
//!
//! # mod plugin {
//! # use super::CustomCloud;
//! packwire_plugin::serve_builder!("custom-cloud", CustomCloud);
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Stop> {
//! # let machine = packwire_plugin::testing::Machine::new().answering("make-image", 0, "image-7\n", "");
//! # let host = packwire_plugin::testing::Host::new().with_communicator("ssh", &machine);
//! # let finished = host.build(CustomCloud, json!({"host": "h"})).await?;
//! # assert_eq!(finished.describe().await?.id, "image-7");
//! # assert_eq!(host.told()[0], "say: Connecting to h");
//! # assert_eq!(host.told()[2], r#"hook: packer_provision with a machine, {"Host":"h"}"#);
//! # Ok(())
//! # }
//! ```
//!
//! - **Configurations** are ordinary types. The [schema](config) made from one tells hosts and editors what may be
//!   written; all problems are found together, with their places, before the component sees anything. What a type cannot
//!   say is refused by the component's `prepare`; what is merely odd is told by its [`warnings`](Builder::warnings).
//! - **Failures** are [`Stop`]s, made for `?`: what went wrong is told to the person who wrote the template.
//! - **Cancellation** is waited for, [`unless_cancelled`] does it; what was half done is undone before the answer.
//! - **Services** of the host come with a run, in its [`Environment`]: directories, a cache, ports, keys. What outlives a
//!   crash is [remembered](Environment::remember) before it is made, and a [`Recover`] removes what was left.
//! - **Files** that are made by way of a [`draft`] appear whole or not at all; [`meter`] shows how far long work is.
//! - **Logs** go through [`log`]; what a user should see, through the [`Ui`]. Panics fail one call, not the plugin.
//! - **Tests** call a component in memory, or the program as a process that is ended in every way: [`testing`].
//!
//! Several components in one program: [`Plugin`].
mod builder;
mod command;
pub mod config;
mod connector;
mod data_source;
pub mod dots;
pub mod draft;
mod files;
mod lent;
mod lines;
pub mod log;
pub mod machine;
pub mod meter;
mod opened;
mod plugin;
mod post_processor;
pub mod process;
mod provisioner;
mod recover;
mod session;
mod stop;
pub mod testing;
pub mod tree;
pub mod variables;
#[cfg(feature = "zstd")]
pub mod zstd;

pub use builder::{Build, Builder, Built};
pub use command::Command;
pub use config::schema_of;
pub use connector::{Connection, Connector};
pub use data_source::{DataSource, Query};
pub use files::FilesArtifact;
pub use lent::{BuildRun, unless_cancelled};
pub use packwire_wire::{
    Aborted, Artifact, ArtifactDestroy, ArtifactInfo, Broken, CommandIo, Communicator, CommunicatorInfo,
    Component, ConnectionRun, Context, Diagnostic, Exit, FileInfo, Held, Hook, HookRun,
    HostCommandRun as CommandRun, InputFate, KeyPair, Kind, OnError, Outcome, PostProcessRun, QueryRun,
    RemoteArtifact, RemoteCancellation as Cancellation, RemoteCapability, RemoteCommand, RemoteCommunicator,
    RemoteComponents as Components, RemoteEnvironment as Environment, RemoteLedgerEntry as LedgerEntry,
    RemoteProcess, RemoteTunnel, RemoteUi as Ui, Severity, StreamReceiver, StreamSender, TunnelIo, pipe,
    process::signal_name,
};
pub use plugin::Plugin;
pub use post_processor::{PostProcess, PostProcessed, PostProcessor};
pub use provisioner::{Provision, ProvisionRun, Provisioner};
pub use recover::{Recover, Recovering};
pub use stop::{Stop, done, outcome};
