//! What lies below `${work}`: the files that a run reads there, and those that it makes.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Part;

/// A configuration whose paths are relative: they are meant from `${work}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Relative {
    /// The configuration.
    pub config: Value,
    /// The files below `${work}` without which its run fails: their names and texts.
    #[serde(default)]
    pub reads: BTreeMap<String, String>,
    /// The names of files that its run makes below `${work}`.
    #[serde(default)]
    pub makes: Vec<String>,
}

/// A configuration of a builder, and what its run makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Existing {
    /// The configuration, which does not allow to replace what is there.
    pub config: Value,
    /// The name below `${work}` of what its run makes.
    pub target: String,
}

impl Part {
    /// What is no name there, and what names nothing.
    pub(super) fn astray(&self) -> Vec<String> {
        let relative = self.relative.iter().flat_map(|it| it.reads.keys().chain(&it.makes));
        let existing = self.existing.iter().map(|existing| ("existing", &existing.target));
        let names = relative.map(|name| ("relative", name)).chain(existing);
        let wrong = names.filter(|(_, name)| !is_below(name));
        let told = |(key, name)| format!("`{key}` names {name:?}, which is no name below `${{work}}`");
        let mut told: Vec<String> = wrong.map(told).collect();
        if self.relative.as_ref().is_some_and(|it| it.reads.is_empty() && it.makes.is_empty()) {
            told.push("`relative` names no file that its run `reads` or `makes`".to_owned());
        }
        told
    }
}

fn is_below(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|one| matches!(one, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::super::Scenario;

    fn told(keys: &str) -> String {
        let text = format!("packwire-scenario = 1\n[builder.x]\nrun = {{}}\n{keys}\n");
        Scenario::parse(&text).err().unwrap_or_default()
    }

    #[test]
    fn what_lies_below_the_directory_of_a_run_has_a_name_there() {
        assert_eq!(told("relative = { config = {}, reads = { \"a/b\" = \"\" } }"), "");
        assert_eq!(
            told("relative = { config = {}, makes = [\"/a\"] }"),
            "builder.x: `relative` names \"/a\", which is no name below `${work}`"
        );
        assert_eq!(
            told("relative = { config = {} }"),
            "builder.x: `relative` names no file that its run `reads` or `makes`"
        );
    }
}
