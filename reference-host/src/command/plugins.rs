//! `packwire plugins`: what was found, and what was not taken and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::catalog::{Candidate, Catalog, Kind, Naming, PluginCommand};
use crate::plugins::PluginFailure;

/// What plugins said about themselves when they were asked, or why they said nothing; those that were not asked are
/// not in it.
pub type Described = BTreeMap<PluginCommand, Result<Description, PluginFailure>>;

/// What one plugin said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Its version.
    pub version: String,
    /// Kind and name of all it offers.
    pub components: Vec<(Kind, String)>,
}

/// The list as people read it.
#[must_use]
pub(super) fn listed(catalog: &Catalog, described: &Described) -> String {
    let mut text = String::new();
    if catalog.candidates.is_empty() {
        text.push_str("No plugins were found.\n");
    }
    for candidate in &catalog.candidates {
        let _infallible = writeln!(text, "{}", line(candidate, described.get(&candidate.command)));
    }
    if !catalog.rejected.is_empty() {
        text.push_str("\nNot taken:\n");
    }
    for rejected in &catalog.rejected {
        let _infallible = writeln!(text, "  {}: {}", rejected.path.display(), rejected.reason);
    }
    text
}

fn line(candidate: &Candidate, description: Option<&Result<Description, PluginFailure>>) -> String {
    let Candidate { naming, command, origin } = candidate;
    match description {
        Some(Ok(Description { version, components })) => {
            format!("{} {version}\n  {command} ({origin})", components_of(components))
        }
        Some(Err(failure)) => {
            let lines: String = failure.last_lines.iter().map(|line| format!("\n    {line}")).collect();
            format!("{}\n  {command} ({origin})\n  cannot be used: {}{lines}", promised(naming), failure.what)
        }
        None => format!("{}\n  {command} ({origin})", promised(naming)),
    }
}

fn components_of(components: &[(Kind, String)]) -> String {
    components.iter().map(|(kind, name)| format!("{kind} {name}")).collect::<Vec<_>>().join(", ")
}

fn promised(naming: &Naming) -> String {
    match naming {
        Naming::Single { kind, name } => format!("{kind} {name}"),
        Naming::Family { name } => format!("several: {name}, {name}-…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Origin;

    #[test]
    fn a_plugin_that_was_asked_shows_version_and_components() {
        let command = PluginCommand::new("/p/packer-plugin-a".as_ref());
        let naming = Naming::Family { name: "a".to_owned() };
        let candidate = Candidate { naming, command: command.clone(), origin: Origin::BesideUs };
        let catalog = Catalog { candidates: vec![candidate], ..Catalog::default() };
        let components = vec![(Kind::Builder, "a".to_owned()), (Kind::Hook, "a-b".to_owned())];
        let description = Description { version: "1.2.3".to_owned(), components };
        insta::assert_snapshot!(listed(&catalog, &Described::from([(command, Ok(description))])), @r"
        builder a, hook a-b 1.2.3
          /p/packer-plugin-a (next to packwire)
        ");
        insta::assert_snapshot!(listed(&catalog, &Described::new()), @r"
        several: a, a-…
          /p/packer-plugin-a (next to packwire)
        ");
    }
}
