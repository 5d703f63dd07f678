//! The last step of unpacking: from the private directory to the places, and back if one of them fails.
use std::{collections::HashSet, ffi::OsStr, io, os::fd::OwnedFd};

use rustix::{
    fs::{CWD, FileType, Mode, RenameFlags, fchmod, renameat, renameat_with},
    io::Errno,
};

use super::{
    Inside, TreeError,
    place::{descend, kind, kind_name, look, names, open_directory, open_root},
    staging::Staging,
};

/// The names in the private directory: of the tree, and of what it replaced where two names cannot be exchanged.
pub(super) const NEW: &str = "new";
const OLD: &str = "old";

/// Moves what was unpacked to where it belongs. What is left of it, and what it replaced, is removed.
pub(super) fn settle(staging: Staging) -> Result<(), TreeError> {
    if staging.exists { settle_into(staging) } else { settle_anew(staging) }
}

fn settle_anew(staging: Staging) -> Result<(), TreeError> {
    let Staging { target, exists: _, root, mode, shut, home } = staging;
    let new = home.path().join(NEW);
    rename_free(CWD, new.as_os_str(), CWD, target.as_os_str())
        .map_err(|error| TreeError::about(&target, "made")(error.into()))?;
    let own = Inside::default();
    let shut = shut.iter().map(|(path, mode)| (path, *mode)).chain([(&own, mode)]);
    let result = shut_all(&root, shut);
    if result.is_err() {
        let _ = renameat(CWD, &target, CWD, &new);
    }
    drop(home);
    result
}

fn settle_into(staging: Staging) -> Result<(), TreeError> {
    let Staging { target, exists: _, root, mode: _, shut, home } = staging;
    let mut merge =
        Merge { there: open_root(&target)?, backup: None, root, moved: Vec::new(), kept: HashSet::new() };
    merge.check(&merge.root, &merge.there, &Inside::default())?;
    let old = home.path().join(OLD);
    std::fs::create_dir(&old).map_err(TreeError::about(&old, "made"))?;
    merge.backup = Some(open_root(&old)?);
    let (from, to) = (duplicate(&merge.root)?, duplicate(&merge.there)?);
    let moved = merge.place(&from, &to, &Inside::default()).and_then(|()| {
        let shut = shut.iter().filter(|(path, _)| !merge.kept.contains(path));
        shut_all(&merge.there, shut.map(|(path, mode)| (path, *mode)))
    });
    let moved = moved.map_err(|error| merge.undo(error));
    drop(home);
    moved
}

/// A tree that is moved into a directory which has things of its own.
struct Merge {
    root: OwnedFd,
    there: OwnedFd,
    backup: Option<OwnedFd>,
    moved: Vec<Move>,
    /// Directories that were there before.
    kept: HashSet<Inside>,
}

/// One name that was moved to its place.
struct Move {
    path: Inside,
    before: Before,
}

/// What was there before.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    /// It is now where the new one came from.
    Exchanged,
    /// It is now in the backup, under its number.
    Kept,
}

impl Merge {
    /// Finds what cannot be moved, before anything is.
    fn check(&self, from: &OwnedFd, to: &OwnedFd, at: &Inside) -> Result<(), TreeError> {
        for name in names(from).map_err(failed(at))? {
            let path = at.join(&name);
            let Some(there) = look(to, &name).map_err(|error| failed(&path)(error.into()))? else { continue };
            let is_directory = is_directory(from, &name).map_err(failed(&path))?;
            match (is_directory, kind(&there)) {
                (true, FileType::Directory) => {
                    let (from, to) = open_both(from, to, &name).map_err(failed(&path))?;
                    self.check(&from, &to, &path)?;
                }
                (true, other) => {
                    let why = format!("it is a directory, and {} is in its place", kind_name(other));
                    return Err(TreeError::refused(&path.to_bytes(), why));
                }
                (false, FileType::Directory) => {
                    return Err(TreeError::refused(&path.to_bytes(), "a directory is in its place"));
                }
                (false, _) => {}
            }
        }
        Ok(())
    }

    fn place(&mut self, from: &OwnedFd, to: &OwnedFd, at: &Inside) -> Result<(), TreeError> {
        for name in names(from).map_err(failed(at))? {
            let path = at.join(&name);
            let there = look(to, &name).map_err(|error| failed(&path)(error.into()))?;
            let both = there.as_ref().is_some_and(|there| kind(there) == FileType::Directory);
            if both {
                let (from, to) = open_both(from, to, &name).map_err(failed(&path))?;
                self.place(&from, &to, &path)?;
                let _ = self.kept.insert(path);
                continue;
            }
            let before = if there.is_some() {
                self.replace(from, to, &name)
            } else {
                rename_free(from, &name, to, &name).map(|()| Before::Nothing)
            };
            let before = before.map_err(|error| failed(&path)(error.into()))?;
            self.moved.push(Move { path, before });
        }
        Ok(())
    }

    /// Puts a file or link where another one is, which is kept until all is done.
    fn replace(&self, from: &OwnedFd, to: &OwnedFd, name: &OsStr) -> Result<Before, Errno> {
        match renameat_with(from, name, to, name, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            exchanged => return exchanged.map(|()| Before::Exchanged),
        }
        let backup = self.backup.as_ref().ok_or(Errno::BADF)?;
        let number = self.moved.len().to_string();
        renameat(to, name, backup, &number)?;
        let renamed = renameat(from, name, to, name);
        if renamed.is_err() {
            let _ = renameat(backup, &number, to, name);
        }
        renamed.map(|()| Before::Kept)
    }

    /// Moves everything back; the error says where that failed, too.
    fn undo(&self, error: TreeError) -> TreeError {
        let left =
            self.moved.iter().enumerate().rev().filter(|(number, one)| self.undo_one(*number, one).is_err());
        match left.map(|(_, one)| super::shown(&one.path.to_bytes())).collect::<Vec<_>>() {
            left if left.is_empty() => error,
            left => TreeError::Io {
                what: format!(
                    "{error}; and what was done before could not be undone for {}",
                    left.join(", ")
                ),
                error: io::Error::other("the directory is left half done"),
            },
        }
    }

    fn undo_one(&self, number: usize, one: &Move) -> io::Result<()> {
        let Some((above, name)) = one.path.split() else { return Ok(()) };
        let (from, to) = (descend(&self.root, above)?, descend(&self.there, above)?);
        match one.before {
            Before::Nothing => renameat(&to, name, &from, name)?,
            Before::Exchanged => renameat_with(&from, name, &to, name, RenameFlags::EXCHANGE)?,
            Before::Kept => {
                renameat(self.backup.as_ref().ok_or(Errno::BADF)?, number.to_string(), &to, name)?
            }
        }
        Ok(())
    }
}

/// Takes away from directories what even their owner may not do there.
fn shut_all<'a>(root: &OwnedFd, all: impl Iterator<Item = (&'a Inside, u32)>) -> Result<(), TreeError> {
    // Children come before their parents, which may not be entered any more afterwards.
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(path, _)| std::cmp::Reverse(path.parts().len()));
    for (path, mode) in all {
        let directory = descend(root, path.parts()).map_err(failed(path))?;
        fchmod(&directory, Mode::from_raw_mode(mode)).map_err(|error| failed(path)(error.into()))?;
    }
    Ok(())
}

/// Renames to a name that is free.
fn rename_free(
    from: impl std::os::fd::AsFd,
    old: &OsStr,
    to: impl std::os::fd::AsFd,
    new: &OsStr,
) -> Result<(), Errno> {
    match renameat_with(&from, old, &to, new, RenameFlags::NOREPLACE) {
        // Not every file system can promise it.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => renameat(&from, old, &to, new),
        renamed => renamed,
    }
}

fn is_directory(at: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    Ok(look(at, name)?.is_some_and(|stat| kind(&stat) == FileType::Directory))
}

fn open_both(from: &OwnedFd, to: &OwnedFd, name: &OsStr) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok((open_directory(from, name)?, open_directory(to, name)?))
}

fn duplicate(directory: &OwnedFd) -> Result<OwnedFd, TreeError> {
    directory.try_clone().map_err(failed(&Inside::default()))
}

fn failed(path: &Inside) -> impl FnOnce(io::Error) -> TreeError {
    let what = format!("`{}` cannot be moved to its place", super::shown(&path.to_bytes()));
    move |error| TreeError::io(what, error)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_moved_can_be_moved_back() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for made in ["new/d", "new/fresh/e", "there/d", "old"] {
            fs::create_dir_all(at(made)).unwrap();
        }
        for (name, content) in
            [("new/d/both", "2"), ("new/d/one", "1"), ("there/d/both", "old"), ("there/mine", "mine")]
        {
            fs::write(at(name), content).unwrap();
        }
        let open = |name: &str| open_root(&at(name)).unwrap();
        let mut merge = Merge {
            root: open("new"),
            there: open("there"),
            backup: Some(open("old")),
            moved: Vec::new(),
            kept: HashSet::new(),
        };
        merge.place(&open("new"), &open("there"), &Inside::default()).unwrap();
        assert_eq!(fs::read_to_string(at("there/d/both")).unwrap(), "2");
        assert!(at("there/fresh/e").is_dir() && at("there/d/one").is_file());
        // As a file system does that cannot exchange two names.
        let number = merge.moved.len();
        fs::write(at("there/kept"), "new").unwrap();
        fs::write(at("old").join(number.to_string()), "kept").unwrap();
        merge.moved.push(Move { path: Inside::parse(b"kept").unwrap(), before: Before::Kept });
        let error = merge.undo(TreeError::Damaged("it broke".to_owned()));
        assert_eq!(error.to_string(), "the archive is damaged: it broke");
        let there = |name: &str| fs::read_to_string(at("there").join(name)).unwrap();
        assert_eq!(
            (there("d/both"), there("mine"), there("kept")),
            ("old".to_owned(), "mine".to_owned(), "kept".to_owned())
        );
        assert!(!at("there/fresh").exists() && !at("there/d/one").exists());
        let error = merge.undo(TreeError::Damaged("it broke".to_owned())).to_string();
        assert!(
            error.contains("could not be undone for kept, fresh, d/one: the directory is left half done"),
            "{error}"
        );
    }
}
