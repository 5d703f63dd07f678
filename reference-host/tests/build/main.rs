//! Builds from end to end: the real `packwire`, real plugins, real processes, and nothing left of them.

#![expect(clippy::unwrap_used, reason = "a failure of the set-up is a failure of the test")]
#![expect(clippy::panic, reason = "a deadline that passed is a failure of the test")]

mod artifacts;
mod commands;
mod data;
mod events;
mod full_disk;
mod grace;
mod interrupts;
mod killed;
mod lent;
mod logs;
mod outputs;
mod parts;
mod plugins;
mod prepared;
mod provisioning;
mod recovery;
mod refused;
mod rig;
mod sharing;
mod sources;
mod transport;
mod whole;
