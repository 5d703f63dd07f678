//! `Communicator`: a way to a machine. Calls may overlap.
mod remote;
mod served;
mod started;
mod values;

pub use remote::{RemoteCommunicator, RemoteProcess, RemoteTunnel};
pub use served::{CommandIo, Communicator, OfferedCommunicator, TunnelIo};
pub use values::{CommunicatorInfo, Exit, FileInfo, RemoteCommand};
