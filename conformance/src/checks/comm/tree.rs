//! Directories that go to a machine and come back, and those that must not be unpacked.

use std::collections::BTreeMap;
use std::io::{self, Read};

use tar::{Archive, Builder, EntryType, Header};

use super::{COMMUNICATOR, MOMENT};
use crate::check::{Check, Checked, Class, Level, Stop};
use crate::rig::Rig;
use crate::stage::{Actor, Cast, Opened, Outcome, pour};

pub(super) const TREE: Check = Check {
    id: "comm.tree",
    level: Level::Must,
    class: Class::Scenario,
    title: "carries directories, and nothing beside them",
    why: "A script that is not executable does not run, and an archive that is unpacked anywhere overwrites anything.",
    seen: "A directory with modes, links and an empty directory goes up and comes down again; then archives are sent that lead outside.",
    budgets: &[],
    mutants: &["tar-slip", "tree-loses-mode", "tree-forgets-names"],
    lasts: MOMENT,
    run: |rig| Box::pin(tree(rig)),
};

/// One entry of an archive, as it stands there.
#[derive(Clone)]
struct Entry<'a> {
    kind: EntryType,
    name: &'a str,
    mode: u32,
    content: &'a str,
    target: &'a str,
}

const DIRECTORY: Entry<'_> =
    Entry { kind: EntryType::Directory, name: "", mode: 0o755, content: "", target: "" };
const FILE: Entry<'_> =
    Entry { kind: EntryType::Regular, name: "", mode: 0o640, content: "something\n", target: "" };
const LINK: Entry<'_> = Entry { kind: EntryType::Symlink, name: "", mode: 0o777, content: "", target: "" };
const DEVICE: Entry<'_> = Entry { kind: EntryType::Char, name: "", mode: 0o600, content: "", target: "" };

const PLAIN: [Entry<'_>; 6] = [
    Entry { name: "plain", ..FILE },
    Entry { name: "run", mode: 0o750, content: "#!/bin/sh\n", ..FILE },
    Entry { name: "empty", mode: 0o700, ..DIRECTORY },
    Entry { name: "below", ..DIRECTORY },
    Entry { name: "below/Grüße", content: "", ..FILE },
    Entry { name: "link", target: "plain", ..LINK },
];

async fn tree(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        if !opened.has("tree").await {
            cast.offers_no(actor, "feature `tree`");
            continue;
        }
        let trees = async |directory: &str| {
            goes_and_comes(rig, &cast, actor, &opened, &format!("{directory}/plain")).await?;
            refuses(rig, &cast, actor, &opened, directory).await
        };
        opened.in_directory(rig, &cast, actor, trees).await?;
    }
    cast.over()
}

/// Archives that lead outside are sent.
async fn refuses(rig: &Rig, cast: &Cast, actor: &Actor, opened: &Opened, directory: &str) -> Checked {
    let outside = format!("{directory}/outside");
    let through = Entry { name: "link/outside", ..FILE };
    let hostile = [
        ("a name with `..`", vec![Entry { name: "../outside", ..FILE }]),
        ("an absolute name", vec![Entry { name: &outside, ..FILE }]),
        ("a link that leads outside", vec![Entry { name: "link", target: "..", ..LINK }]),
        ("a file behind such a link", vec![Entry { name: "link", target: "..", ..LINK }, through.clone()]),
        // Where only the last of each name counts, the link that leads outside is never looked at.
        (
            "links that give their names to directories",
            vec![
                Entry { name: "a", target: ".", ..LINK },
                Entry { name: "link", target: "a/a/..", ..LINK },
                through,
                Entry { name: "a", ..DIRECTORY },
                Entry { name: "link", ..DIRECTORY },
            ],
        ),
        ("a device", vec![Entry { name: "device", ..DEVICE }]),
    ];
    for (number, (what, entries)) in hostile.into_iter().enumerate() {
        let target = format!("{directory}/hostile{number}");
        let (sent, told) = send(opened, &target, &entries).await?;
        let line = format!("test ! -e {outside} && test ! -e {target}");
        let untouched = succeeds(rig, opened, actor, &line).await?;
        let word = if untouched { "nothing is left" } else { "something is left" };
        let held = matches!(sent, Some(Outcome::Failed(_))) && untouched;
        cast.saw(actor, &format!("refuses an archive with {what}"), held, format!("{told}; {word}"));
        opened.run(rig, actor, &format!("rm -rf {outside} {target}"), None).await?;
    }
    Ok(())
}

/// A directory like any other goes up, is looked at, and comes down.
async fn goes_and_comes(rig: &Rig, cast: &Cast, actor: &Actor, opened: &Opened, path: &str) -> Checked {
    let (sent, told) = send(opened, path, &PLAIN).await?;
    cast.saw(actor, "takes a directory", matches!(sent, Some(Outcome::Done)), told);
    let looks = [
        ("files", format!("test \"$(cat {path}/plain)\" = something")),
        ("modes", format!("test -x {path}/run && test ! -x {path}/plain")),
        ("empty directories", format!("test -d {path}/empty")),
        ("symbolic links", format!("test -h {path}/link && test -f {path}/link")),
    ];
    for (what, line) in looks {
        let there = succeeds(rig, opened, actor, &line).await?;
        let observed = if there { "they are there" } else { "they are not as they were" };
        cast.saw(actor, &format!("unpacks {what}"), there, observed.to_owned());
    }
    let (outcome, down) = match opened.download_tree(&actor.stage(rig)?, path).await {
        Ok(answer) => answer,
        Err(error) => (Outcome::Threw(error.extra), Vec::new()),
    };
    let lost = match listed(&down) {
        Ok(came) => differing(&PLAIN, &came),
        Err(error) => format!("no archive: {error}"),
    };
    let held = matches!(outcome, Outcome::Done) && lost.is_empty();
    let observed = if held { outcome.told() } else { format!("{}; {lost}", outcome.told()) };
    cast.saw(actor, "gives the directory back as it was", held, observed);
    Ok(())
}

async fn succeeds(rig: &Rig, opened: &Opened, actor: &Actor, line: &str) -> Result<bool, Stop> {
    let exit = opened.run(rig, actor, line, None).await?.exit;
    Ok(matches!(exit, Outcome::Status(0)))
}

/// Sends an archive; what became of it, and that in words.
async fn send(opened: &Opened, path: &str, entries: &[Entry<'_>]) -> Result<(Option<Outcome>, String), Stop> {
    let archive = packed(entries).map_err(|error| Stop::rig("an archive cannot be made", error))?;
    let sent = async { pour(&opened.upload_tree(path).await?, &archive).await }.await;
    Ok(match sent {
        Ok(outcome) => (Some(outcome.clone()), outcome.told()),
        Err(error) => (None, format!("an exception: {}", error.extra)),
    })
}

/// An archive. Names go in as they are: the library would refuse those that this is about.
fn packed(entries: &[Entry<'_>]) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for entry in entries {
        let mut header = Header::new_ustar();
        if let Some(header) = header.as_ustar_mut() {
            put(&mut header.name, entry.name);
            put(&mut header.linkname, entry.target);
        }
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_size(entry.content.len().try_into().unwrap_or_default());
        header.set_cksum();
        archive.append(&header, entry.content.as_bytes())?;
    }
    archive.into_inner()
}

fn put(field: &mut [u8], text: &str) {
    field.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
}

/// What is in an archive, by name; the directory itself may be there or not.
fn listed(archive: &[u8]) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in Archive::new(archive).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        let name = name.trim_start_matches("./").trim_end_matches(['/', '.']).to_owned();
        let (kind, mode) = (entry.header().entry_type(), entry.header().mode()?);
        let target = entry.link_name()?.map(|target| target.display().to_string()).unwrap_or_default();
        let mut content = String::new();
        entry.read_to_string(&mut content)?;
        let one = Entry { kind, name: &name, mode, content: &content, target: &target };
        let told = one.told();
        if !name.is_empty() {
            found.insert(name, told);
        }
    }
    Ok(found)
}

/// What is missing, too much, or different.
fn differing(sent: &[Entry<'_>], came: &BTreeMap<String, String>) -> String {
    let missing = |name: &str| came.get(name).map_or("missing", String::as_str).to_owned();
    let lost = sent.iter().filter(|entry| came.get(entry.name) != Some(&entry.told()));
    let lost = lost.map(|entry| format!("{}: {} is {}", entry.name, entry.told(), missing(entry.name)));
    let known = |name: &&String| sent.iter().any(|entry| entry.name == **name);
    let more = came.keys().filter(|name| !known(name)).map(|name| format!("{name} was not sent"));
    lost.chain(more).collect::<Vec<_>>().join(", ")
}

impl Entry<'_> {
    /// In a line. The mode of a link means nothing.
    fn told(&self) -> String {
        let Self { kind, mode, content, target, .. } = self;
        match kind {
            EntryType::Symlink => format!("a link to {target}"),
            EntryType::Directory => format!("a directory of mode {:o}", mode & 0o7777),
            EntryType::Regular => format!("a file of mode {:o} with {content:?}", mode & 0o7777),
            other => format!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_listed_and_what_is_lost_is_told() {
        let came = listed(&packed(&PLAIN).unwrap()).unwrap();
        assert_eq!(differing(&PLAIN, &came), "");
        let came = listed(&packed(&[Entry { name: "./plain", mode: 0o600, ..FILE }]).unwrap()).unwrap();
        insta::assert_snapshot!(
            differing(&PLAIN[..1], &came),
            @r#"plain: a file of mode 640 with "something\n" is a file of mode 600 with "something\n""#
        );
    }
}
