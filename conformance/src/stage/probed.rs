//! What the probe of a scenario, `clean`, says: whether anything is left of a run.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::{Actor, Cast, Stage};
use crate::rig;
use crate::talk::diagnostic::shortened;

impl Actor {
    /// Whether the scenario's probe says that nothing is left; none if there is no probe.
    pub(crate) fn is_clean(&self, stage: &Stage) -> Option<bool> {
        Some(self.probed(stage)?.clean)
    }

    /// What the scenario's probe says, for a report; none if there is no probe.
    fn probed(&self, stage: &Stage) -> Option<Probed> {
        let line = stage.filled_text(self.part.clean.as_ref()?);
        let ended = rig::probe(&line, &stage.directory, stage.variables.clone());
        Some(Probed::new(ended, stage.files_made()))
    }
}

impl Cast {
    /// Whether the scenario's probe says that nothing is left, which a component promises; no promise is looked at where
    /// there is no probe.
    pub(crate) fn leaves_nothing(&self, actor: &Actor, stage: &Stage, promise: &str) -> bool {
        actor.probed(stage).is_some_and(|probed| self.saw(actor, promise, probed.clean, probed.to_string()))
    }
}

/// What a probe said.
struct Probed {
    /// Whether nothing is left.
    clean: bool,
    /// What is to be known beyond that it failed.
    why: Option<String>,
    left: Vec<PathBuf>,
}

impl Probed {
    fn new(ended: io::Result<(ExitStatus, Vec<u8>)>, left: Vec<PathBuf>) -> Self {
        match ended {
            Ok((status, _)) if status.success() => Self { clean: true, why: None, left },
            Ok((status, said)) => Self { clean: false, why: more_than_no(status, &said), left },
            Err(error) => Self { clean: false, why: Some(format!("it cannot be started: {error}")), left },
        }
    }
}

/// What goes beyond a condition that does not hold: that has status 1, and nothing to say.
fn more_than_no(status: ExitStatus, said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    match (status.code(), said.trim()) {
        (Some(1), "") => None,
        (_, "") => Some(status.to_string()),
        (_, said) => Some(format!("{status}, {:?}", shortened(said))),
    }
}

impl fmt::Display for Probed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the probe {}", if self.clean { "succeeds" } else { "fails" })?;
        self.why.iter().try_for_each(|why| write!(f, " ({why})"))?;
        write!(f, "; left: {:?}", self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn told(status: i32, said: &str) -> String {
        Probed::new(Ok((ExitStatus::from_raw(status), said.into())), vec!["one".into()]).to_string()
    }

    #[test]
    fn a_condition_says_no_more_than_whether_it_holds() {
        assert_eq!(told(0, ""), "the probe succeeds; left: [\"one\"]");
        assert_eq!(told(1 << 8, ""), "the probe fails; left: [\"one\"]");
    }

    #[test]
    fn what_goes_wrong_in_a_probe_is_told() {
        insta::assert_snapshot!(
            told(127 << 8, "sh: 1: ls: not found\n"),
            @r#"the probe fails (exit status: 127, "sh: 1: ls: not found"); left: ["one"]"#
        );
        insta::assert_snapshot!(told(9, ""), @r#"the probe fails (signal: 9 (SIGKILL)); left: ["one"]"#);
        let never = Probed::new(Err(io::Error::other("no shell")), Vec::new());
        assert!(!never.clean);
        insta::assert_snapshot!(never, @"the probe fails (it cannot be started: no shell); left: []");
    }
}
