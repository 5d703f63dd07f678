//! The one place of this package with `unsafe`: taking the invitation out of the process's environment, and
//! waiting for a file descriptor that is no socket. Both are safe to call; the proofs stand beside them.

use std::{env, io};

#[cfg(target_os = "linux")]
use {
    std::os::fd::OwnedFd,
    tokio::io::{Interest, unix::AsyncFd},
};

use super::{ADDRESS, PROTOCOL, TOKEN};

/// Removes the three variables of an invitation from this process's environment, so that no child inherits
/// them. Call it first in `main`, before anything starts a thread.
///
/// # Errors
/// On Linux, when other threads run already (or it cannot be seen that none does): nothing is changed then,
/// and children must be started without the variables.
#[expect(unsafe_code, reason = "edition 2024 has no safe way to change the environment")]
pub fn forget_invitation() -> io::Result<()> {
    be_alone()?;
    for name in [ADDRESS, TOKEN, PROTOCOL] {
        // SAFETY: no other thread can read the environment meanwhile, since there is none: on Linux this has
        // just been seen, elsewhere it is what the caller is told to make sure of. This thread starts none
        // between there and here.
        unsafe { env::remove_var(name) };
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn be_alone() -> io::Result<()> {
    match std::fs::read_dir("/proc/self/task")?.count() {
        1 => Ok(()),
        threads => Err(io::Error::other(format!("the plugin runs {threads} threads already"))),
    }
}

#[cfg(not(target_os = "linux"))]
fn be_alone() -> io::Result<()> {
    Ok(())
}

/// Waits for a file descriptor to become readable, on the tokio runtime around it.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Watch(AsyncFd<OwnedFd>);

#[cfg(target_os = "linux")]
impl Watch {
    /// Needs a tokio runtime with I/O around it.
    #[expect(unsafe_code, reason = "tokio has no safe way to watch a file descriptor that it does not know")]
    pub(super) fn on(descriptor: OwnedFd) -> io::Result<Self> {
        // SAFETY: an `OwnedFd` stays open, and always names the same descriptor, until it is dropped. It is
        // moved into the `AsyncFd`, which is private to this type, and no method here takes or replaces it.
        let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        Ok(Self(watched?))
    }

    /// Waits until it is readable.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await?.retain_ready();
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_other_threads_is_left_alone() {
        std::thread::scope(|scope| {
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || stopped.recv());
            assert!(forget_invitation().is_err());
            drop(stop);
        });
    }
}
