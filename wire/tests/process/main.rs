//! The processes of a session, with real ones: shell scripts that stand for plugins.
//!
//! `cfg(test)` is always true here; by it clippy knows that helpers may unwrap.

#[cfg(test)]
mod door;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod session;
