//! What the user writes, and what it becomes when it is in order.
use std::path::{Path, PathBuf};

use packwire_plugin::{Context, Diagnostic, dots::Dots};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::format::{Container, Format};

const DEFAULT_OUTPUT: &str = "packer_{{.BuildName}}_{{.BuilderType}}.tar.gz";

/// What is made of the files, and where it goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [
    {"output": "out/{{.BuildName}}.tar.gz"},
    {"output": "disk.raw.xz", "compression_level": 9},
    {"output": "out/disk.box", "format": "zip"},
]))]
pub(crate) struct Config {
    /// The file to make, relative to the host's working directory. `{{ .BuildName }}` and `{{ .BuilderType }}` may stand
    /// in it. Its name says the format: .tar.gz, .tar.xz, .tar.zst, .tar and .zip for any number of files, .gz, .xz and
    /// .zst for one.
    #[serde(default = "default_output")]
    #[schemars(length(min = 1))]
    output: String,
    /// The format, whatever the name says.
    format: Option<Format>,
    /// From 1, fast, to 9, small; 0 and -1 for what is usual. For gzip, xz and zip.
    #[schemars(range(min = -1, max = 9))]
    compression_level: Option<i8>,
}

fn default_output() -> String {
    DEFAULT_OUTPUT.to_owned()
}

impl Config {
    /// A level that is the usual one, of a format that has none.
    pub(crate) fn needless(&self) -> Option<Diagnostic> {
        let format = self.format.map_or_else(|| Format::by_name(&self.output), Ok).ok()?;
        let has_levels = format.at(Some(1)).is_ok();
        let told =
            || Diagnostic::warning("has no effect: this format has no levels here").at("/compression_level");
        (self.compression_level.is_some() && !has_levels).then(told)
    }
}

/// A file to be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) output: PathBuf,
    pub(crate) container: Container,
    pub(crate) working_dir: PathBuf,
}

impl Order {
    pub(crate) fn of(config: Config, context: &Context) -> Result<Self, Vec<Diagnostic>> {
        let Config { output, format, compression_level } = config;
        let wrong = |what: String| vec![Diagnostic::error(what).at("/output")];
        let output = Dots::parse_path(&output, ["BuildName", "BuilderType"]).map_err(wrong)?;
        let output = output.fill([&context.build_name, &context.builder_type]);
        let format = format.map_or_else(|| Format::by_name(&output), Ok).map_err(wrong)?;
        let level = compression_level.and_then(|level| u32::try_from(level).ok()).filter(|level| *level > 0);
        let container = format.at(level);
        let container = container.map_err(|what| vec![Diagnostic::error(what).at("/compression_level")])?;
        let working_dir = Path::new(&context.working_dir);
        Ok(Self { output: working_dir.join(output), container, working_dir: working_dir.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Compression;

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
    fn a_gzipped_tar_named_after_the_build_is_made_where_nothing_is_said() {
        let order = order("{}").unwrap();
        assert_eq!(order.output, Path::new("/work/packer_disk_file.tar.gz"));
        assert_eq!(order.container, Container::Tar(Compression::Gzip(None)));
    }

    #[test]
    fn a_format_and_a_level_can_be_said() {
        let order = |config| order(config).unwrap().container;
        let zip = order(r#"{"output": "{{ .BuildName }}.gz", "format": "zip", "compression_level": 3}"#);
        assert_eq!(zip, Container::Zip(Some(3)));
        let usual = order(r#"{"output": "a.xz", "compression_level": -1}"#);
        assert_eq!(usual, Container::Single(Compression::Xz(None)));
        assert_eq!(
            order(r#"{"output": "a.zst", "compression_level": 0}"#),
            Container::Single(Compression::Zstd)
        );
    }

    #[test]
    fn a_level_without_an_effect_is_told() {
        let needless = |config| packwire_plugin::config::read::<Config>(config).unwrap().needless();
        let told = needless(r#"{"output": "a.tar.zst", "compression_level": 0}"#).unwrap();
        assert_eq!((told.path.as_str(), told.is_error()), ("/compression_level", false));
        assert_eq!(needless(r#"{"output": "a.tar.gz", "compression_level": 0}"#), None);
        assert_eq!(needless(r#"{"output": "a.tar.zst"}"#), None);
    }

    #[test]
    fn what_is_wrong_is_found_before_anything_runs() {
        let told = [
            r#"{"output": "a.lz4"}"#,
            r#"{"output": "{{.Provider}}.gz"}"#,
            r#"{"output": "a\u0000"}"#,
            r#"{"format": "rar"}"#,
            r#"{"compression_level": 10}"#,
            r#"{"output": "a.tar.zst", "compression_level": 9}"#,
        ];
        insta::assert_snapshot!(told.map(|config| order(config).unwrap_err()).join("\n"), @r#"
        /output: `.lz4` cannot be made: use .tar.gz, .tar.xz, .tar.zst, .tar, .zip, .gz, .xz or .zst
        /output: `{{ .Provider }}` means nothing here: `{{ .BuildName }}` and `{{ .BuilderType }}` do
        /output: a path has no NUL
        /format: must be one of "tar", "tar.gz", "tar.xz", "tar.zst", "zip", "gz", "xz", "zst"
        /compression_level: value is greater than the maximum of 9
        /compression_level: this format has no levels here: gzip, xz and zip have
        "#);
    }
}
