//! The processes of a session, with real ones: shell scripts that stand for plugins. They are
//! watched through `/proc`, so all this is for Linux alone.
//!
//! `cfg(test)` is always true here; by it clippy knows that helpers may unwrap.

#![cfg(target_os = "linux")]

#[cfg(test)]
mod door;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod session;
