//! Launch → Launched → Attached with real processes: a plugin of these tests' own that does what it is told. They
//! are watched through `/proc`, so all this is for Linux alone.
//!
//! `cfg(test)` is always true here; by it clippy knows that helpers may unwrap.
#![cfg(target_os = "linux")]

#[cfg(test)]
mod answers;
#[cfg(test)]
mod attaching;
#[cfg(test)]
#[path = "plugin/behaviour.rs"]
mod behaviour;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod breaking;
#[cfg(test)]
mod dropping;
#[cfg(test)]
mod given;
#[cfg(test)]
mod leaving;
#[cfg(test)]
#[path = "../support/lent.rs"]
mod lent;
#[cfg(test)]
mod refusing;
#[cfg(test)]
#[path = "../process/rig.rs"]
mod rig;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod strangers;
