//! What the user writes, and what it becomes when it is in order.
use std::path::{Path, PathBuf};

use packwire_plugin::{Context, Diagnostic, dots::Dots};
use schemars::JsonSchema;
use serde::Deserialize;

const DEFAULT_OUTPUT: &str = "packer_{{.BuildName}}_{{.BuilderType}}_{{.ChecksumType}}.checksum";

/// Which checksums are made, and where they go. The artifact has the files of the input beside the outputs: all of them
/// go when it is destroyed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [
    {"checksum_types": ["sha256"]},
    {"checksum_types": ["sha1", "sha512"], "output": "out/{{.BuildName}}.{{.ChecksumType}}"},
]))]
pub(crate) struct Config {
    /// The kinds of checksum.
    #[serde(default = "default_types")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    checksum_types: Vec<ChecksumType>,
    /// Where the checksums go, relative to the host's working directory. `{{ .BuildName }}`, `{{ .BuilderType }}` and
    /// `{{ .ChecksumType }}` may stand in it.
    #[serde(default = "default_output")]
    #[schemars(length(min = 1))]
    output: String,
}

/// A kind of checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChecksumType {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl ChecksumType {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

fn default_types() -> Vec<ChecksumType> {
    vec![ChecksumType::Md5]
}

fn default_output() -> String {
    DEFAULT_OUTPUT.to_owned()
}

/// Checksums to be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) types: Vec<ChecksumType>,
    /// Where those of each type go, in the order of the types; several may go to one place.
    pub(crate) outputs: Vec<PathBuf>,
    pub(crate) working_dir: PathBuf,
}

impl Order {
    pub(crate) fn of(config: Config, context: &Context) -> Result<Self, Vec<Diagnostic>> {
        let Config { checksum_types: types, output } = config;
        let wrong = |what: String| vec![Diagnostic::error(what).at("/output")];
        let output =
            Dots::parse_path(&output, ["BuildName", "BuilderType", "ChecksumType"]).map_err(wrong)?;
        let working_dir = Path::new(&context.working_dir);
        let outputs = types.iter().map(|one| {
            working_dir.join(output.fill([&context.build_name, &context.builder_type, one.name()]))
        });
        Ok(Self { outputs: outputs.collect(), types, working_dir: working_dir.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(config: &str) -> Result<Order, String> {
        let context = Context {
            build_name: "disk".into(),
            builder_type: "file".into(),
            working_dir: "/work".into(),
            ..Context::default()
        };
        let read = packwire_plugin::config::read(config).and_then(|config| Order::of(config, &context));
        read.map_err(|problems| format!("{}: {}", problems[0].path, problems[0].summary))
    }

    #[test]
    fn md5_in_a_file_named_after_the_build_is_made_where_nothing_is_said() {
        let order = order("{}").unwrap();
        assert_eq!(order.types, [ChecksumType::Md5]);
        assert_eq!(order.outputs, [Path::new("/work/packer_disk_file_md5.checksum")]);
    }

    #[test]
    fn every_type_has_its_output() {
        let config =
            r#"{"checksum_types": ["sha1", "sha512"], "output": "/sums/{{ .ChecksumType }}/{{.BuildName}}"}"#;
        assert_eq!(order(config).unwrap().outputs, ["/sums/sha1/disk", "/sums/sha512/disk"].map(Path::new));
    }

    #[test]
    fn what_is_wrong_is_found_before_anything_runs() {
        let told = [
            r#"{"checksum_types": ["sha3"]}"#,
            r#"{"checksum_types": []}"#,
            r#"{"checksum_types": ["md5", "md5"]}"#,
            r#"{"output": "{{.Type}}"}"#,
            r#"{"output": "a\u0000"}"#,
        ];
        insta::assert_snapshot!(told.map(|config| order(config).unwrap_err()).join("\n"), @r#"
        /checksum_types/0: must be one of "md5", "sha1", "sha224", "sha256", "sha384", "sha512"
        /checksum_types: value has less than 1 item
        /checksum_types: value has non-unique elements
        /output: `{{ .Type }}` means nothing here: `{{ .BuildName }}`, `{{ .BuilderType }}` and `{{ .ChecksumType }}` do
        /output: a path has no NUL
        "#);
    }
}
