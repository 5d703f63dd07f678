//! The plain values of a communicator, each with its `read` and `write`.
use packwire_schema::communicator_capnp::{communicator_info, exit, file_info, remote_command};

use crate::{
    broken::Trouble,
    read,
    value::{Diagnostic, failure, len, read_failure, write_diagnostics},
};

/// What a communicator is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommunicatorInfo {
    /// `ssh`, `local`, …
    pub kind: String,
    /// `linux`, `windows`, …; empty where unknown.
    pub system: String,
    /// The machine's name or address.
    pub host: String,
    /// The port there; 0 where there is none.
    pub port: u16,
    /// The user there.
    pub user: String,
    /// What it can do beyond commands and files: `tree`, `pty`, `dial`, `signal`.
    pub features: Vec<String>,
}

impl CommunicatorInfo {
    pub(crate) fn read(reader: communicator_info::Reader<'_>) -> Result<Self, Trouble> {
        Ok(Self {
            kind: read::text(reader.get_type())?,
            system: read::text(reader.get_system())?,
            host: read::text(reader.get_host())?,
            port: reader.get_port(),
            user: read::text(reader.get_user())?,
            features: read::texts(reader.get_features())?,
        })
    }

    pub(super) fn write(self, mut builder: communicator_info::Builder<'_>) {
        let Self { kind, system, host, port, user, features } = self;
        builder.set_type(kind);
        builder.set_system(system);
        builder.set_host(host);
        builder.set_port(port);
        builder.set_user(user);
        let mut list = builder.init_features(len(&features));
        for (at, feature) in (0..).zip(&features) {
            list.set(at, feature);
        }
    }
}

/// A command for the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteCommand {
    /// A line for the remote login shell, quoted by the caller.
    pub line: String,
    /// Whether it wants a terminal.
    pub pty: bool,
    /// Whether its input will be written.
    pub stdin: bool,
}

impl RemoteCommand {
    /// A command without a terminal and without input.
    pub fn new(line: impl Into<String>) -> Self {
        Self { line: line.into(), pty: false, stdin: false }
    }

    pub(crate) fn read(reader: remote_command::Reader<'_>) -> Result<Self, capnp::Error> {
        Ok(Self { line: read::text(reader.get_line())?, pty: reader.get_pty(), stdin: reader.get_stdin() })
    }

    pub(super) fn write(self, mut builder: remote_command::Builder<'_>) {
        let Self { line, pty, stdin } = self;
        builder.set_line(line);
        builder.set_pty(pty);
        builder.set_stdin(stdin);
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Status(i32),
    /// By this signal, a POSIX name without SIG, as in SSH: `KILL`.
    Signal(String),
    /// Unknown: the connection to the machine broke.
    Lost(String),
    /// It could not be started, or its output could not be delivered.
    Failed(Vec<Diagnostic>),
    /// It was cancelled, and has ended.
    Cancelled,
}

impl Exit {
    /// A failure with one error.
    pub fn failed(summary: impl Into<String>) -> Self {
        Self::Failed(vec![Diagnostic::error(summary)])
    }

    pub(crate) fn read(reader: exit::Reader<'_>) -> Result<Self, Trouble> {
        match reader.which().map_err(|member| read::unknown("exit", member))? {
            exit::Unset(()) => Err(read::unset("exit")),
            exit::Status(status) => Ok(Self::Status(status)),
            exit::Signal(name) => Ok(Self::Signal(read::text(name)?)),
            exit::Lost(why) => Ok(Self::Lost(read::text(why)?)),
            exit::Failed(diagnostics) => Ok(Self::Failed(read_failure(diagnostics)?)),
            exit::Cancelled(()) => Ok(Self::Cancelled),
        }
    }

    pub(super) fn write(self, mut builder: exit::Builder<'_>) {
        match self {
            Self::Status(status) => builder.set_status(status),
            Self::Signal(name) => builder.set_signal(name),
            Self::Lost(why) => builder.set_lost(why),
            Self::Failed(diagnostics) => {
                let diagnostics = failure(diagnostics);
                let list = builder.init_failed(len(&diagnostics));
                write_diagnostics(diagnostics, list);
            }
            Self::Cancelled => builder.set_cancelled(()),
        }
    }
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileInfo {
    /// Its size in bytes, where it is known. An upload of another size fails (`comm.upload-size`).
    pub size: Option<u64>,
    /// Its permission bits, at most 0o7777; `None` for the receiver's default.
    pub mode: Option<u32>,
    /// When it was modified last, in seconds since 1970.
    pub modified: Option<i64>,
}

impl FileInfo {
    const UNKNOWN: i64 = -1;
    const UNKNOWN_MODE: i32 = -1;
    const UNKNOWN_TIME: i64 = i64::MIN;

    pub(crate) fn read(reader: file_info::Reader<'_>) -> Self {
        Self {
            size: u64::try_from(reader.get_size()).ok(),
            mode: u32::try_from(reader.get_mode()).ok().map(|mode| mode & 0o7777),
            modified: Some(reader.get_modified()).filter(|time| *time != Self::UNKNOWN_TIME),
        }
    }

    pub(super) fn write(self, mut builder: file_info::Builder<'_>) {
        let Self { size, mode, modified } = self;
        builder.set_size(size.and_then(|size| i64::try_from(size).ok()).unwrap_or(Self::UNKNOWN));
        builder
            .set_mode(mode.and_then(|mode| i32::try_from(mode & 0o7777).ok()).unwrap_or(Self::UNKNOWN_MODE));
        builder.set_modified(modified.unwrap_or(Self::UNKNOWN_TIME));
    }
}
