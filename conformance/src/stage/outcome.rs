//! How runs ended, read raw.

use packwire_schema::artifact_capnp::artifact;
use packwire_schema::builder_capnp::build_outcome;
use packwire_schema::communicator_capnp::{communicator, exit};
use packwire_schema::connector_capnp::connection_outcome;
use packwire_schema::data_source_capnp::query_outcome;
use packwire_schema::post_processor_capnp::post_process_outcome;
use packwire_schema::work_capnp::outcome;

use crate::components::text;
use crate::talk::Diagnostic;
use crate::talk::diagnostic::told;

/// How a piece of work ended, of whatever kind.
#[derive(Clone)]
pub(crate) enum Outcome {
    Unset,
    /// A member that is not in the schema.
    Unknown(u16),
    Done,
    Nothing,
    /// None where the capability is null.
    Artifact(Option<artifact::Client>),
    Value(String),
    Communicator(Option<communicator::Client>),
    Status(i32),
    Signal(String),
    Lost(String),
    Failed(Vec<Diagnostic>),
    Cancelled,
    /// An exception, or an answer that cannot be read.
    Threw(String),
}

impl Outcome {
    /// In a line, for a report.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Unset => "unset".to_owned(),
            Self::Unknown(number) => format!("the unknown member {number}"),
            Self::Done => "done".to_owned(),
            Self::Nothing => "nothing".to_owned(),
            Self::Artifact(Some(_)) => "an artifact".to_owned(),
            Self::Artifact(None) => "an artifact that is null".to_owned(),
            Self::Value(value) => format!("the value {}", crate::talk::diagnostic::shortened(value)),
            Self::Communicator(Some(_)) => "a communicator".to_owned(),
            Self::Communicator(None) => "a communicator that is null".to_owned(),
            Self::Status(status) => format!("the status {status}"),
            Self::Signal(name) => format!("the signal {name:?}"),
            Self::Lost(how) => format!("lost: {how}"),
            Self::Failed(diagnostics) => format!("failed with {}", told(diagnostics)),
            Self::Cancelled => "cancelled".to_owned(),
            Self::Threw(error) => format!("an exception: {}", crate::talk::diagnostic::shortened(error)),
        }
    }

    /// Whether the work was done.
    pub(crate) fn is_good(&self) -> bool {
        matches!(
            self,
            Self::Done
                | Self::Nothing
                | Self::Artifact(Some(_))
                | Self::Value(_)
                | Self::Communicator(Some(_))
                | Self::Status(0)
        )
    }

    /// Whether it failed as data, with an error.
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Self::Failed(diagnostics) => diagnostics.iter().any(Diagnostic::is_error),
            Self::Status(status) => *status != 0,
            _ => false,
        }
    }

    /// Whether it failed, with an error that has words.
    pub(crate) fn says_why(&self) -> bool {
        match self {
            Self::Failed(all) => all.iter().any(|one| one.is_error() && !one.summary.trim().is_empty()),
            _ => false,
        }
    }

    pub(crate) fn threw(&self) -> bool {
        matches!(self, Self::Threw(_))
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Status(130))
    }

    pub(crate) fn artifact(&self) -> Option<&artifact::Client> {
        match self {
            Self::Artifact(artifact) => artifact.as_ref(),
            _ => None,
        }
    }
}

/// How a run ended, with what came beside the outcome.
#[derive(Clone)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// The generated data of a builder.
    pub(crate) generated: String,
    /// The fate of a post-processor's input: `keep`, `unset` and so on.
    pub(crate) fate: String,
    /// How many calls of the run were still unanswered by us.
    pub(crate) unanswered: usize,
}

macro_rules! read {
    ($reader:expr, $module:ident, { $($member:ident $pattern:tt => $outcome:expr),* $(,)? }) => {
        match $reader.which() {
            Err(capnp::NotInSchema(number)) => Outcome::Unknown(number),
            Ok($module::Unset(())) => Outcome::Unset,
            Ok($module::Failed(list)) => Outcome::Failed(Diagnostic::read_all(list?)?),
            Ok($module::Cancelled(())) => Outcome::Cancelled,
            $(Ok($module::$member $pattern) => $outcome,)*
        }
    };
}

pub(crate) fn read_outcome(reader: outcome::Reader<'_>) -> capnp::Result<Outcome> {
    Ok(read!(reader, outcome, { Done(()) => Outcome::Done }))
}

pub(super) fn read_build(reader: build_outcome::Reader<'_>) -> capnp::Result<(Outcome, String)> {
    let outcome = read!(reader, build_outcome, {
        Artifact(artifact) => Outcome::Artifact(artifact.ok()),
        Nothing(()) => Outcome::Nothing,
    });
    Ok((outcome, text(reader.get_generated_data())?))
}

pub(super) fn read_post_process(
    reader: post_process_outcome::Reader<'_>,
) -> capnp::Result<(Outcome, String)> {
    let outcome = read!(reader, post_process_outcome, {
        Artifact(artifact) => Outcome::Artifact(artifact.ok()),
        Nothing(()) => Outcome::Nothing,
    });
    use post_process_outcome::Input;
    let fate = match reader.get_input() {
        Ok(Input::Unset) => "unset".to_owned(),
        Ok(Input::Discard) => "discard".to_owned(),
        Ok(Input::Keep) => "keep".to_owned(),
        Ok(Input::ForceKeep) => "forceKeep".to_owned(),
        Ok(Input::ForceDiscard) => "forceDiscard".to_owned(),
        Err(capnp::NotInSchema(number)) => format!("unknown {number}"),
    };
    Ok((outcome, fate))
}

pub(super) fn read_query(reader: query_outcome::Reader<'_>) -> capnp::Result<Outcome> {
    Ok(read!(reader, query_outcome, { Value(value) => Outcome::Value(text(value)?) }))
}

pub(super) fn read_connection(reader: connection_outcome::Reader<'_>) -> capnp::Result<Outcome> {
    Ok(read!(reader, connection_outcome, {
        Communicator(communicator) => Outcome::Communicator(communicator.ok()),
    }))
}

/// How a command on a machine of the plugin's ended.
pub(crate) fn read_exit(reader: exit::Reader<'_>) -> capnp::Result<Outcome> {
    Ok(read!(reader, exit, {
        Status(status) => Outcome::Status(status),
        Signal(name) => Outcome::Signal(text(name)?),
        Lost(how) => Outcome::Lost(text(how)?),
    }))
}
