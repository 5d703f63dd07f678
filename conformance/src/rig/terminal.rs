//! A terminal that a process has and should leave alone.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// More than this of what is printed on it is not read.
const MOST: u64 = 64 << 10;

/// A terminal, with nobody in front of it.
pub struct Terminal {
    path: PathBuf,
    screen: std::fs::File,
    /// Kept, so that the screen can be read when nobody else holds the terminal.
    _own: OwnedFd,
}

impl Terminal {
    /// A new one.
    ///
    /// # Errors
    /// The system has none to give.
    pub(crate) fn open() -> io::Result<Self> {
        let both = nix::pty::openpty(None, None)?;
        let path = std::fs::read_link(format!("/proc/self/fd/{}", both.slave.as_raw_fd()))?;
        for end in [&both.master, &both.slave] {
            rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
        }
        rustix::io::ioctl_fionbio(&both.master, true)?;
        Ok(Self { path, screen: both.master.into(), _own: both.slave })
    }

    /// Where it is, such as `/dev/pts/3`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was printed on it since this was asked last.
    pub(crate) fn printed(&self) -> Vec<u8> {
        let mut printed = Vec::new();
        // It ends in "try again": there is no more yet.
        drop((&self.screen).take(MOST).read_to_end(&mut printed));
        printed
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_printed_on_a_terminal_is_seen() {
        let terminal = Terminal::open().unwrap();
        assert_eq!(terminal.printed(), b"");
        std::fs::File::options().write(true).open(terminal.path()).unwrap().write_all(b"Password: ").unwrap();
        assert_eq!(terminal.printed(), b"Password: ");
    }
}
