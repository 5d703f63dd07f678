//! Everything between two processes that is not Cap'n Proto: where a plugin is told to dial, how it is
//! started in a session of its own, what it prints, and how every process of that session is ended.
//!
//! The plugin's side: [`Invitation`] (read from the environment), [`Socket::dial`].
//! The host's side: [`Launch`] → [`Launched`] → [`Attached`], made of [`Door`] (where it is dialled), [`Session`] (the processes), [`Logs`] (what they print).
//! Both sides: [`Address`], [`Token`], [`Offer`].
//!
//! Platforms: verified on Linux. On other Unix systems a session is ended through its leader's process
//! group, so a process that made itself a group of its own (a job of an interactive shell) is missed there.

mod address;
mod door;
mod environment;
mod exceptions;
mod invitation;
mod launch;
mod leader;
mod logs;
#[cfg(target_os = "linux")]
mod members;
mod session;
mod socket;
mod tail;
mod token;
mod versions;

pub use address::{Address, BadAddress, LONGEST_PATH};
pub use door::{Door, Knock, MOST_KNOCKS, Seat};
pub use environment::{inherited_environment, passed_on};
pub use exceptions::forget_invitation;
pub use invitation::{ADDRESS, Flaw, Invitation, NoInvitation, PROTOCOL, TOKEN};
pub use launch::{Attached, Departure, Launch, Launched, NotAttached, Transport};
pub use leader::{Ended, signal_name};
pub use logs::{Level, LogLine, LogSink, LogStream, Logs};
pub use session::{Output, Program, Session};
pub use socket::Socket;
pub use token::{BadToken, Token};
pub use versions::{BadOffer, NoCommonVersion, Offer};
