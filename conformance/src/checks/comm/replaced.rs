//! Uploads over what is there: symbolic links, and files of another mode.

use super::{COMMUNICATOR, MOMENT};
use crate::check::{Check, Checked, Class, Level};
use crate::rig::Rig;
use crate::stage::{Actor, Cast, Opened, Outcome, pour};

const NEW: &str = "new";
/// A file's type, which has nothing to do in a mode and stands in those of `stat`.
const REGULAR: i32 = 0o100_000;

pub(super) const LINK: Check = Check {
    id: "comm.upload-link",
    level: Level::Must,
    class: Class::Scenario,
    title: "replaces a link, and does not follow it",
    why: "Whoever sends one file must not overwrite another one.",
    seen: "Files go up to symbolic links that lead to a file, to a directory, and to nothing; then both places are looked at.",
    budgets: &[],
    mutants: &["upload-follows-link"],
    lasts: MOMENT,
    run: |rig| Box::pin(link(rig)),
};

pub(super) const MODE: Check = Check {
    id: "comm.upload-mode",
    level: Level::Must,
    class: Class::Scenario,
    title: "gives a file its mode",
    why: "A script that is not executable does not run, and a key that everybody can read is none.",
    seen: "Files of several modes go up, to new places and over a file of another mode; `ls` tells what they have there.",
    budgets: &[],
    mutants: &["upload-forgets-mode", "upload-mode-by-umask"],
    lasts: MOMENT,
    run: |rig| Box::pin(mode(rig)),
};

/// What a link can lead to, a line that makes it so, and one that prints what is there afterwards.
const LINKS: [(&str, &str, &str, &str); 3] = [
    ("a file", "printf old > other", "cat other", "old"),
    ("a directory", "mkdir other", "ls -A other", ""),
    ("nothing", ":", "ls -d other 2>/dev/null", ""),
];

async fn link(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let replaced = async |directory: &str| {
            for (at, one) in LINKS.into_iter().enumerate() {
                replaced(rig, &cast, actor, &opened, &format!("{directory}/{at}"), one).await?;
            }
            Ok(())
        };
        opened.in_directory(rig, &cast, actor, replaced).await?;
    }
    cast.over()
}

async fn replaced(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    opened: &Opened,
    directory: &str,
    (what, makes, prints, expected): (&str, &str, &str, &str),
) -> Checked {
    let make = format!("mkdir {directory} && cd {directory} && {makes} && ln -s other link");
    opened.run(rig, actor, &make, None).await?;
    let told = send(opened, &format!("{directory}/link"), -1).await;
    let look = "if test -h link; then echo a link; elif test -f link; then cat link; else echo nothing; fi";
    let look = format!("cd {directory} && {look}; echo; {prints}");
    let found = opened.run(rig, actor, &look, None).await?.stdout;
    let found = String::from_utf8_lossy(&found);
    let held = told == "done" && found == format!("{NEW}\n{expected}");
    let observed = format!("{told}; then there is, and is where the link led: {found:?}");
    cast.saw(actor, &format!("puts a file in the place of a link to {what}"), held, observed);
    Ok(())
}

async fn mode(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let dressed = async |directory: &str| {
            for (mode, shown) in
                [(0o600, "-rw-------"), (0o777, "-rwxrwxrwx"), (REGULAR | 0o640, "-rw-r-----")]
            {
                dressed(rig, &cast, actor, &opened, &format!("{directory}/new{mode:o}"), (mode, shown))
                    .await?;
            }
            let old = format!("{directory}/old");
            opened.run(rig, actor, &format!(": > {old} && chmod 600 {old}"), None).await?;
            dressed(rig, &cast, actor, &opened, &old, (0o750, "-rwxr-x---")).await
        };
        opened.in_directory(rig, &cast, actor, dressed).await?;
    }
    cast.over()
}

async fn dressed(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    opened: &Opened,
    path: &str,
    (mode, shown): (i32, &str),
) -> Checked {
    let told = send(opened, path, mode).await;
    let listed = opened.run(rig, actor, &format!("ls -ld {path}"), None).await?.stdout;
    // What follows the bits says that there is more than them, such as a label.
    let bits = String::from_utf8_lossy(&listed).chars().take(shown.len()).collect::<String>();
    let over = if path.ends_with("old") { " over another one" } else { "" };
    let promise = format!("gives a file of mode {:o} its mode{over}", mode & 0o7777);
    cast.saw(actor, &promise, told == "done" && bits == shown, format!("{told}; {bits:?}"));
    Ok(())
}

/// Sends a small file; what became of it, in words.
async fn send(opened: &Opened, path: &str, mode: i32) -> String {
    let size = i64::try_from(NEW.len()).unwrap_or(-1);
    let sent = async { pour(&opened.upload_with_mode(path, size, mode).await?, NEW.as_bytes()).await }.await;
    sent.map_or_else(|error| format!("an exception: {}", error.extra), |outcome: Outcome| outcome.told())
}
