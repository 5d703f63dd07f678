//! `replay DIR`: shows what a run has kept, or tries the same checks again.

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;

use super::typed::{ReplayArgs, Typed};
use super::{Failure, print, run};
use crate::check::Status;
use crate::rig::Sender;
use crate::select;
use crate::transcripts::{Filter, Recorded, RecordedCheck, TranscriptError};

pub(super) fn replay(typed: ReplayArgs) -> Result<u8, Failure> {
    let recorded = Recorded::read(&typed.directory)?;
    let chosen = chosen(&recorded, &typed)?;
    if typed.run {
        return run_again(&recorded, &chosen);
    }
    let ReplayArgs { directory, from, containing, .. } = typed;
    let filter = Filter { from: from.map(Sender::from), containing };
    show(&directory, &recorded, &chosen, &filter)
}

/// The checks that are asked for; without a word on that, those that did not simply pass.
fn chosen<'a>(recorded: &'a Recorded, typed: &ReplayArgs) -> Result<Vec<&'a RecordedCheck>, Failure> {
    let ReplayArgs { only, status, .. } = typed;
    let by_name = |check: &&RecordedCheck| only.iter().any(|pattern| select::matches(pattern, &check.id));
    let by_status = |check: &&RecordedCheck| match (status.is_empty(), only.is_empty()) {
        (true, true) => check.status != Status::Pass,
        (true, false) => true,
        (false, _) => status.contains(&check.status),
    };
    let named = recorded.checks.iter().filter(|check| only.is_empty() || by_name(check));
    let chosen: Vec<&RecordedCheck> = named.filter(by_status).collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let passed = recorded.checks.iter().filter(|check| check.status == Status::Pass).count();
    let known = format!("{} checks, {passed} of them passed", recorded.checks.len());
    Err(TranscriptError::Nothing { known }.into())
}

fn show(
    directory: &Path,
    recorded: &Recorded,
    chosen: &[&RecordedCheck],
    filter: &Filter,
) -> Result<u8, Failure> {
    let Recorded { suite, command, verdict, .. } = recorded;
    let mut text = format!("conformance {suite} of {}\n{verdict}\n", command.join(" "));
    for check in chosen {
        text.push('\n');
        text.push_str(&filter.read(directory, &check.id)?);
    }
    print(&text)
}

/// The recorded command, with the recorded options and these checks, from where it was typed.
fn run_again(recorded: &Recorded, chosen: &[&RecordedCheck]) -> Result<u8, Failure> {
    let only = chosen.iter().flat_map(|check| ["--only".to_owned(), check.id.clone()]);
    let words = std::iter::once("conformance".to_owned())
        .chain(recorded.flags.iter().cloned())
        .chain(only)
        .chain(["--".to_owned()])
        .chain(recorded.command.iter().cloned());
    let words: Vec<OsString> = words.map(OsString::from).collect();
    std::env::set_current_dir(&recorded.directory)
        .map_err(|source| TranscriptError::Unreadable { path: recorded.directory.clone(), source })?;
    let typed = Typed::try_parse_from(words).map_err(|error| Failure::Recorded(error.to_string()))?;
    run::run(typed.run)
}
