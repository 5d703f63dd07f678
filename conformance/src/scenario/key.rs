//! The keys of which a component may be without.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Part;
use crate::components::Kind;

/// A key that makes one more rule tried, and that some components have nothing for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// No run goes on until it is cancelled, or can be kept waiting.
    Slow,
    /// No run fails.
    Fails,
    /// No configuration leads to a bug.
    Bug,
    /// No configuration crashes the process.
    Crash,
    /// No run asks anything.
    Asks,
    /// No text comes out of a run. Hooks and commands: none of what they are given.
    Echo,
    /// No integer of a configuration comes out of a run.
    Integer,
    /// No secret is in its configurations, though its schema has a place for one.
    Secret,
    /// Nothing is warned of.
    Warns,
    /// No path of this machine is in its configurations.
    Relative,
    /// What it makes is never there already: it has no name that is chosen for it.
    Existing,
    /// Nothing is said, or not always in one order.
    Says,
    /// Nothing is ever made outside of the machine that is lent.
    Clean,
    /// What it puts on a machine cannot be told beforehand.
    Leaves,
    /// Arguments are not shown.
    EchoArguments,
    /// All other arguments end alike.
    Ends,
    /// Its commands are in no language that the suite speaks.
    Shell,
}

impl Key {
    /// As a scenario writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Fails => "fails",
            Self::Bug => "bug",
            Self::Crash => "crash",
            Self::Asks => "asks",
            Self::Echo => "echo",
            Self::Integer => "integer",
            Self::Secret => "secret",
            Self::Warns => "warns",
            Self::Relative => "relative",
            Self::Existing => "existing",
            Self::Says => "says",
            Self::Clean => "clean",
            Self::Leaves => "leaves",
            Self::EchoArguments => "echo-arguments",
            Self::Ends => "ends",
            Self::Shell => "shell",
        }
    }

    /// Whether it means something for a kind.
    pub(crate) fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Says | Self::Clean | Self::Echo => true,
            Self::Fails => kind != Kind::Command,
            Self::Leaves => kind == Kind::Provisioner,
            Self::Existing => kind == Kind::Builder,
            Self::EchoArguments | Self::Ends => kind == Kind::Command,
            Self::Shell => kind == Kind::Communicator,
            _ => !matches!(kind, Kind::Hook | Kind::Command),
        }
    }

    /// What is to be written for a component of a kind.
    pub(crate) fn asked_of(self, kind: Kind) -> String {
        match (self, kind) {
            (Self::Echo, Kind::Hook) => "`data` with ${text}".to_owned(),
            (Self::Echo, Kind::Command) => "`arguments` with ${text}".to_owned(),
            _ => format!("`{}`", self.word()),
        }
    }
}

impl Part {
    /// Whether a component of this kind has something for a key.
    pub(super) fn gives(&self, key: Key) -> bool {
        match key {
            Key::Slow => self.slow.is_some(),
            Key::Fails => self.fails.is_some(),
            Key::Bug => self.bug.is_some(),
            Key::Crash => self.crash.is_some(),
            Key::Asks => self.asks.is_some(),
            Key::Echo => self.echo.is_some(),
            Key::Integer => self.integer.is_some(),
            Key::Secret => self.secret.is_some(),
            Key::Warns => !self.warns.is_empty(),
            Key::Relative => self.relative.is_some(),
            Key::Existing => self.existing.is_some(),
            Key::Says => !self.says.is_empty(),
            Key::Clean => self.clean.is_some(),
            Key::Leaves => self.leaves.is_some(),
            Key::EchoArguments => self.echo_arguments.is_some(),
            Key::Ends => !self.ends.is_empty(),
            Key::Shell => self.shell.is_some(),
        }
    }
}
