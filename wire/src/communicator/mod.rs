//! `Communicator`: a way to a machine. Calls may overlap.
mod remote;
mod served;
mod values;

pub use remote::{RemoteCommunicator, RemoteProcess};
pub use served::{CommandIo, Communicator, OfferedCommunicator};
pub use values::{CommunicatorInfo, Exit, FileInfo, RemoteCommand};
