//! One entry of an archive, and the rules for its name and its links.
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

/// The most bytes of a name.
const NAME_BYTES: usize = 4095;
/// The most levels below the directory: what walks a tree holds a descriptor or two for each.
pub(super) const LEVELS: usize = 128;

/// What an archive says of one file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it goes.
    pub(crate) path: Inside,
    pub(crate) kind: Kind,
    /// Its permission bits, without those that change who runs it.
    pub(crate) mode: u32,
    /// In seconds since 1970.
    pub(crate) modified: i64,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    File { size: u64 },
    Directory,
    Symlink(OsString),
    Hardlink(Inside),
}

/// A place below a directory: plain names, none of them `..`. Empty for the directory itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Inside(Vec<OsString>);

impl Inside {
    /// Reads a name as archives have them; the error says which rule it breaks.
    pub(crate) fn parse(name: &[u8]) -> Result<Self, String> {
        check_text(name, "its name")?;
        if name.starts_with(b"/") {
            return Err("its name is absolute".to_owned());
        }
        let parts: Vec<&[u8]> = parts(name).collect();
        if parts.contains(&&b".."[..]) {
            return Err("its name has a `..`".to_owned());
        }
        if parts.len() > LEVELS {
            return Err(format!("it is more than {LEVELS} levels deep"));
        }
        Ok(Self(parts.into_iter().map(|part| OsString::from_vec(part.to_vec())).collect()))
    }

    pub(crate) fn parts(&self) -> &[OsString] {
        &self.0
    }

    /// The directory that it is in, and its name there; `None` for the directory itself.
    pub(crate) fn split(&self) -> Option<(&[OsString], &OsStr)> {
        self.0.split_last().map(|(name, parent)| (parent, name.as_os_str()))
    }

    /// A name below this one.
    pub(crate) fn join(&self, name: &OsStr) -> Self {
        let mut parts = self.0.clone();
        parts.push(name.to_owned());
        Self(parts)
    }

    pub(crate) fn to_path(&self) -> PathBuf {
        self.0.iter().collect()
    }

    /// As archives have it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.to_path().into_os_string().into_vec()
    }
}

/// Whether a symbolic link at this place stays inside, whatever other links of the same archive do.
///
/// The directories above a link are real ones, and every link on its way down stays inside by this same rule: so only
/// the `..` at the beginning count, and others are not taken.
pub(crate) fn check_link(at: &Inside, target: &OsStr) -> Result<(), String> {
    let target = target.as_bytes();
    check_text(target, "what it links to")?;
    if target.starts_with(b"/") {
        return Err("it is a link to an absolute path".to_owned());
    }
    let mut rest = parts(target).skip_while(|part| *part == b"..");
    if rest.any(|part| part == b"..") {
        return Err(
            "it is a link that goes down and up again: `..` may only stand at the beginning".to_owned()
        );
    }
    let ups = parts(target).take_while(|part| *part == b"..").count();
    if ups >= at.parts().len() { Err("it is a link that leads outside".to_owned()) } else { Ok(()) }
}

fn check_text(text: &[u8], what: &str) -> Result<(), String> {
    match text {
        [] => Err(format!("{what} is empty")),
        _ if text.contains(&0) => Err(format!("{what} has a NUL")),
        _ if text.len() > NAME_BYTES => Err(format!("{what} is longer than {NAME_BYTES} bytes")),
        _ => Ok(()),
    }
}

fn parts(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_stay_inside() {
        let parsed = |name: &str| match Inside::parse(name.as_bytes()) {
            Ok(inside) => inside.to_path().display().to_string(),
            Err(why) => why,
        };
        assert_eq!(parsed("./a//b/."), "a/b");
        assert_eq!(parsed("./"), "");
        assert_eq!(parsed("/a"), "its name is absolute");
        assert_eq!(parsed("a/../b"), "its name has a `..`");
        assert_eq!(parsed(""), "its name is empty");
        assert_eq!(parsed("a\0b"), "its name has a NUL");
        assert_eq!(parsed(&"a/".repeat(129)), "it is more than 128 levels deep");
        assert_eq!(parsed(&"a".repeat(5000)), "its name is longer than 4095 bytes");
    }

    #[test]
    fn links_lead_no_higher_than_the_directory() {
        let check = |at: &str, target: &str| {
            let checked = check_link(&Inside::parse(at.as_bytes()).unwrap(), target.as_ref());
            checked.err().unwrap_or_else(|| "fine".to_owned())
        };
        for (at, target) in [("a", "b"), ("a/b/c", "../../x"), ("a/b", ".././x/y"), ("a/b", "..")] {
            assert_eq!(check(at, target), "fine", "{at} -> {target}");
        }
        assert_eq!(check("a", ".."), "it is a link that leads outside");
        assert_eq!(check("a/b", "../../etc"), "it is a link that leads outside");
        assert_eq!(check("a", "/etc"), "it is a link to an absolute path");
        assert_eq!(check("a", ""), "what it links to is empty");
        for target in ["l/l/../../..", "l/.."] {
            assert!(check("a", target).starts_with("it is a link that goes down and up again"), "{target}");
        }
    }
}
