//! The room for Cap'n Proto: everything above this crate sees plain Rust values, traits and handles.
//!
//! One file per interface of the schema, each with both ends: the **trait** that an owner implements, its served
//! side, the `Offered…` by which it is lent, and the `Remote…` handle by which a peer's is called. The capabilities
//! themselves live on one thread, the [`Room`]; [`process`] starts the programs at the other end.
mod artifact;
mod attach;
mod broken;
mod builder;
mod cancellation;
mod communicator;
mod component;
mod connector;
mod data_source;
mod environment;
#[cfg(test)]
mod fields;
mod hook;
mod host_command;
pub mod limits;
mod link;
mod place;
mod post_processor;
mod prepare;
pub mod process;
mod provisioner;
mod read;
mod recovery;
mod relay;
mod room;
pub mod stream;
mod ui;
mod value;

pub use artifact::{Artifact, ArtifactDestroy, ArtifactInfo, OfferedArtifact, RemoteArtifact};
pub use attach::{Attachment, End, Guest, Hello, attach, receive};
pub use broken::{Broken, Reason};
pub use builder::{
    Build, BuildLent, BuildOutcome, BuildRun, Builder, Built, OfferedBuilder, RemoteBuild, RemoteBuilder,
};
pub use cancellation::{OfferedCancellation, RemoteCancellation};
pub use communicator::{
    CommandIo, Communicator, CommunicatorInfo, Exit, FileInfo, OfferedCommunicator, RemoteCommand,
    RemoteCommunicator, RemoteProcess, RemoteTunnel, TunnelIo,
};
pub use component::{Capability, Component, Kind, OfferedCapability, RemoteCapability, is_component_name};
pub use connector::{
    Connection, ConnectionLent, ConnectionOutcome, ConnectionRun, Connector, OfferedConnector,
    RemoteConnection, RemoteConnector,
};
pub use data_source::{
    DataSource, OfferedDataSource, Query, QueryLent, QueryOutcome, QueryRun, RemoteDataSource, RemoteQuery,
};
pub use environment::{
    Environment, Held, KeyPair, Lease, Leased, LedgerEntry, OfferedEnvironment, OfferedLease,
    OfferedLedgerEntry, RemoteEnvironment, RemoteLease, RemoteLedgerEntry,
};
pub use hook::{CLEANUP_PROVISION, Hook, HookLent, HookRun, OfferedHook, PROVISION, RemoteHook};
pub use host_command::{
    Components, HostCommand, HostCommandLent, HostCommandRun, OfferedComponents, OfferedHostCommand,
    RemoteComponents, RemoteHostCommand,
};
pub use link::{ByteLink, Link, memory};
pub use post_processor::{
    InputFate, OfferedPostProcessor, PostProcess, PostProcessLent, PostProcessOutcome, PostProcessRun,
    PostProcessor, RemotePostProcess, RemotePostProcessor,
};
pub use provisioner::{
    OfferedProvisioner, Provision, ProvisionLent, ProvisionRun, Provisioner, RemoteProvision,
    RemoteProvisioner,
};
pub use recovery::{OfferedRecovery, Recovery, RecoveryLent, RecoveryRun, Remembered, RemoteRecovery};
pub use room::Room;
pub use stream::{Aborted, OfferedStream, StreamReceiver, StreamSender, pipe};
pub use ui::{OfferedProgress, OfferedUi, Progress, RemoteProgress, RemoteUi, Reply, Ui};
pub use value::{Context, Diagnostic, OnError, Outcome, Prepared, Severity};
