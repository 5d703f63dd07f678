//! Write a Packwire plugin: implement a trait, call `serve_builder!`, that is all.
#[macro_use]
mod plugin;
mod builder;
pub mod config;
mod connector;
mod files;
mod lent;
pub mod log;
pub mod machine;
mod opened;
mod provisioner;
mod session;
mod stop;
pub mod testing;

pub use builder::{Build, Builder, Built};
pub use config::schema_of;
pub use connector::{Connection, Connector};
pub use files::FilesArtifact;
pub use lent::{BuildRun, unless_cancelled};
pub use packwire_wire::{
    Aborted, Artifact, ArtifactDestroy, ArtifactInfo, Broken, CommandIo, Communicator, CommunicatorInfo,
    ConnectionRun, Context, Diagnostic, Exit, FileInfo, Hook, HookRun, OnError, Outcome,
    RemoteCancellation as Cancellation, RemoteCommand, RemoteCommunicator, RemoteEnvironment as Environment,
    RemoteProcess, RemoteUi as Ui, Severity, StreamReceiver, StreamSender, pipe, process::signal_name,
};
pub use plugin::Plugin;
pub use provisioner::{Provision, ProvisionRun, Provisioner};
pub use stop::{Stop, done};
