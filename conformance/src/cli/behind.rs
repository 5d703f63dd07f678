//! What stands behind the plugin belongs to it; where it looks like one of our options, that is said.

use std::ffi::{OsStr, OsString};
use std::io::Write;

use clap::Command;

/// Warns of options of `command` that stand behind the plugin, unless `--` before it says that they are meant for it.
pub(super) fn warn(command: &Command, plugin: &[OsString]) {
    let typed: Vec<OsString> = std::env::args_os().collect();
    if let Some(warning) = warning(command, &typed, plugin) {
        // Where standard error takes nothing there is nobody to warn.
        drop(writeln!(std::io::stderr(), "{warning}"));
    }
}

/// `plugin` is the end of what was `typed`: the program and its arguments.
fn warning(command: &Command, typed: &[OsString], plugin: &[OsString]) -> Option<String> {
    let before = typed.len().checked_sub(plugin.len() + 1).and_then(|at| typed.get(at));
    if before.is_some_and(|word| word == "--") {
        return None;
    }
    let arguments = plugin.iter().skip(1).take_while(|argument| *argument != "--");
    let mut ours: Vec<String> = arguments.filter_map(|argument| ours(command, argument)).collect();
    ours.dedup();
    let (stand, them) = match ours.len() {
        0 => return None,
        1 => ("stands behind the plugin and is given to it", "it"),
        _ => ("stand behind the plugin and are given to it", "them"),
    };
    let (all, name) = (ours.join(" and "), command.get_name());
    Some(format!(
        "warning: {all} {stand}; to give {them} to {name}, put {them} before the plugin (`--` before it says that the plugin is meant)"
    ))
}

/// The option of ours that an argument looks like, with or without a value.
fn ours(command: &Command, argument: &OsStr) -> Option<String> {
    let word = argument.to_str()?.strip_prefix("--")?;
    let name = word.split('=').next()?;
    command.get_arguments().any(|one| one.get_long() == Some(name)).then(|| format!("`--{name}`"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::typed::Typed;
    use super::*;

    fn warned(typed: &[&str], plugin: usize) -> String {
        let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
        warning(&Typed::command(), &typed, &typed[plugin..]).unwrap_or_default()
    }

    #[test]
    fn an_option_of_ours_behind_the_plugin_is_warned_of() {
        insta::assert_snapshot!(
            warned(&["conformance", "./x", "--only", "exit.*"], 1),
            @"warning: `--only` stands behind the plugin and is given to it; to give it to conformance, put it before the plugin (`--` before it says that the plugin is meant)"
        );
        insta::assert_snapshot!(
            warned(&["conformance", "--strict", "python3", "x.py", "--scenario=a", "--only", "b", "--only", "c"], 2),
            @"warning: `--scenario` and `--only` stand behind the plugin and are given to it; to give them to conformance, put them before the plugin (`--` before it says that the plugin is meant)"
        );
    }

    #[test]
    fn what_is_meant_for_the_plugin_is_not() {
        for (typed, plugin) in [
            (&["conformance", "--", "./x", "--only", "y"][..], 2),
            (&["conformance", "--only", "y", "./x", "--", "--only"][..], 3),
            (&["conformance", "--only", "y", "./x", "--only-this", "only", "-o", "--help"][..], 3),
            (&["conformance", "--only", "y", "--only"][..], 3),
        ] {
            assert_eq!(warned(typed, plugin), "", "{typed:?}");
        }
    }
}
