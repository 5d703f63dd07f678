//! What the user writes, and what it becomes when it is in order.
use std::path::{Path, PathBuf};

use packwire_plugin::{Context, Diagnostic};
use schemars::JsonSchema;
use serde::Deserialize;

/// Exactly one of `content` and `source` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [
    {"target": "out/note.txt", "content": "made by a plugin\n"},
    {"target": "/tmp/copy", "source": "original"},
]))]
pub(crate) struct Config {
    /// What the file contains.
    content: Option<String>,
    /// A file to copy, relative to the host's working directory.
    #[schemars(length(min = 1))]
    source: Option<String>,
    /// Where the file goes, relative to the host's working directory.
    #[schemars(length(min = 1))]
    target: String,
}

/// A file to be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) from: Origin,
    pub(crate) target: PathBuf,
    pub(crate) may_replace: bool,
    pub(crate) keep_on_error: bool,
}

/// Where the bytes come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Content(String),
    Source(PathBuf),
}

impl Order {
    pub(crate) fn of(config: Config, context: &Context) -> Result<Self, Vec<Diagnostic>> {
        let Config { content, source, target } = config;
        let below = |path: String| Path::new(&context.working_dir).join(path);
        let mut problems = Vec::new();
        for (key, path) in [("source", source.as_ref()), ("target", Some(&target))] {
            if path.is_some_and(|path| path.contains('\0')) {
                problems.push(Diagnostic::error("a path has no NUL").at(format!("/{key}")));
            }
        }
        let from = match (content, source) {
            (Some(content), None) => Some(Origin::Content(content)),
            (None, Some(source)) => Some(Origin::Source(below(source))),
            (Some(_), Some(_)) => {
                problems.push(Diagnostic::error("`content` and `source` exclude each other").at("/source"));
                None
            }
            (None, None) => {
                problems.push(Diagnostic::error("one of `content` and `source` is needed").at("/content"));
                None
            }
        };
        match from {
            Some(from) if problems.is_empty() => Ok(Self {
                from,
                target: below(target),
                may_replace: context.force,
                keep_on_error: context.on_error == packwire_plugin::OnError::Abort,
            }),
            _ => Err(problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(config: &str) -> Result<Order, Vec<(String, String)>> {
        let context = Context { working_dir: "/work".to_owned(), ..Context::default() };
        packwire_plugin::config::read(config)
            .and_then(|config| Order::of(config, &context))
            .map_err(|problems| problems.into_iter().map(|one| (one.path, one.summary)).collect())
    }

    fn problem(path: &str, summary: &str) -> (String, String) {
        (path.to_owned(), summary.to_owned())
    }

    #[test]
    fn relative_paths_start_at_the_hosts_directory() {
        let order = order(r#"{"source": "a", "target": "/b"}"#).unwrap();
        assert_eq!((order.from, order.target), (Origin::Source("/work/a".into()), "/b".into()));
    }

    #[test]
    fn exactly_one_origin_is_given() {
        let both = order(r#"{"content": "", "source": "a", "target": "b"}"#);
        assert_eq!(both, Err(vec![problem("/source", "`content` and `source` exclude each other")]));
        let none = order(r#"{"target": "b"}"#);
        assert_eq!(none, Err(vec![problem("/content", "one of `content` and `source` is needed")]));
    }

    #[test]
    fn a_path_is_checked_before_anything_runs() {
        let nul = order(r#"{"content": "", "target": "a\u0000"}"#);
        assert_eq!(nul, Err(vec![problem("/target", "a path has no NUL")]));
        assert!(order(r#"{"content": "", "target": ""}"#).is_err());
    }
}
