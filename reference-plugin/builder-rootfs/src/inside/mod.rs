//! What this program does when it is started again by itself: whatever has to be done where the tree is.
//!
//! A process cannot move some of its threads into namespaces or a chroot, and a plugin has many. So for each command,
//! file and tree a small process is started, which goes there on its only thread and then does one thing.
mod command;
mod keep;
mod mounts;
mod place;
mod transfer;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Write},
    process::{Command, ExitCode, ExitStatus},
};

pub(crate) use command::{Report, Requested};
pub(crate) use keep::{Keep, Kept};
use packwire_plugin::process::Program;
pub(crate) use place::Place;
use serde::{Deserialize, Serialize};
pub(crate) use transfer::{Frames, Given, Transfer};

/// What tells such a process from a plugin.
const INSIDE: &str = "__inside";
/// This program, also after its file was replaced.
const AGAIN: &str = "/proc/self/exe";

/// One thing to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Make namespaces, and keep them until the standard input ends.
    Keep(Keep),
    /// Be the first process in them; only [`Task::Keep`] starts this.
    Init(Keep),
    /// Run a command.
    Command(Place, Requested),
    /// Move files.
    Transfer(Place, Transfer),
}

impl Task {
    /// The program that does this, with variables beside the plugin's.
    pub(crate) fn program(&self, environment: &BTreeMap<OsString, OsString>) -> io::Result<Program> {
        Ok(Program {
            executable: AGAIN.into(),
            arguments: vec![INSIDE.into(), serde_json::to_string(self)?.into()],
            environment: environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            directory: None,
            with_input: true,
        })
    }

    /// Does it in a child, with the streams of this process, and waits until that has ended.
    #[expect(
        clippy::disallowed_methods,
        reason = "waited for here, and ended by the kernel with its namespace"
    )]
    fn run_in_child(&self) -> io::Result<ExitStatus> {
        Command::new(AGAIN).arg(INSIDE).arg(serde_json::to_string(self)?).status()
    }

    fn run(self) -> Result<(), String> {
        match self {
            Self::Keep(keep) => keep.run(),
            Self::Init(keep) => keep.run_as_init(),
            Self::Command(place, requested) => requested.run(&place),
            Self::Transfer(place, transfer) => transfer.run(&place),
        }
    }
}

/// Does what it was started for, where it was started by itself; `None` where it is a plugin.
pub(crate) fn requested(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    if arguments.nth(1)? != INSIDE {
        return None;
    }
    let task = arguments.next().and_then(|task| task.into_string().ok());
    let task = task.and_then(|task| serde_json::from_str::<Task>(&task).ok());
    let done = task.map_or_else(|| Err("this is a plugin's own business".to_owned()), Task::run);
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Whoever reads it may be gone.
            drop(writeln!(io::stderr(), "{why}"));
            ExitCode::FAILURE
        }
    })
}
