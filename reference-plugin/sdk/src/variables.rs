//! The variables of scripts, as the options `environment_vars`, `env` and `env_var_format` give them, and how they are
//! written down for a shell.
use std::collections::BTreeMap;

use packwire_wire::{Context, Diagnostic};

/// Before a command.
pub const LINE_FORMAT: &str = "%s='%s' ";
/// In a file that a shell reads.
pub const FILE_FORMAT: &str = "export %s='%s'\n";
/// What the builder says of its server of files, and the variables that scripts know it by.
const HTTP: [(&str, &str); 3] = [
    ("PackerHTTPAddr", "PACKER_HTTP_ADDR"),
    ("PackerHTTPIP", "PACKER_HTTP_IP"),
    ("PackerHTTPPort", "PACKER_HTTP_PORT"),
];

/// What the user wrote of variables.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Each `NAME=value`.
    pub environment_vars: &'a [String],
    /// By their names.
    pub env: &'a BTreeMap<String, String>,
    /// How each is written for a shell.
    pub env_var_format: &'a str,
}

/// Variables that are in order, beside them `PACKER_BUILD_NAME` and `PACKER_BUILDER_TYPE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variables {
    all: Vec<(String, String)>,
    format: Format,
}

impl Variables {
    /// Reads the options; `None` after a problem, which has its place and never a value.
    pub fn of(options: Options<'_>, context: &Context, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let Options { environment_vars, env, env_var_format } = options;
        let before = problems.len();
        let own =
            [("PACKER_BUILD_NAME", &context.build_name), ("PACKER_BUILDER_TYPE", &context.builder_type)];
        let mut all: Vec<_> = own.map(|(name, value)| (name.to_owned(), value.clone())).into();
        for (at, one) in environment_vars.iter().enumerate() {
            match parse(one) {
                Ok(parsed) => all.push(parsed),
                Err(problem) => problems.push(problem.at(format!("/environment_vars/{at}"))),
            }
        }
        for (name, value) in env {
            if !is_name(name) {
                problems.push(Diagnostic::error("has a name that no shell takes").at("/env"));
            }
            if value.contains('\0') {
                problems.push(Diagnostic::error("has a value with a NUL").at("/env"));
            }
            all.push((name.clone(), value.clone()));
        }
        let format = Format::parse(env_var_format);
        problems.extend(format.as_ref().err().map(|what| Diagnostic::error(*what).at("/env_var_format")));
        format.ok().filter(|_| problems.len() == before).map(|format| Self { all, format })
    }

    /// All of them, with those of the builder's server of files, which its generated data name.
    pub fn pairs(&self, generated_data: &str) -> Vec<(String, String)> {
        let mut all = http(generated_data);
        all.extend(self.all.iter().cloned());
        all
    }

    /// The same as text for a shell.
    pub fn text(&self, generated_data: &str) -> String {
        self.pairs(generated_data).iter().map(|(name, value)| self.format.fill(name, value)).collect()
    }
}

/// The variables that the builder's data have for scripts.
fn http(generated_data: &str) -> Vec<(String, String)> {
    let data: serde_json::Value = serde_json::from_str(generated_data).unwrap_or_default();
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let given = HTTP.iter().filter_map(|(key, name)| Some(((*name).to_owned(), text(data.get(*key)?)?)));
    given.filter(|(_, value)| !value.is_empty()).collect()
}

/// How one variable is written: text before the name, between name and value, and after the value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Format([String; 3]);

impl Format {
    /// Reads it; the error says what is wrong.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = vec![String::new()];
        let mut rest = text.chars();
        while let Some(one) = rest.next() {
            let last = parts.last_mut().ok_or("is empty")?;
            match (one, one == '%') {
                (other, false) => last.push(other),
                (_, true) => match rest.next() {
                    Some('%') => last.push('%'),
                    Some('s') => parts.push(String::new()),
                    _ => return Err("`%` is followed by `s` or `%`"),
                },
            }
        }
        <[String; 3]>::try_from(parts).map(Self).map_err(|_| "has two `%s`: for the name, and for the value")
    }

    fn fill(&self, name: &str, value: &str) -> String {
        let [before, between, after] = &self.0;
        format!("{before}{name}{between}{}{after}", value.replace('\'', r"'\''"))
    }
}

/// One `NAME=value`; the error never has the value.
fn parse(one: &str) -> Result<(String, String), Diagnostic> {
    let wrong = || Diagnostic::error("is not `NAME=value`, with a name that a shell takes");
    let (name, value) = one.split_once('=').ok_or_else(wrong)?;
    if is_name(name) && !value.contains('\0') {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        Err(wrong())
    }
}

/// Whether a shell takes this as the name of a variable.
fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte == b'_' || byte.is_ascii_alphabetic();
    name.bytes().next().is_some_and(letter) && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(format: &str, generated_data: &str) -> String {
        let all = vec![("A".to_owned(), "it's".to_owned()), ("B".to_owned(), "100%".to_owned())];
        Variables { all, format: Format::parse(format).unwrap() }.text(generated_data)
    }

    #[test]
    fn variables_are_written_as_the_format_says() {
        assert_eq!(text(LINE_FORMAT, "{}"), r"A='it'\''s' B='100%' ");
        assert_eq!(text(FILE_FORMAT, "{}"), "export A='it'\\''s'\nexport B='100%'\n");
        assert_eq!(text("%%%s:%s;", ""), r"%A:it'\''s;%B:100%;");
    }

    #[test]
    fn the_builders_server_is_known_to_scripts() {
        let data =
            r#"{"PackerHTTPAddr": "10.0.2.2:8123", "PackerHTTPIP": "", "PackerHTTPPort": 8123, "Host": "h"}"#;
        assert!(
            text(LINE_FORMAT, data)
                .starts_with("PACKER_HTTP_ADDR='10.0.2.2:8123' PACKER_HTTP_PORT='8123' A=")
        );
    }

    #[test]
    fn a_format_has_two_places() {
        for wrong in ["", "%s", "%s%s%s", "%d=%s", "%s=%s%"] {
            assert!(Format::parse(wrong).is_err(), "{wrong}");
        }
    }
}
