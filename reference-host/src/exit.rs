//! The exit codes of `packwire`: chosen here and nowhere else.

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// All that was asked for is done.
    Done,
    /// Something failed, was refused or was interrupted.
    Failed,
    /// What was typed is no command of ours.
    Usage,
    /// What a command of a plugin has answered.
    Command(u8),
}

impl ExitCode {
    /// For the end of `--help`.
    pub(crate) const HELP: &str = "Exit codes:
  0  all that was asked for is done
  1  a build or check failed, or was interrupted
  2  the command line is wrong
The command of a plugin has exit codes of its own; 130 is one that was interrupted.";

    /// The number that the shell sees.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Command(status) => status,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.number().into()
    }
}
