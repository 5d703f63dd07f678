//! What the ledger's files say.

use std::fmt;
use std::path::PathBuf;

use packwire_wire::Kind;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::process::ProcessId;
use crate::catalog::PluginCommand;
use crate::plugins::Running;

/// How the configurations of a run can be made anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run's id, as its components know it.
    pub run: String,
    /// When it began, in nanoseconds since 1970: a template's times are the same when it is read again.
    pub began: i64,
    /// The host that began it.
    pub host: ProcessId,
    /// The host's working directory.
    pub directory: PathBuf,
    /// The template, absolute.
    pub template: PathBuf,
    /// The files with variables, absolute, in their order.
    pub variable_files: Vec<PathBuf>,
    /// The names of the variables that were set on the command line.
    pub variables: Vec<String>,
}

/// One thing to deal with after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// Something of a component's own.
    Thing(Thing),
    /// A directory that the host lent: whatever is in it goes.
    Directory {
        /// Which.
        path: PathBuf,
        /// Who it was lent to.
        maker: Maker,
    },
}

/// What a component remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// Who remembers it.
    pub maker: Maker,
    /// What it says of it, for itself alone.
    pub text: String,
}

/// A component in its place in a template, and the process that ran it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Maker {
    /// The build; empty for what belongs to none.
    pub build: String,
    /// Its kind.
    #[serde(serialize_with = "write_kind", deserialize_with = "read_kind")]
    pub kind: Kind,
    /// Its name as the template says it.
    pub component: String,
    /// Where in the template's text that name stands.
    pub at: usize,
    /// The executable of its plugin,
    pub program: PathBuf,
    /// and what that is started with.
    pub arguments: Vec<String>,
    /// The plugin's process: nothing is recovered while it may still be cleaning up itself.
    pub process: Option<ProcessId>,
}

impl Entry {
    /// Who it belongs to.
    #[must_use]
    pub fn maker(&self) -> &Maker {
        match self {
            Self::Thing(Thing { maker, .. }) | Self::Directory { maker, .. } => maker,
        }
    }
}

impl Maker {
    /// A component that runs in a process; `at` is where the template names it.
    #[must_use]
    pub fn new(build: String, kind: Kind, component: &str, at: usize, running: &Running) -> Self {
        let PluginCommand { program, arguments } = running.command().clone();
        let process = Some(ProcessId::of(running.id()));
        Self { build, kind, component: component.to_owned(), at, program, arguments, process }
    }

    /// Its kind and name.
    #[must_use]
    pub fn who(&self) -> String {
        format!("{} {}", self.kind, self.component)
    }

    /// How its plugin is started.
    #[must_use]
    pub fn command(&self) -> PluginCommand {
        PluginCommand { program: self.program.clone(), arguments: self.arguments.clone() }
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.who())?;
        if self.build.is_empty() { Ok(()) } else { write!(formatter, " of build `{}`", self.build) }
    }
}

fn write_kind<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

fn read_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    known.ok_or_else(|| serde::de::Error::custom(format!("there is no kind `{name}`")))
}
