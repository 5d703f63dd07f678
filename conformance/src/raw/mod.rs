//! A host below the RPC library: it writes any bytes and any message of `rpc.capnp`, takes part in an ordinary attach
//! by hand, and can then misbehave.
//!
//! A [`Link`] is one connection of a [`Host`](crate::rig::Host) whose manners are raw: the host listens, taps and tells
//! the transcript as always, but nothing answers by itself. [`frame`] reads what the plugin sends, [`write`] makes what
//! a host sends, [`Meeting`] and [`Session`] are the ordinary course of things.

pub(crate) mod bomb;
mod frame;
mod link;
mod session;
pub(crate) mod write;

pub(crate) use frame::Frame;
pub(crate) use link::Link;
pub(crate) use session::{Fares, Meeting, Session};
