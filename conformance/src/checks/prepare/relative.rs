//! Paths of a configuration that are relative: they are meant from the host's working directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::check::{Checked, Stop};
use crate::checks::runs::PREPARING;
use crate::rig::Rig;
use crate::scenario::{Key, Relative};
use crate::stage::{Actor, Cast, Ended, Offer, Stage};
use crate::talk::{Answer, Preparer, Wish};

/// Runs what the scenario says with relative paths; the plugin's own directory and the template's are others.
pub(super) async fn relative_paths(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, PREPARING).await?;
    for actor in &cast.actors {
        match &actor.part.relative {
            Some(relative) => try_one(rig, &cast, actor, relative).await?,
            None => cast.needs(actor, Key::Relative),
        }
    }
    cast.over()
}

async fn try_one(rig: &Rig, cast: &Cast, actor: &Actor, relative: &Relative) -> Checked {
    let Offer::Prepares(preparer) = &actor.offer else { return Ok(()) };
    if !relative.reads.is_empty() && reads_nothing(rig, cast, actor, preparer, relative).await? {
        cast.doubts(format!(
            "the scenario's `relative` for the {} names files that its run does not read: it ends well without them",
            actor.title
        ));
        return Ok(());
    }
    let stage = actor.stage(rig)?;
    let failed = |error: std::io::Error| Stop::rig("a stage cannot be set", error);
    stage.lay(&relative.reads).map_err(failed)?;
    let template = rig.fresh_directory().map_err(failed)?;
    stage.template.set(template.clone()).ok();
    let places = [rig.places().work.clone(), template];
    let before = places.each_ref().map(|place| names_in(place));
    let (answer, ended) = run(rig, cast, actor, preparer, (relative, &stage)).await?;
    let told = ended.as_ref().map_or_else(|| answer.told(), |ended| ended.outcome.told());
    let well = ended.is_some_and(|ended| ended.outcome.is_good());
    cast.saw(actor, "ends well with paths that are relative to `Context.workingDir`", well, told);
    if well {
        for name in &relative.makes {
            let made = stage.directory.join(name).symlink_metadata().is_ok();
            let promise = format!("makes {name} below `Context.workingDir`");
            cast.saw(actor, &promise, made, format!("there: {:?}", stage.files_made()));
        }
    }
    let words = ["its own working directory", "the directory of the template"];
    for ((place, before), words) in places.iter().zip(&before).zip(words) {
        let astray: Vec<PathBuf> = names_in(place).difference(before).cloned().collect();
        cast.saw(actor, &format!("makes nothing in {words}"), astray.is_empty(), format!("new: {astray:?}"));
        astray.iter().for_each(|path| remove(path));
    }
    Ok(())
}

/// Whether the run ends well all the same where what it is to read is nowhere.
async fn reads_nothing(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    preparer: &Preparer,
    relative: &Relative,
) -> Result<bool, Stop> {
    let stage = actor.stage(rig)?;
    let (_, ended) = run(rig, cast, actor, preparer, (relative, &stage)).await?;
    Ok(ended.is_some_and(|ended| ended.outcome.is_good()))
}

async fn run(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    preparer: &Preparer,
    (relative, stage): (&Relative, &Rc<Stage>),
) -> Result<(Answer, Option<Ended>), Stop> {
    let answer =
        preparer.prepare_by(rig, &stage.filled(&relative.config), stage.setting(), Wish::Cleanup).await;
    let object = answer.given().and_then(|prepared| prepared.object.clone());
    let Some(object) = object else { return Ok((answer, None)) };
    let running = object.start(rig, stage).map_err(|error| Stop::rig("a run cannot begin", error))?;
    let ended = actor.ends(rig, &cast.session, &running).await?;
    Ok((answer, Some(ended)))
}

/// What lies in a directory, not deeper.
fn names_in(place: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// What went astray has been told of: it is no finding of another rule as well.
fn remove(path: &Path) {
    // What cannot be removed is told of once more, by a watcher.
    drop(if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) });
}
