//! What a builder does where the thing that it is to make is there already.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use serde_json::Value;

use crate::check::{Checked, Stop};
use crate::components::Kind;
use crate::rig::Rig;
use crate::scenario::{Existing, Key};
use crate::stage::{Actor, Cast, Ended, Outcome, Stage};
use crate::talk::diagnostic::points_into;

/// Builds in one directory: once, again, and again with leave to replace.
pub(super) async fn existing_target(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, &[Kind::Builder]).await?;
    for actor in &cast.actors {
        match &actor.part.existing {
            Some(existing) => try_one(rig, &cast, actor, existing).await?,
            None => cast.needs(actor, Key::Existing),
        }
    }
    cast.over()
}

async fn try_one(rig: &Rig, cast: &Cast, actor: &Actor, existing: &Existing) -> Checked {
    let stage = actor.stage(rig)?;
    let target = stage.directory.join(&existing.target);
    // The artifact lives as long as its outcome.
    let first = run(rig, cast, actor, &stage, &existing.config).await?;
    if !cast.is_well(actor, &first.outcome) {
        return Ok(());
    }
    let Some(made) = Thing::at(&target) else {
        let title = &actor.title;
        let target = &existing.target;
        cast.doubts(format!(
            "the scenario's `existing` for the {title} names {target}, which its run does not make"
        ));
        return Ok(());
    };
    let again = on_the_same(rig, actor, &stage, false)?;
    let outcome = run(rig, cast, actor, &again, &existing.config).await?.outcome;
    let promise = "fails where its target is there already, and names the member that leads to it";
    cast.saw(actor, promise, fails_at_a_member(&outcome, &again.filled(&existing.config)), outcome.told());
    let left = Thing::at(&target);
    let told = Thing::told(&made, left.as_ref());
    cast.saw(
        actor,
        "leaves what is there as it is",
        left.as_ref().is_some_and(|left| left.is_untouched(&made)),
        told,
    );
    if left.is_none() {
        return Ok(());
    }
    let forced = on_the_same(rig, actor, &stage, true)?;
    let outcome = run(rig, cast, actor, &forced, &existing.config).await?.outcome;
    cast.saw(
        actor,
        "ends well where `Context.force` allows to replace it",
        outcome.is_good(),
        outcome.told(),
    );
    if outcome.is_good() {
        let new = Thing::at(&target);
        let told = Thing::told(&made, new.as_ref());
        cast.saw(actor, "replaces it then", new.is_some_and(|new| new.is_another(&made)), told);
    }
    Ok(())
}

async fn run(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    stage: &Rc<Stage>,
    config: &Value,
) -> Result<Ended, Stop> {
    let running = actor.start(rig, &cast.session, stage, config).await?;
    actor.ends(rig, &cast.session, &running).await
}

/// Another stage in the directory of the first.
fn on_the_same(rig: &Rig, actor: &Actor, first: &Stage, force: bool) -> Result<Rc<Stage>, Stop> {
    let stage = Stage::set_in(rig, &actor.part, first.directory.clone())?;
    stage.force.set(force);
    Ok(stage)
}

fn fails_at_a_member(outcome: &Outcome, config: &Value) -> bool {
    let Outcome::Failed(all) = outcome else { return false };
    all.iter().any(|one| one.is_error() && !one.path.is_empty() && points_into(&one.path, config))
}

/// What lies somewhere, as far as it can be told from another.
#[derive(Debug, PartialEq, Eq)]
struct Thing {
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    bytes: Option<Vec<u8>>,
}

impl Thing {
    fn at(path: &Path) -> Option<Self> {
        let metadata = path.symlink_metadata().ok()?;
        Some(Self {
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            bytes: std::fs::read(path).ok(),
        })
    }

    fn is_untouched(&self, before: &Self) -> bool {
        let Self { inode, modified, bytes, .. } = self;
        (inode, modified, bytes) == (&before.inode, &before.modified, &before.bytes)
    }

    /// Whether something was made since: the same bytes may be right.
    fn is_another(&self, before: &Self) -> bool {
        self.inode != before.inode || self.changed != before.changed
    }

    fn told(before: &Self, now: Option<&Self>) -> String {
        match now {
            None => "it is gone".to_owned(),
            Some(now) if now.is_untouched(before) && !now.is_another(before) => "it is as it was".to_owned(),
            Some(now) if now.bytes == before.bytes => "it was touched; its bytes are the same".to_owned(),
            Some(_) => "it is another".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_again_is_another_thing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        assert_eq!(Thing::at(&path), None);
        std::fs::write(&path, "one").unwrap();
        let before = Thing::at(&path).unwrap();
        assert!(Thing::at(&path).unwrap().is_untouched(&before));
        let other = directory.path().join("b");
        std::fs::write(&other, "one").unwrap();
        std::fs::rename(&other, &path).unwrap();
        let after = Thing::at(&path).unwrap();
        assert!(!after.is_untouched(&before) && after.is_another(&before));
        assert_eq!(Thing::told(&before, Some(&after)), "it was touched; its bytes are the same");
    }
}
