//! What the hello says: whether it is complete, described, and what the file name promises.

use std::collections::HashSet;

use semver::Version;

use crate::check::{Checked, Stop};
use crate::components::{Kind, Offered, offered, text};
use crate::rig::{Attached, Manners, Rig};

const LONGEST_NAME: usize = 255;
const LONGEST_COMPONENT_NAME: usize = 64;
const LONGEST_SUMMARY: usize = 500;
const MOST_COMPONENTS: usize = 256;

/// Reads all of `attach.hello-complete`.
pub(super) async fn complete(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let plugin = &session.plugin;
    let hello = plugin.read("the hello", session.hello.read())?;
    let name = plugin.read("the plugin's name", text(hello.get_name()))?;
    plugin.saw(
        "the plugin's name is one line, not empty",
        is_line(&name, LONGEST_NAME),
        format!("it is {name:?}"),
    );
    let version = plugin.read("the plugin's version", text(hello.get_version()))?;
    let well_formed = version.len() <= LONGEST_NAME && Version::parse(&version).is_ok();
    plugin.saw("the plugin's version follows Semantic Versioning", well_formed, format!("it is {version:?}"));
    let components = plugin.read("the list of components", offered(hello))?;
    let count = components.len();
    let enough = (1..=MOST_COMPONENTS).contains(&count);
    plugin.saw("it offers 1 to 256 components", enough, format!("it offers {count}"));
    components.iter().for_each(|component| is_complete(&session, component));
    no_name_twice(&session, &components);
    Ok(())
}

fn is_complete(session: &Attached, component: &Offered<'_>) {
    let Offered { title, name, kind, .. } = component;
    let plugin = &session.plugin;
    let expected = format!("the name of the {title} is well-formed");
    plugin.saw(expected, is_component_name(name), format!("it is {name:?}"));
    let observed = kind.map_or("its kind is unset or unknown", Kind::word);
    if plugin.saw(format!("the {title} has a kind"), kind.is_some(), observed) {
        let there = component.has_capability();
        let observed = if there { "it is there" } else { "it is null" };
        plugin.saw(format!("the {title} has a capability"), there, observed);
    }
}

fn no_name_twice(session: &Attached, components: &[Offered<'_>]) {
    let mut seen = HashSet::new();
    let twice: Vec<&str> =
        components.iter().map(|c| c.title.as_str()).filter(|title| !seen.insert(*title)).collect();
    let observed = if twice.is_empty() { "none is".to_owned() } else { twice.join(", ") };
    session.plugin.saw("no component is offered twice", twice.is_empty(), observed);
}

/// Reads all of `attach.summary-one-line`.
pub(super) async fn summaries(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let plugin = &session.plugin;
    for Offered { title, reader, .. } in components_of(&session)? {
        let summary = plugin.read("a summary", text(reader.get_summary()))?;
        let expected = format!("the summary of the {title} is one line, not empty");
        plugin.saw(expected, is_line(&summary, LONGEST_SUMMARY), format!("it is {summary:?}"));
        let documentation = plugin.read("a documentation", text(reader.get_documentation()))?;
        let observed = format!("it has {} bytes", documentation.len());
        plugin.saw(format!("the {title} has a documentation"), !documentation.trim().is_empty(), observed);
    }
    Ok(())
}

/// Compares the names of `attach.name-matches-file`.
pub(super) async fn name_matches_file(rig: &Rig) -> Checked {
    let Some((file, promise)) = promised(rig) else {
        let why =
            "neither the program nor an argument is a file called packer-TYPE-NAME or packer-plugin-NAME";
        return Err(Stop::NotApplicable(why.to_owned()));
    };
    let session = rig.attach(Manners::default()).await?;
    let components = components_of(&session)?;
    let offered: Vec<&str> = components.iter().map(|component| component.title.as_str()).collect();
    let expected = format!("`{file}` offers {}", promise.told());
    session.plugin.saw(expected, promise.is_kept(&components), format!("it offers {}", offered.join(", ")));
    Ok(())
}

fn components_of(session: &Attached) -> Result<Vec<Offered<'_>>, Stop> {
    session.plugin.read("the list of components", session.hello.read().and_then(offered))
}

/// What a file name promises.
#[derive(Debug, PartialEq)]
enum Promise {
    /// A component of this kind and name, perhaps among others.
    Component(Kind, String),
    /// Any components of this name, or of names that begin with it and `-`.
    Family(String),
}

impl Promise {
    fn is_kept(&self, components: &[Offered<'_>]) -> bool {
        match self {
            Self::Component(kind, name) => {
                components.iter().any(|component| component.kind == Some(*kind) && component.name == *name)
            }
            Self::Family(name) => components.iter().all(|component| is_of_family(name, &component.name)),
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Component(kind, name) => format!("the {} `{name}`", kind.word()),
            Self::Family(name) => format!("only what is called `{name}` or `{name}-…`"),
        }
    }
}

fn is_of_family(family: &str, name: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The file name that promises something: the program's, or that of the script which an interpreter runs.
fn promised(rig: &Rig) -> Option<(String, Promise)> {
    let subject = rig.subject();
    let scripts = subject.arguments.iter().map(std::path::Path::new).filter(|path| path.is_absolute());
    let names = scripts.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    std::iter::once(subject.file_name()).chain(names).find_map(|file| {
        let promise = promise(&file)?;
        Some((file, promise))
    })
}

/// Takes `packer-TYPE-NAME` and `packer-plugin-NAME` apart; an extension does not count.
fn promise(file: &str) -> Option<Promise> {
    let rest = file.strip_prefix("packer-")?;
    let rest = rest.split_once('.').map_or(rest, |(stem, _)| stem);
    let name_after = |word: &str| {
        let name = rest.strip_prefix(word)?.strip_prefix('-')?;
        (!name.is_empty()).then(|| name.to_owned())
    };
    let of_kind = |kind: &Kind| Some(Promise::Component(*kind, name_after(kind.word())?));
    name_after("plugin").map(Promise::Family).or_else(|| Kind::ALL.iter().find_map(of_kind))
}

fn is_line(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && text.len() <= longest && !text.chars().any(char::is_control)
}

/// `[a-z0-9]([a-z0-9-]*[a-z0-9])?`, at most 64 bytes.
fn is_component_name(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LONGEST_COMPONENT_NAME).contains(&name.len())
        && name.bytes().all(inside)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_promises_a_component_or_a_family() {
        let component = |kind, name: &str| Some(Promise::Component(kind, name.to_owned()));
        assert_eq!(promise("packer-builder-custom-cloud"), component(Kind::Builder, "custom-cloud"));
        assert_eq!(promise("packer-post-processor-tar.exe"), component(Kind::PostProcessor, "tar"));
        assert_eq!(promise("packer-plugin-cloud.py"), Some(Promise::Family("cloud".to_owned())));
        for file in ["packer-plugin-", "packer-builder-", "packer-builder", "builder-x", "packer"] {
            assert_eq!(promise(file), None, "{file}");
        }
    }

    #[test]
    fn a_family_has_one_name_and_longer_ones() {
        for (name, is_of) in [("cloud", true), ("cloud-disk", true), ("cloudy", false), ("my-cloud", false)] {
            assert_eq!(is_of_family("cloud", name), is_of, "{name}");
        }
    }

    #[test]
    fn component_names_are_short_lower_case_words() {
        for name in ["a", "custom-cloud", "x2", "a--b", &"a".repeat(64)] {
            assert!(is_component_name(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a_b", "ä", "a.b", &"a".repeat(65)] {
            assert!(!is_component_name(name), "{name}");
        }
    }

    #[test]
    fn a_line_has_no_control_characters() {
        assert!(is_line("Grünes 緑", 500));
        for text in ["", " ", "a\nb", "a\tb", "\u{9b}"] {
            assert!(!is_line(text, 500), "{text:?}");
        }
        assert!(!is_line("abc", 2));
    }
}
