//! Kinds of components, and what the name of an executable says about what it offers.

use std::path::{Path, PathBuf};

pub use packwire_wire::Kind;

/// The section of the config file for a kind.
#[must_use]
pub(super) fn section(kind: Kind) -> &'static str {
    match kind {
        Kind::Builder => "builders",
        Kind::Provisioner => "provisioners",
        Kind::PostProcessor => "post-processors",
        Kind::DataSource => "data-sources",
        Kind::Hook => "hooks",
        Kind::Command => "commands",
        Kind::Communicator => "communicators",
    }
}

/// How a plugin is started.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginCommand {
    /// The executable, absolute.
    pub program: PathBuf,
    /// What it is given on its command line; usually nothing.
    pub arguments: Vec<String>,
}

impl PluginCommand {
    /// A program without arguments.
    #[must_use]
    pub fn new(program: &Path) -> Self {
        Self { program: program.to_owned(), arguments: Vec::new() }
    }
}

impl std::fmt::Display for PluginCommand {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.program.display())?;
        self.arguments.iter().try_for_each(|argument| write!(formatter, " {argument}"))
    }
}

/// What a name promises.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Naming {
    /// One component.
    Single {
        /// Of this kind,
        kind: Kind,
        /// of this name.
        name: String,
    },
    /// Several components of any kinds, each named `NAME` or `NAME-…`.
    Family {
        /// The `NAME` of `packer-plugin-NAME`.
        name: String,
    },
}

impl Naming {
    /// What a file name promises; `None` if it follows no convention of ours. What follows a `.` does not count.
    #[must_use]
    pub fn of_file(file_name: &str) -> Option<Self> {
        let stem = file_name.split('.').next()?.strip_prefix("packer-")?;
        if let Some(name) = stem.strip_prefix("plugin-") {
            return is_component_name(name).then(|| Self::Family { name: name.to_owned() });
        }
        Kind::ALL.into_iter().find_map(|kind| {
            let name = stem.strip_prefix(kind.name())?.strip_prefix('-')?;
            is_component_name(name).then(|| Self::Single { kind, name: name.to_owned() })
        })
    }

    /// Whether a component of this kind and name may be in such a plugin.
    #[must_use]
    pub fn may_offer(&self, kind: Kind, name: &str) -> bool {
        match self {
            Self::Single { kind: offered, name: called } => *offered == kind && called == name,
            Self::Family { name: family } => name
                .strip_prefix(family.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
        }
    }
}

/// Whether it is a name that a component may have: `[a-z0-9]([a-z0-9-]*[a-z0-9])?`, at most 64 bytes.
pub(super) fn is_component_name(name: &str) -> bool {
    let ends = |end: Option<char>| end.is_some_and(|end| end != '-');
    name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && ends(name.chars().next())
        && ends(name.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, expect: &str) {
        let shown = match Naming::of_file(file) {
            Some(Naming::Single { kind, name }) => format!("{kind} {name}"),
            Some(Naming::Family { name }) => format!("family {name}"),
            None => "nothing".to_owned(),
        };
        assert_eq!(shown, expect, "{file}");
    }

    #[test]
    fn file_names_say_what_is_inside() {
        check("packer-builder-custom-cloud", "builder custom-cloud");
        check("packer-post-processor-manifest.exe", "post-processor manifest");
        check("packer-data-source-x.py", "data-source x");
        check("packer-plugin-amazon", "family amazon");
        for other in
            ["packer", "packer-builder-", "packer-thing-x", "packer-builder-X", "packer-builder--x", "x"]
        {
            check(other, "nothing");
        }
    }

    #[test]
    fn a_family_offers_its_name_and_longer_ones() {
        let family = Naming::Family { name: "amazon".to_owned() };
        assert!(family.may_offer(Kind::Builder, "amazon"));
        assert!(family.may_offer(Kind::PostProcessor, "amazon-import"));
        assert!(!family.may_offer(Kind::Builder, "amazonas"));
    }

    proptest::proptest! {
        #[test]
        fn any_file_name_is_understood_or_not(name in "packer-[a-zé.\\-]{0,20}") {
            let _naming = Naming::of_file(&name);
        }
    }
}
