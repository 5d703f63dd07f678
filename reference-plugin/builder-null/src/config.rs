//! What the user writes, and what it becomes when it is in order.
use packwire_plugin::Diagnostic;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The way to no machine.
const NONE: &str = "none";

/// Options that begin with the communicator's name go to the communicator.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend(
    "examples" = [
        {"communicator": "none"},
        {"communicator": "local"},
        {"communicator": "ssh", "ssh_host": "192.0.2.1", "ssh_username": "root"},
    ],
    "patternProperties" = {"^[a-z0-9-]+_.": {}},
    "additionalProperties" = false,
))]
pub(crate) struct Config {
    /// The way to the machine: `none`, or one that the host has.
    #[serde(default = "ssh")]
    #[schemars(length(min = 1))]
    communicator: String,
    /// The communicator's options.
    #[serde(default)]
    communicator_config: Map<String, Value>,
    #[serde(flatten)]
    flat: Map<String, Value>,
}

fn ssh() -> String {
    "ssh".to_owned()
}

/// A machine to be provisioned, or none.
#[derive(Debug, PartialEq)]
pub(crate) enum Machine {
    None,
    By { communicator: String, config: Value },
}

impl Machine {
    pub(crate) fn of(config: Config) -> Result<Self, Vec<Diagnostic>> {
        let Config { communicator, communicator_config: mut options, flat } = config;
        let mut problems = Vec::new();
        for (key, value) in flat {
            let at = |summary| Diagnostic::error(summary).at(format!("/{key}"));
            if !belongs(&key, &communicator) {
                problems.push(at(format!("`{key}` is no option of the communicator `{communicator}`")));
            } else if options.contains_key(&key) {
                problems.push(at(format!("`{key}` stands in `communicator_config`, too")));
            } else {
                drop(options.insert(key, value));
            }
        }
        if communicator == NONE && !options.is_empty() && problems.is_empty() {
            problems.push(Diagnostic::error("no communicator takes it").at("/communicator_config"));
        }
        match communicator.as_str() {
            _ if !problems.is_empty() => Err(problems),
            NONE => Ok(Self::None),
            _ => Ok(Self::By { communicator, config: Value::Object(options) }),
        }
    }
}

/// Whether an option is the communicator's, by its prefix.
fn belongs(key: &str, communicator: &str) -> bool {
    communicator != NONE && key.strip_prefix(communicator).is_some_and(|rest| rest.starts_with('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(config: &str) -> Result<Machine, String> {
        packwire_plugin::config::read(config).and_then(Machine::of).map_err(|problems| {
            problems.iter().map(|one| format!("{}: {}", one.path, one.summary)).collect::<Vec<_>>().join("\n")
        })
    }

    fn by(communicator: &str, config: Value) -> Result<Machine, String> {
        Ok(Machine::By { communicator: communicator.to_owned(), config })
    }

    #[test]
    fn options_of_the_communicator_are_passed_on() {
        let flat = r#"{"communicator": "ssh", "ssh_host": "h", "communicator_config": {"ssh_port": 2}}"#;
        assert_eq!(machine(flat), by("ssh", serde_json::json!({"ssh_port": 2, "ssh_host": "h"})));
        assert_eq!(machine("{}"), by("ssh", serde_json::json!({})));
        assert_eq!(machine(r#"{"communicator": "none"}"#), Ok(Machine::None));
    }

    #[test]
    fn options_of_nobody_are_refused() {
        for (config, told) in [
            (
                r#"{"communicator": "local", "ssh_host": "h"}"#,
                "/ssh_host: `ssh_host` is no option of the communicator `local`",
            ),
            (
                r#"{"communicator": "none", "none_x": "h"}"#,
                "/none_x: `none_x` is no option of the communicator `none`",
            ),
            (
                r#"{"communicator": "none", "communicator_config": {"a": 1}}"#,
                "/communicator_config: no communicator takes it",
            ),
            (
                r#"{"ssh_host": "h", "communicator_config": {"ssh_host": "i"}}"#,
                "/ssh_host: `ssh_host` stands in `communicator_config`, too",
            ),
            (
                r#"{"comunicator": "none"}"#,
                "/comunicator: there is no option `comunicator`; did you mean `communicator`?",
            ),
            (
                r#"{"communicator_conf": {}}"#,
                "/communicator_conf: `communicator_conf` is no option of the communicator `ssh`",
            ),
        ] {
            assert_eq!(machine(config), Err(told.to_owned()));
        }
    }
}
