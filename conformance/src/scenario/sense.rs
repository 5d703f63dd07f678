//! Whether what a scenario says of a component makes sense.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Key, Part};
use crate::components::Kind;

impl Part {
    /// All that is wrong with what is said of a component of this kind.
    pub(super) fn mistakes(&self, kind: Kind, serve: &BTreeMap<String, String>) -> Vec<String> {
        [
            self.misplaced(kind),
            self.no_tables(kind),
            self.missing(kind),
            self.not_without(kind),
            self.unmarked(serve),
            self.astray(),
        ]
        .concat()
    }

    /// What does not belong to a kind is a mistake.
    fn misplaced(&self, kind: Kind) -> Vec<String> {
        let prepares = !matches!(kind, Kind::Hook | Kind::Command);
        let has_artifact = matches!(kind, Kind::Builder | Kind::PostProcessor);
        let only = [
            ("run", self.run.is_some(), prepares),
            ("slow", self.slow.is_some(), prepares),
            ("fails", self.fails.is_some(), kind != Kind::Command),
            ("bug", self.bug.is_some(), prepares),
            ("crash", self.crash.is_some(), prepares),
            ("asks", self.asks.is_some(), prepares),
            ("echo", self.echo.is_some(), prepares),
            ("integer", self.integer.is_some(), prepares),
            ("secret", self.secret.is_some(), prepares),
            ("much", self.much.is_some(), prepares),
            ("invalid", !self.invalid.is_empty(), prepares),
            ("warns", !self.warns.is_empty(), prepares),
            ("relative", self.relative.is_some(), prepares),
            ("existing", self.existing.is_some(), kind == Kind::Builder),
            ("artifact", self.artifact.is_some(), has_artifact),
            ("states", !self.states.is_empty(), has_artifact),
            ("input", self.input.is_some(), kind == Kind::PostProcessor),
            ("value", self.value.is_some(), kind == Kind::DataSource),
            ("event", self.event.is_some(), kind == Kind::Hook),
            ("data", self.data.is_some(), kind == Kind::Hook),
            ("arguments", self.arguments.is_some(), kind == Kind::Command),
            ("ends", !self.ends.is_empty(), kind == Kind::Command),
            ("leaves", self.leaves.is_some(), kind == Kind::Provisioner),
            ("echo-arguments", self.echo_arguments.is_some(), kind == Kind::Command),
            ("shell", self.shell.is_some(), kind == Kind::Communicator),
        ];
        let misplaced = only.iter().filter(|(_, given, fits)| *given && !fits);
        misplaced
            .map(|(key, ..)| format!("`{key}` means nothing for a {}: take it out", kind.word()))
            .collect()
    }

    /// A configuration is a table.
    fn no_tables(&self, kind: Kind) -> Vec<String> {
        let relative = self.relative.as_ref().map(|relative| relative.config.clone());
        let existing = self.existing.as_ref().map(|existing| existing.config.clone());
        let configs = [
            ("existing", &existing),
            ("relative", &relative),
            ("run", &self.run),
            ("slow", &self.slow),
            ("fails", &self.fails),
            ("bug", &self.bug),
            ("crash", &self.crash),
            ("asks", &self.asks),
            ("echo", &self.echo),
            ("integer", &self.integer),
            ("secret", &self.secret),
            ("much", &self.much),
        ];
        let is_none = |config: &&Value| !config.is_object() && kind != Kind::Hook;
        let wrong = configs.iter().filter_map(|(key, config)| Some((key, config.as_ref().filter(is_none)?)));
        wrong.map(|(key, config)| format!("`{key}` is a configuration, and {config} is no table")).collect()
    }

    /// Without a run there is no scenario.
    fn missing(&self, kind: Kind) -> Vec<String> {
        let (key, given) = match kind {
            Kind::Hook => ("event", self.event.is_some()),
            Kind::Command => ("arguments", self.arguments.is_some()),
            _ => ("run", self.run.is_some()),
        };
        let mut missing = Vec::new();
        if !given {
            missing.push(format!("`{key}` is missing: without it nothing can be run"));
        }
        if kind == Kind::PostProcessor && self.input.is_none() {
            missing.push("`input` is missing: a post-processor needs an artifact".to_owned());
        }
        missing
    }

    /// What a component is said to have nothing for means something for its kind, and is not there.
    fn not_without(&self, kind: Kind) -> Vec<String> {
        let told = |key: &Key| match key.word() {
            word if !key.fits(kind) => {
                Some(format!("`{word}` means nothing for a {}: take it out of `without`", kind.word()))
            }
            word if self.gives(*key) => {
                Some(format!("`{word}` is given, and `without` says that there is no `{word}`"))
            }
            _ => None,
        };
        self.without.iter().filter_map(told).collect()
    }

    /// What is to come out has to be given: a mark that was forgotten, or misspelt, would be held against the plugin.
    fn unmarked(&self, serve: &BTreeMap<String, String>) -> Vec<String> {
        let holds = |config: &Value, mark: &str| config.to_string().contains(mark);
        let others = (&self.input, &self.data, &self.machine, serve);
        let text_is_elsewhere = serde_json::to_string(&others).is_ok_and(|texts| texts.contains("${text}"));
        let marks = [
            ("echo", &self.echo, "${text}", text_is_elsewhere),
            ("integer", &self.integer, "${integer}", false),
            ("secret", &self.secret, "${secret}", false),
        ];
        let forgotten = marks.into_iter().filter(|(_, config, mark, is_elsewhere)| {
            config.as_ref().is_some_and(|config| !holds(config, mark) && !is_elsewhere)
        });
        let told = |(key, _, mark, _)| format!("`{key}` has no `{mark}`, which is to come out of its run");
        forgotten.map(told).collect()
    }
}
