//! The config file, `~/.packerconfig`: direct paths of plugins.

use std::path::PathBuf;

use super::component::{Kind, PluginCommand, is_component_name, section};
use crate::spell;
use crate::template::{Member, Node, Problem, Shape, Source, read_json};

/// What the config file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigFile {
    /// Kind, name in templates, and how the plugin is started, in the order of the file.
    pub plugins: Vec<(Kind, String, PluginCommand)>,
    /// Where `tcp:` plugins are listened for.
    pub ports: PortRange,
}

/// The ports that `tcp:` may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// `plugin_min_port`
    pub least: u16,
    /// `plugin_max_port`
    pub most: u16,
}

impl Default for PortRange {
    /// Packer's documented range.
    fn default() -> Self {
        Self { least: 10_000, most: 25_000 }
    }
}

/// Reads the config file's text; all that is wrong with it at once.
pub(super) fn parse(source: &Source) -> Result<ConfigFile, Vec<Problem>> {
    let root = read_json(source)?;
    let mut reading = Reading { file: ConfigFile::default(), problems: Vec::new() };
    reading.root(&root);
    if reading.file.ports.least > reading.file.ports.most {
        let what = "`plugin_max_port`".to_owned();
        reading.refuse(&root, what, "at least `plugin_min_port`");
    }
    if reading.problems.is_empty() { Ok(reading.file) } else { Err(reading.problems) }
}

struct Reading {
    file: ConfigFile,
    problems: Vec<Problem>,
}

impl Reading {
    fn root(&mut self, root: &Node) {
        let Shape::Object(members) = &root.shape else {
            return self.refuse(root, "the config file".to_owned(), "an object");
        };
        for member in members {
            let kind = Kind::ALL.into_iter().find(|kind| section(*kind) == member.key);
            match (kind, member.key.as_str()) {
                (Some(kind), _) => self.section(kind, &member.value),
                (None, "plugin_min_port") => self.file.ports.least = self.port(member),
                (None, "plugin_max_port") => self.file.ports.most = self.port(member),
                (None, comment) if comment.starts_with('_') => {}
                _ => self.problems.push(unknown_key(member)),
            }
        }
    }

    fn section(&mut self, kind: Kind, node: &Node) {
        let Shape::Object(members) = &node.shape else {
            return self.refuse(node, format!("`{}`", section(kind)), "an object");
        };
        for member in members {
            if !is_component_name(&member.key) {
                let what = format!("the name `{}`", member.key.escape_debug());
                self.problems.push(Problem::WrongShape {
                    at: member.key_span,
                    what,
                    expected: "lower-case letters, digits and inner hyphens",
                    found: "something else",
                });
            }
            if let Some(command) = self.command(&member.value) {
                self.file.plugins.push((kind, member.key.clone(), command));
            }
        }
    }

    /// A path, or a path and arguments.
    fn command(&mut self, node: &Node) -> Option<PluginCommand> {
        let words = match &node.shape {
            Shape::Text(path) => vec![path.clone()],
            Shape::List(elements) => elements.iter().map_while(text).collect(),
            _ => Vec::new(),
        };
        let whole = !matches!(&node.shape, Shape::List(elements) if elements.len() != words.len());
        let Some((program, arguments)) = words.split_first().filter(|_| whole) else {
            self.refuse(node, "a plugin".to_owned(), "a path or an array of a path and arguments");
            return None;
        };
        let program = PathBuf::from(program);
        if !program.is_absolute() {
            let found =
                if program.starts_with("~") { "`~`, which is not expanded" } else { "a relative path" };
            let what = "the path of a plugin".to_owned();
            self.problems.push(Problem::WrongShape { at: node.span, what, expected: "absolute", found });
            return None;
        }
        Some(PluginCommand { program, arguments: arguments.to_vec() })
    }

    fn port(&mut self, member: &Member) -> u16 {
        let port = match &member.value.shape {
            Shape::Number(number) => {
                number.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
            }
            _ => None,
        };
        port.unwrap_or_else(|| {
            self.refuse(&member.value, format!("`{}`", member.key), "a port number");
            1
        })
    }

    fn refuse(&mut self, node: &Node, what: String, expected: &'static str) {
        self.problems.push(Problem::WrongShape { at: node.span, what, expected, found: node.shape.noun() });
    }
}

fn text(node: &Node) -> Option<String> {
    match &node.shape {
        Shape::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn unknown_key(member: &Member) -> Problem {
    let mut known: Vec<_> = Kind::ALL.into_iter().map(section).collect();
    known.extend(["plugin_min_port", "plugin_max_port"]);
    Problem::UnknownKey {
        at: member.key_span,
        place: "the config file".to_owned(),
        key: member.key.clone(),
        near: spell::nearest(&member.key, known.iter().copied()),
        known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<ConfigFile, String> {
        parse(&Source::new("c", text)).map_err(|problems| {
            let shown = problems.iter().map(|problem| {
                let labels: Vec<_> = problem.labels().into_iter().map(|(_, label)| label).collect();
                format!("{problem} ({})", problem.hint().unwrap_or_else(|| labels.join(", ")))
            });
            shown.collect::<Vec<_>>().join("\n")
        })
    }

    #[test]
    fn paths_and_commands_are_read() {
        let file =
            check(r#"{"builders": {"a": "/b/a", "c": ["/usr/bin/env", "python3"]}, "plugin_min_port": 7}"#)
                .unwrap();
        assert_eq!(file.plugins[0], (Kind::Builder, "a".to_owned(), PluginCommand::new("/b/a".as_ref())));
        assert_eq!(file.plugins[1].2.arguments, ["python3"]);
        assert_eq!(file.ports, PortRange { least: 7, most: 25_000 });
    }

    #[test]
    fn everything_else_is_refused_with_a_reason() {
        let text = r#"{"bilders": {}, "builders": {"a": "b", "X": "/x", "c": [], "d": ["/d", 1], "e": "~/e"},
            "plugin_min_port": "1", "hooks": []}"#;
        insta::assert_snapshot!(check(text).unwrap_err(), @r"
        the config file has an unknown key `bilders` (did you mean `builders`?)
        the path of a plugin must be absolute (this is a relative path)
        the name `X` must be lower-case letters, digits and inner hyphens (this is something else)
        a plugin must be a path or an array of a path and arguments (this is an array)
        a plugin must be a path or an array of a path and arguments (this is an array)
        the path of a plugin must be absolute (this is `~`, which is not expanded)
        `plugin_min_port` must be a port number (this is a string)
        `hooks` must be an object (this is an array)
        ");
    }

    #[test]
    fn an_empty_range_of_ports_is_refused() {
        assert!(check(r#"{"plugin_min_port": 9, "plugin_max_port": 8}"#).is_err());
    }
}
