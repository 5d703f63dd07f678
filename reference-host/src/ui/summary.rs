//! How a run ended, in Packer's words, builds in the order of the template.

use std::time::Duration;

use super::duration;
use super::terminal::{Colour, Paint, Terminal};

/// How one build ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildResult {
    /// The build.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// What its artifacts say they are, or why there are none.
    pub artifacts: Result<Vec<String>, String>,
}

/// How all of them ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// In the order of the template.
    pub builds: Vec<BuildResult>,
    /// From the start of the first to the end of the last.
    pub took: Duration,
}

impl BuildResult {
    /// The line that a build ends with, printed when it ends.
    pub fn print(&self, terminal: &Terminal, index: usize) {
        let Self { name, took, artifacts } = self;
        let took = duration::words(*took);
        match artifacts {
            Ok(_) => {
                let line = format!("Build '{name}' finished after {took}.");
                terminal.print("", &line, Paint::Bold(Colour::of(index)));
            }
            Err(why) => {
                let line = format!("Build '{name}' errored after {took}: {}", why.trim_end());
                terminal.print("", &line, Paint::Bold(Colour::Red));
            }
        }
    }
}

impl Summary {
    /// Whether every build is done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.builds.iter().all(|build| build.artifacts.is_ok())
    }

    /// The lines that a run ends with.
    pub fn print(&self, terminal: &Terminal) {
        let plain = |text: &str| terminal.print("", text, Paint::Plain);
        plain("");
        plain(&format!("==> Wait completed after {}", duration::words(self.took)));
        let failed: Vec<_> = self.failed().collect();
        if !failed.is_empty() {
            plain("\n==> Some builds didn't complete successfully and had errors:");
            failed.iter().for_each(|line| plain(line));
        }
        let artifacts: Vec<_> = self.artifacts().collect();
        if artifacts.is_empty() {
            plain("\n==> Builds finished but no artifacts were created.");
            return;
        }
        plain("\n==> Builds finished. The artifacts of successful builds are:");
        artifacts.iter().for_each(|line| plain(line));
    }

    fn failed(&self) -> impl Iterator<Item = String> {
        self.builds.iter().filter_map(|build| {
            let why = build.artifacts.as_ref().err()?;
            Some(format!("--> {}: {}", build.name, why.trim_end()))
        })
    }

    fn artifacts(&self) -> impl Iterator<Item = String> {
        self.builds.iter().flat_map(|build| {
            let artifacts = build.artifacts.as_deref().unwrap_or_default();
            artifacts.iter().map(|artifact| format!("--> {}: {}", build.name, artifact.trim_end()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::tests::terminal;
    use super::*;

    fn shown(builds: &[(&str, Result<&[&str], &str>)]) -> String {
        let builds = builds.iter().map(|(name, result)| BuildResult {
            name: (*name).to_owned(),
            took: Duration::from_micros(10_481),
            artifacts: result
                .map(|all| all.iter().map(|artifact| (*artifact).to_owned()).collect())
                .map_err(ToOwned::to_owned),
        });
        let summary = Summary { builds: builds.collect(), took: Duration::from_micros(1_406_000) };
        let (terminal, recorder) = terminal(false);
        for (index, build) in summary.builds.iter().enumerate() {
            build.print(&terminal, index);
        }
        summary.print(&terminal);
        recorder.text()
    }

    #[test]
    fn a_run_ends_with_what_failed_and_what_was_made() {
        insta::assert_snapshot!(shown(&[("a", Ok(&["Stored file: a.txt"])), ("b", Err("it broke\nbadly"))]), @r"
        Build 'a' finished after 10 milliseconds 481 microseconds.
        Build 'b' errored after 10 milliseconds 481 microseconds: it broke
        badly

        ==> Wait completed after 1 second 406 milliseconds

        ==> Some builds didn't complete successfully and had errors:
        --> b: it broke
        badly

        ==> Builds finished. The artifacts of successful builds are:
        --> a: Stored file: a.txt
        ");
    }

    #[test]
    fn a_run_without_artifacts_says_so() {
        insta::assert_snapshot!(shown(&[("a", Ok(&[]))]), @r"
        Build 'a' finished after 10 milliseconds 481 microseconds.

        ==> Wait completed after 1 second 406 milliseconds

        ==> Builds finished but no artifacts were created.
        ");
    }
}
