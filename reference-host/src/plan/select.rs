//! `-only` and `-except`: what of a template the user wants to run.

use super::PlanError;
use crate::spell;
use crate::template::ResolvedBuild;

/// Which builds the user wants, and which post-processors not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// These builds alone; empty means all.
    pub only: Vec<String>,
    /// All but these builds; of the post-processors, all up to these.
    pub except: Vec<String>,
}

impl Selection {
    /// What is left of `builds`.
    pub(super) fn of(&self, builds: Vec<ResolvedBuild>) -> Result<Vec<ResolvedBuild>, PlanError> {
        let names: Vec<String> = builds.iter().map(|build| build.name.clone()).collect();
        known("only", "build", &self.only, &names)?;
        let post_processors = builds.iter().flat_map(|build| build.sequences.iter().flatten());
        let mut excludable = names;
        for post_processor in post_processors {
            if !excludable.contains(&post_processor.name) {
                excludable.push(post_processor.name.clone());
            }
        }
        known("except", "build or post-processor", &self.except, &excludable)?;
        let wanted = |build: &ResolvedBuild| {
            (self.only.is_empty() || self.only.contains(&build.name)) && !self.except.contains(&build.name)
        };
        let selected = builds.into_iter().filter(wanted).map(|build| self.shortened(build));
        let selected: Vec<_> = selected.collect();
        if selected.is_empty() { Err(PlanError::NothingLeft) } else { Ok(selected) }
    }

    /// A post-processor that is not wanted ends its sequence: what follows would have no input.
    fn shortened(&self, mut build: ResolvedBuild) -> ResolvedBuild {
        for sequence in &mut build.sequences {
            let unwanted = sequence.iter().position(|one| self.except.contains(&one.name));
            sequence.truncate(unwanted.unwrap_or(sequence.len()));
        }
        build.sequences.retain(|sequence| !sequence.is_empty());
        build
    }
}

fn known(
    flag: &'static str,
    what: &'static str,
    names: &[String],
    known: &[String],
) -> Result<(), PlanError> {
    match names.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(PlanError::UnknownBuild {
            flag,
            what,
            name: name.clone(),
            near: spell::nearest(name, known.iter().map(String::as_str)),
            known: known.to_vec(),
        }),
    }
}
