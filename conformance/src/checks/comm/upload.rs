//! Uploads that are not as announced, and those that are aborted.

use super::{COMMUNICATOR, MOMENT};
use crate::check::{Check, Checked, Class, Level, Stop};
use crate::rig::Rig;
use crate::stage::{Actor, Cast, Opened, Outcome, pour, write};

pub(super) const SIZE: Check = Check {
    id: "comm.upload-size",
    level: Level::Must,
    class: Class::Scenario,
    title: "takes a file as large as announced",
    why: "A file that broke off looks like a file.",
    seen: "Uploads of fewer and of more bytes than announced, and of an unknown number; then the file is looked for.",
    budgets: &[],
    mutants: &["accepts-short-upload"],
    lasts: MOMENT,
    run: |rig| Box::pin(upload_size(rig)),
};

pub(super) const ABORT: Check = Check {
    id: "comm.abort",
    level: Level::Must,
    class: Class::Scenario,
    title: "leaves nothing of an aborted upload",
    why: "Half of a file is worse than none, or than the old one.",
    seen: "An upload over a file that is there is aborted half-way; the old one has to be there still.",
    budgets: &[],
    mutants: &["abort-keeps-file"],
    lasts: MOMENT,
    run: |rig| Box::pin(abort(rig)),
};

async fn upload_size(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let sizes = async |directory: &str| sizes(rig, &cast, actor, &opened, directory).await;
        opened.in_directory(rig, &cast, actor, sizes).await?;
    }
    cast.over()
}

async fn sizes(rig: &Rig, cast: &Cast, actor: &Actor, opened: &Opened, directory: &str) -> Checked {
    for (what, size, good) in [
        ("fewer bytes than announced", 20, false),
        ("more bytes than announced", 5, false),
        ("a number of bytes that was not announced", -1, true),
    ] {
        let path = format!("{directory}/upload{size}");
        let sent = async { pour(&opened.upload(&path, size).await?, b"0123456789").await }.await;
        let told = sent.as_ref().map_or_else(|error| error.extra.clone(), Outcome::told);
        let there = exists(rig, opened, actor, &path).await?;
        let held = if good {
            matches!(sent, Ok(Outcome::Done)) && there
        } else {
            !matches!(sent, Ok(Outcome::Done)) && !there
        };
        let promise = format!("{} {what}", if good { "takes" } else { "refuses, and keeps nothing of," });
        let word = if there { "a file is there" } else { "no file is there" };
        cast.saw(actor, &promise, held, format!("{told}; {word}"));
    }
    Ok(())
}

/// Whether something is at a path of the machine.
async fn exists(rig: &Rig, opened: &Opened, actor: &Actor, path: &str) -> Result<bool, Stop> {
    let exit = opened.run(rig, actor, &format!("test -e {path}"), None).await?.exit;
    Ok(matches!(exit, Outcome::Status(0)))
}

async fn abort(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let aborted = async |directory: &str| {
            aborted(rig, &cast, actor, &opened, directory, None).await?;
            aborted(rig, &cast, actor, &opened, directory, Some("old")).await
        };
        opened.in_directory(rig, &cast, actor, aborted).await?;
    }
    cast.over()
}

/// Aborts an upload, over a file with this text if there is to be one.
async fn aborted(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    opened: &Opened,
    directory: &str,
    before: Option<&str>,
) -> Checked {
    let path = format!("{directory}/target");
    if let Some(before) = before {
        opened.run(rig, actor, &format!("printf {before} > {path}"), None).await?;
    }
    let aborted = async {
        let content = opened.upload(&path, 10).await?;
        write(&content, b"01234").await?;
        content.abort_request().send().promise.await.map(drop)
    }
    .await;
    let found = opened.run(rig, actor, &format!("cat {path} 2>/dev/null; ls -A {directory}"), None).await?;
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    let expected = before.map(|before| format!("{before}target\n")).unwrap_or_default();
    let error = aborted.err().map(|error| format!("it threw {}; ", error.extra)).unwrap_or_default();
    let held = error.is_empty() && found == expected;
    let what = if before.is_some() { "the old file" } else { "nothing" };
    let promise = format!("leaves {what} when an upload is aborted");
    cast.saw(actor, &promise, held, format!("{error}there is {found:?}"));
    Ok(())
}
