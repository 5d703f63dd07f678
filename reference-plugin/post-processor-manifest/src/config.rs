//! What the user writes, and what it becomes when it is in order.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use packwire_plugin::{Context, Diagnostic, dots::Dots};
use schemars::JsonSchema;
use serde::Deserialize;

const DEFAULT_OUTPUT: &str = "packer-manifest.json";

/// What is listed, and where.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [
    {},
    {"output": "out/manifest.json", "strip_path": true, "custom_data": {"stage": "test"}},
]))]
pub(crate) struct Config {
    /// The list, relative to the host's working directory. `{{ .BuildName }}` and `{{ .BuilderType }}` may stand in it.
    #[serde(default = "default_output")]
    #[schemars(length(min = 1))]
    output: String,
    /// Whether files are listed by their names without directories.
    #[serde(default)]
    strip_path: bool,
    /// Whether the time of the build is left out.
    #[serde(default)]
    strip_time: bool,
    /// Texts to be listed with the build.
    custom_data: Option<BTreeMap<String, String>>,
}

fn default_output() -> String {
    DEFAULT_OUTPUT.to_owned()
}

/// A build to be listed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) output: PathBuf,
    pub(crate) strip_path: bool,
    pub(crate) strip_time: bool,
    pub(crate) custom_data: Option<BTreeMap<String, String>>,
    pub(crate) context: Context,
}

impl Order {
    pub(crate) fn of(config: Config, context: &Context) -> Result<Self, Vec<Diagnostic>> {
        let Config { output, strip_path, strip_time, custom_data } = config;
        let wrong = |what: String| vec![Diagnostic::error(what).at("/output")];
        let output = Dots::parse_path(&output, ["BuildName", "BuilderType"]).map_err(wrong)?;
        let output = output.fill([&context.build_name, &context.builder_type]);
        let output = Path::new(&context.working_dir).join(output);
        Ok(Self { output, strip_path, strip_time, custom_data, context: context.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(config: &str) -> Result<Order, String> {
        let context =
            Context { build_name: "disk".into(), working_dir: "/work".into(), ..Context::default() };
        let read = packwire_plugin::config::read(config).and_then(|config| Order::of(config, &context));
        read.map_err(|problems| format!("{}: {}", problems[0].path, problems[0].summary))
    }

    #[test]
    fn the_list_has_a_place_where_nothing_is_said() {
        assert_eq!(order("{}").unwrap().output, Path::new("/work/packer-manifest.json"));
        let own = order(r#"{"output": "/lists/{{ .BuildName }}.json"}"#).unwrap();
        assert_eq!(own.output, Path::new("/lists/disk.json"));
    }

    #[test]
    fn what_is_wrong_is_found_before_anything_runs() {
        let told = [
            r#"{"output": "{{.Name}}"}"#,
            r#"{"output": "a\u0000"}"#,
            r#"{"output": ""}"#,
            r#"{"custom_data": {"a": 1}}"#,
            r#"{"strip_paths": true}"#,
        ];
        insta::assert_snapshot!(told.map(|config| order(config).unwrap_err()).join("\n"), @"
        /output: `{{ .Name }}` means nothing here: `{{ .BuildName }}` and `{{ .BuilderType }}` do
        /output: a path has no NUL
        /output: value is shorter than 1 character
        /custom_data/a: must be a string, not a number
        /strip_paths: there is no option `strip_paths`; did you mean `strip_path`?
        ");
    }
}
