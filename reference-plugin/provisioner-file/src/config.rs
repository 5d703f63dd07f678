//! What the user writes, and what it becomes when it is in order.
use std::path::{Path, PathBuf};

use packwire_plugin::{Context, Diagnostic};
use schemars::JsonSchema;
use serde::Deserialize;

/// Exactly one of `source`, `sources` and `content` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [
    {"content": "made by a plugin\n", "destination": "/etc/motd"},
    {"source": "site/", "destination": "/var/www", "generated": true},
    {"sources": ["a.deb", "b.deb"], "destination": "/tmp/", "generated": true},
    {"source": "/var/log/build.log", "destination": "logs/", "direction": "download"},
]))]
pub(crate) struct Config {
    /// A file or directory to copy; on the host, relative to its working directory. Of a directory that ends with a
    /// slash, what is in it is copied; otherwise the directory itself.
    #[schemars(length(min = 1))]
    source: Option<String>,
    /// Several of them.
    #[schemars(length(min = 1))]
    sources: Option<Vec<String>>,
    /// What a file on the machine is to contain.
    content: Option<String>,
    /// Where it goes. With a slash at its end, or if there is one already, it is a directory to copy files into.
    #[schemars(length(min = 1))]
    destination: String,
    /// Whether it goes to the machine, or comes from there.
    #[serde(default)]
    direction: Direction,
    /// Whether sources on the host are made during the build, and so cannot be looked for before.
    #[serde(default)]
    generated: bool,
}

/// To the machine or from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Direction {
    #[default]
    Upload,
    Download,
}

/// What is to be copied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// A text into a file of the machine.
    Content { text: String, destination: String },
    /// From the host to the machine.
    Upload { sources: Vec<Local>, destination: String },
    /// From the machine to the host.
    Download { sources: Vec<String>, destination: Local },
}

/// A path on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Local {
    /// As the user wrote it.
    pub(crate) given: String,
    /// The same, absolute.
    pub(crate) path: PathBuf,
}

impl Plan {
    pub(crate) fn of(config: Config, context: &Context) -> Result<Self, Vec<Diagnostic>> {
        let Config { source, sources, content, destination, direction, generated } = config;
        let mut problems = Vec::new();
        check_one_source(&source, &sources, &content, &mut problems);
        let single = source.map(|source| ("/source".to_owned(), source));
        let several = sources.unwrap_or_default();
        let several = several.into_iter().enumerate().map(|(at, one)| (format!("/sources/{at}"), one));
        let sources: Vec<_> = single.into_iter().chain(several).collect();
        let texts = sources.iter().map(|(place, text)| (place.as_str(), check_source(text)));
        for (place, what) in texts.chain([("/destination", check_path(&destination))]) {
            problems.extend(what.map(|what| Diagnostic::error(what).at(place)));
        }
        if content.is_some() {
            problems.extend(check_content(&destination, direction));
        }
        let local = |given: String| {
            let path = Path::new(&context.working_dir).join(&given);
            Local { given, path }
        };
        if direction == Direction::Upload && !generated && problems.is_empty() {
            let there = |(place, source): &(String, String)| {
                Some(local(source.clone()).kind().err()?.at(place.clone()))
            };
            problems.extend(sources.iter().filter_map(there));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let sources = sources.into_iter().map(|(_, source)| source);
        Ok(match (content, direction) {
            (Some(text), _) => Self::Content { text, destination },
            (None, Direction::Upload) => Self::Upload { sources: sources.map(local).collect(), destination },
            (None, Direction::Download) => {
                Self::Download { sources: sources.collect(), destination: local(destination) }
            }
        })
    }
}

/// What a local source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
}

impl Local {
    /// What there is now. The error is for the person who wrote the template.
    pub(crate) fn kind(&self) -> Result<Kind, Diagnostic> {
        match self.path.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(Kind::File),
            Ok(metadata) if metadata.is_dir() => Ok(Kind::Directory),
            Ok(_) => {
                Err(Diagnostic::error(format!("{} is neither a file nor a directory", self.path.display())))
            }
            Err(error) => Err(Diagnostic::error(format!("{} cannot be read: {error}", self.path.display()))),
        }
    }
}

/// Whether a path says that it is a directory: of a source, what is in it is meant; of a destination, files go into it.
pub(crate) fn ends_with_slash(path: &str) -> bool {
    path.ends_with('/')
}

/// The last name of a path; `None` for one that is not plain, such as `..`.
pub(crate) fn last_name(path: &str) -> Option<&str> {
    let name = path.trim_end_matches('/').rsplit('/').next()?;
    (!matches!(name, "" | "." | "..")).then_some(name)
}

/// A name in a directory of the machine.
pub(crate) fn below(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

fn check_one_source(
    source: &Option<String>,
    sources: &Option<Vec<String>>,
    content: &Option<String>,
    problems: &mut Vec<Diagnostic>,
) {
    let given =
        [("source", source.is_some()), ("sources", sources.is_some()), ("content", content.is_some())];
    let given: Vec<_> = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect();
    match given[..] {
        [_] => {}
        [] => problems
            .push(Diagnostic::error("one of `source`, `sources` and `content` is needed").at("/source")),
        [first, .., last] => problems.push(
            Diagnostic::error(format!("`{first}` and `{last}` exclude each other")).at(format!("/{last}")),
        ),
    }
}

fn check_path(path: &str) -> Option<&'static str> {
    match path {
        "" => Some("a path is not empty"),
        _ if path.contains('\0') => Some("a path has no NUL"),
        _ => None,
    }
}

fn check_source(path: &str) -> Option<&'static str> {
    let nameless = !ends_with_slash(path) && last_name(path).is_none();
    check_path(path)
        .or_else(|| nameless.then_some("has no name of its own: end it with `/` to mean what is in it"))
}

fn check_content(destination: &str, direction: Direction) -> Option<Diagnostic> {
    if direction == Direction::Download {
        return Some(Diagnostic::error("`content` can only be uploaded").at("/direction"));
    }
    ends_with_slash(destination).then(|| {
        Diagnostic::error("`content` needs a file to go to, and this is a directory").at("/destination")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(config: &str, directory: &Path) -> Result<Plan, String> {
        let context = Context { working_dir: directory.display().to_string(), ..Context::default() };
        let read = packwire_plugin::config::read(config).and_then(|config| Plan::of(config, &context));
        read.map_err(|problems| {
            problems.iter().map(|one| format!("{}: {}", one.path, one.summary)).collect::<Vec<_>>().join("\n")
        })
    }

    #[test]
    fn every_problem_has_its_place() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), "").unwrap();
        let configs = [
            r#"{"destination": "x"}"#,
            r#"{"source": "file", "sources": ["file"], "destination": "x"}"#,
            r#"{"sources": ["file", "nothing", "file/"], "destination": "/x"}"#,
            r#"{"sources": [], "destination": "/x"}"#,
            r#"{"source": "..", "destination": "/x"}"#,
            r#"{"sources": ["a\u0000b", ""], "destination": "/x\u0000"}"#,
            r#"{"content": "", "destination": "x/"}"#,
            r#"{"content": "", "destination": "x", "direction": "download"}"#,
            r#"{"source": "file", "destination": "x", "direction": "up"}"#,
            r#"{"source": "/dev/null", "destination": "x"}"#,
        ];
        let told: Vec<_> = configs.map(|config| plan(config, directory.path()).unwrap_err()).to_vec();
        let told = told.join("\n").replace(&directory.path().display().to_string(), "DIR");
        insta::assert_snapshot!(told, @r#"
        /source: one of `source`, `sources` and `content` is needed
        /sources: `source` and `sources` exclude each other
        /sources/1: DIR/nothing cannot be read: No such file or directory (os error 2)
        /sources/2: DIR/file/ cannot be read: Not a directory (os error 20)
        /sources: value has less than 1 item
        /source: has no name of its own: end it with `/` to mean what is in it
        /sources/0: a path has no NUL
        /sources/1: a path is not empty
        /destination: a path has no NUL
        /destination: `content` needs a file to go to, and this is a directory
        /direction: `content` can only be uploaded
        /direction: must be one of "upload", "download"
        /source: /dev/null is neither a file nor a directory
        "#);
    }

    #[test]
    fn what_is_generated_is_not_looked_for_yet() {
        let here = Path::new("/work");
        let expected = Plan::Upload {
            sources: vec![Local { given: "later/".to_owned(), path: "/work/later/".into() }],
            destination: "/x".to_owned(),
        };
        let config = r#"{"source": "later/", "destination": "/x", "generated": true}"#;
        assert_eq!(plan(config, here), Ok(expected));
        assert!(plan(r#"{"source": "later", "destination": ".", "generated": true}"#, here).is_ok());
        let config = r#"{"sources": ["/var/log/x"], "destination": "out/", "direction": "download"}"#;
        let expected = Plan::Download {
            sources: vec!["/var/log/x".to_owned()],
            destination: Local { given: "out/".to_owned(), path: "/work/out/".into() },
        };
        assert_eq!(plan(config, here), Ok(expected));
    }

    #[test]
    fn last_names_are_plain() {
        assert_eq!(
            (last_name("/a/b"), last_name("b//"), last_name("a/.."), last_name("/")),
            (Some("b"), Some("b"), None, None)
        );
    }
}
