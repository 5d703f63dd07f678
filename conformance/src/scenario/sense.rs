//! Whether what a scenario says of a component makes sense.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Part;
use crate::components::Kind;

impl Part {
    /// What is wrong with what is said of a component of this kind.
    pub(super) fn makes_sense(&self, kind: Kind, serve: &BTreeMap<String, String>) -> Result<(), String> {
        self.check(kind)?;
        self.is_without(kind)?;
        self.holds_its_marks(serve)
    }

    /// What does not belong to a kind is a mistake, and so is a scenario without a run.
    fn check(&self, kind: Kind) -> Result<(), String> {
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
            ("artifact", self.artifact.is_some(), has_artifact),
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
        if let Some((key, ..)) = only.iter().find(|(_, given, fits)| *given && !fits) {
            return Err(format!("`{key}` means nothing for a {}: take it out", kind.word()));
        }
        let needed = match kind {
            Kind::Hook => ("event", self.event.is_some()),
            Kind::Command => ("arguments", self.arguments.is_some()),
            _ => ("run", self.run.is_some()),
        };
        match (needed, kind) {
            ((key, false), _) => Err(format!("`{key}` is missing: without it nothing can be run")),
            (_, Kind::PostProcessor) if self.input.is_none() => {
                Err("`input` is missing: a post-processor needs an artifact".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// What a component is said to have nothing for means something for its kind, and is not there.
    fn is_without(&self, kind: Kind) -> Result<(), String> {
        match self.without.iter().find(|key| !key.fits(kind) || self.gives(**key)) {
            Some(key) if !key.fits(kind) => {
                let (key, kind) = (key.word(), kind.word());
                Err(format!("`{key}` means nothing for a {kind}: take it out of `without`"))
            }
            Some(key) => {
                Err(format!("`{0}` is given, and `without` says that there is no `{0}`", key.word()))
            }
            None => Ok(()),
        }
    }

    /// What is to come out has to be given: a mark that was forgotten, or misspelt, would be held against the plugin.
    fn holds_its_marks(&self, serve: &BTreeMap<String, String>) -> Result<(), String> {
        let holds = |config: &Value, mark: &str| config.to_string().contains(mark);
        let others = (&self.input, &self.data, &self.machine, serve);
        let text_is_elsewhere = serde_json::to_string(&others).is_ok_and(|texts| texts.contains("${text}"));
        let marks = [
            ("echo", &self.echo, "${text}", text_is_elsewhere),
            ("integer", &self.integer, "${integer}", false),
            ("secret", &self.secret, "${secret}", false),
        ];
        let forgotten = marks.into_iter().find(|(_, config, mark, is_elsewhere)| {
            config.as_ref().is_some_and(|config| !holds(config, mark) && !is_elsewhere)
        });
        match forgotten {
            Some((key, _, mark, _)) => {
                Err(format!("`{key}` has no `{mark}`, which is to come out of its run"))
            }
            None => Ok(()),
        }
    }
}
