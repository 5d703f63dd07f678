//! Packer's command line → ours: `-var` becomes `--var`, and what is not there yet is refused by its name.

use std::ffi::OsString;

/// Flags whose value may be the next argument, which is never a flag then.
const WITH_VALUE: [&str; 6] = ["var", "var-file", "only", "except", "parallel-builds", "on-error"];

const COMMANDS_NOT_THERE_YET: [&str; 6] = ["inspect", "fix", "console", "fmt", "init", "hcl2_upgrade"];

const FLAGS_NOT_THERE_YET: [&str; 10] = [
    "debug",
    "machine-readable",
    "timestamp-ui",
    "warn-on-undeclared-var",
    "no-warn-undeclared-var",
    "ignore-prerelease-plugins",
    "use-sequential-evaluation",
    "skip-enforcement",
    "evaluate-datasources",
    "parallel",
];

const ON_ERROR_NOT_THERE_YET: [&str; 1] = ["ask"];

/// Our own commands; another one's arguments are a plugin's, and stay as they are.
const COMMANDS: [&str; 5] = ["build", "validate", "recover", "plugins", "version"];

/// Packer has it and we do not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not there yet")]
pub struct NotThereYet {
    /// The command or flag, as Packer spells it.
    pub what: String,
}

/// The arguments as our own parser wants them; the program's name comes first and stays.
pub(super) fn rewritten(arguments: Vec<OsString>) -> Result<Vec<OsString>, NotThereYet> {
    if let Some(command) = arguments.get(1).and_then(|command| command.to_str())
        && COMMANDS_NOT_THERE_YET.contains(&command)
    {
        return Err(NotThereYet { what: format!("`packwire {command}`") });
    }
    if arguments.get(1).is_some_and(|first| !is_ours(first)) {
        return Ok(arguments);
    }
    let mut rewritten = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let flag = argument.to_str().and_then(Flag::read);
        let takes_next = flag.as_ref().is_some_and(Flag::takes_next);
        if argument == "--" {
            rewritten.push(argument);
            rewritten.extend(arguments);
            return Ok(rewritten);
        }
        let value = if takes_next { arguments.next() } else { None };
        if let Some(flag) = &flag {
            flag.refuse_not_there_yet(value.as_ref().and_then(|value| value.to_str()))?;
        }
        rewritten.push(flag.map_or(argument, |flag| flag.long().into()));
        rewritten.extend(value);
    }
    Ok(rewritten)
}

fn is_ours(first: &OsString) -> bool {
    first.to_str().is_some_and(|first| first.starts_with('-') || COMMANDS.contains(&first))
}

/// `-name`, `--name`, `-name=value`.
struct Flag {
    name: String,
    value: Option<String>,
}

impl Flag {
    /// `-h` and `-V` are not Packer's spelling but everybody's, and stay.
    fn read(argument: &str) -> Option<Self> {
        let body = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'))?;
        let (name, value) = body.split_once('=').map_or((body, None), |(name, value)| (name, Some(value)));
        let is_long = name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic());
        is_long.then(|| Self { name: name.to_owned(), value: value.map(ToOwned::to_owned) })
    }

    fn takes_next(&self) -> bool {
        self.value.is_none() && WITH_VALUE.contains(&self.name.as_str())
    }

    fn long(&self) -> String {
        match &self.value {
            Some(value) => format!("--{}={value}", self.name),
            None => format!("--{}", self.name),
        }
    }

    fn refuse_not_there_yet(&self, next: Option<&str>) -> Result<(), NotThereYet> {
        let what = |what: String| Err(NotThereYet { what: format!("`-{what}`") });
        if FLAGS_NOT_THERE_YET.contains(&self.name.as_str()) {
            return what(self.name.clone());
        }
        match self.value.as_deref().or(next) {
            Some(value) if self.name == "on-error" && ON_ERROR_NOT_THERE_YET.contains(&value) => {
                what(format!("on-error={value}"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(typed: &str, expect: &str) {
        let arguments = typed.split(' ').map(OsString::from).collect();
        let shown = match rewritten(arguments) {
            Ok(arguments) => {
                arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
            }
            Err(refused) => refused.to_string(),
        };
        assert_eq!(shown, expect);
    }

    #[test]
    fn single_dashes_become_double() {
        check("packwire build -var a=b -only=x,y t.json", "packwire build --var a=b --only=x,y t.json");
        check("packwire build --var a=b -color=false t", "packwire build --var a=b --color=false t");
        check("packwire -version", "packwire --version");
        check("packwire build -h", "packwire build -h");
    }

    #[test]
    fn values_and_what_follows_two_dashes_stay() {
        check("packwire build -var -x=-y -var=k=-debug t", "packwire build --var -x=-y --var=k=-debug t");
        check("packwire build -- -debug", "packwire build -- -debug");
        check("packwire build -", "packwire build -");
        check("packwire build -var", "packwire build --var");
    }

    #[test]
    fn what_packer_has_and_we_do_not_is_refused_by_name() {
        check("packwire inspect t.json", "`packwire inspect` is not there yet");
        check("packwire build -debug t.json", "`-debug` is not there yet");
        check("packwire build --machine-readable t.json", "`-machine-readable` is not there yet");
        check("packwire build -on-error=ask t", "`-on-error=ask` is not there yet");
        check("packwire build -on-error ask t", "`-on-error=ask` is not there yet");
    }

    #[test]
    fn the_arguments_of_a_plugins_command_stay_as_they_are() {
        check("packwire greet -debug --var x -on-error=ask", "packwire greet -debug --var x -on-error=ask");
    }

    proptest::proptest! {
        #[test]
        fn any_command_line_is_rewritten_or_refused(words in proptest::collection::vec("[-a-z=é]{0,8}", 0..6)) {
            let _rewritten = rewritten(words.into_iter().map(OsString::from).collect());
        }
    }
}
