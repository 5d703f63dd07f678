//! What the user writes, and what it becomes when it is in order.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use packwire_plugin::{Context, Diagnostic, OnError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::oci::Image;

/// What the shell is called where nobody says.
const SHELL: &str = "/bin/sh";

/// A root filesystem to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [
    {"source": "alpine-minirootfs.tar.gz", "output": "out/system.tar.zst"},
    {"source": "tree", "output": "out/image", "format": "oci",
     "image": {"tag": "1.0", "cmd": ["/bin/sh"], "labels": {"org.opencontainers.image.title": "system"}}},
    {"output": "/tmp/empty.tar", "isolation": "directory"},
]))]
pub(crate) struct Config {
    /// What the tree begins with: a directory, or an archive that ends in `.tar`, `.tar.gz`, `.tgz`, `.tar.xz`,
    /// `.txz`, `.tar.zst` or `.tzst`. Missing: an empty directory.
    #[schemars(length(min = 1))]
    source: Option<String>,
    /// The file, or for `oci` the directory, that is made.
    #[schemars(length(min = 1))]
    output: String,
    /// What is made. Missing: what the name of `output` ends in, `.tar` or `.tar.zst`, and `oci` for all others.
    format: Option<Format>,
    /// Where commands run.
    #[serde(default)]
    isolation: Isolation,
    /// Directories and files of the host that commands see in the tree, and that are never in the output. They
    /// need namespaces.
    #[serde(default)]
    mounts: Vec<Mount>,
    /// Whether commands see `/proc`, a small `/dev`, and a `/tmp` if the tree has none, where there are namespaces.
    #[serde(default = "yes")]
    system_mounts: bool,
    /// Whether commands see the host's `/etc/resolv.conf`, where there are namespaces.
    #[serde(default = "yes")]
    resolv_conf: bool,
    /// The program in the tree that commands are given to, after `-c`.
    #[schemars(length(min = 1))]
    shell: Option<String>,
    /// Environment of the commands of this build, which goes into no image. The values are masked.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    build_env: BTreeMap<String, String>,
    /// What an OCI image says of itself; only with the format `oci`.
    image: Option<Image>,
    /// No file in the output is newer than this, in seconds since 1970. Missing: `SOURCE_DATE_EPOCH` of the
    /// environment, and without that each file has its own time.
    source_date_epoch: Option<u64>,
}

fn yes() -> bool {
    true
}

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Format {
    /// A tar file.
    #[serde(rename = "tar")]
    Tar,
    /// A tar file, compressed with Zstandard.
    #[serde(rename = "tar.zst")]
    TarZst,
    /// A directory in the OCI image layout, with one layer.
    #[serde(rename = "oci")]
    Oci,
}

/// Where commands run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Isolation {
    /// In namespaces where the kernel allows them, else in a chroot where the user is root, else beside the tree.
    /// Where neither the tree nor the mounts have a shell, commands run beside the tree.
    #[default]
    Auto,
    /// In the tree, with processes and mounts of their own; with a user namespace where the user is not root.
    Namespaces,
    /// In the tree, without processes and mounts of their own. Only for root.
    Chroot,
    /// On the host, with the host's shell. They start in the tree's directory, which `ROOTFS` names.
    Directory,
}

impl Config {
    /// A shell of the tree, where commands run with the host's.
    pub(crate) fn needless(&self) -> Option<Diagnostic> {
        let told = "has no effect: with the isolation `directory` commands run with the host's shell";
        let beside = self.isolation == Isolation::Directory && self.shell.is_some();
        beside.then(|| Diagnostic::warning(told).at("/shell"))
    }
}

/// A directory or file of the host that commands see.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Mount {
    /// The directory or file, relative to the host's working directory.
    #[schemars(length(min = 1))]
    source: String,
    /// Where it is seen in the tree, absolute. It is made where it is missing, and is not in the output then.
    #[schemars(regex(pattern = r"^/."))]
    target: String,
    /// Whether it cannot be changed from there.
    #[serde(default)]
    read_only: bool,
    /// Whether it is left out where the host has none, as `/lib64` on some machines.
    #[serde(default)]
    optional: bool,
}

/// The same, with the path resolved.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Deserialize)]
pub(crate) struct Bound {
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) read_only: bool,
    pub(crate) optional: bool,
}

/// A root filesystem to be made, in order.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) source: Option<PathBuf>,
    pub(crate) output: PathBuf,
    pub(crate) format: Format,
    pub(crate) isolation: Isolation,
    pub(crate) mounts: Vec<Bound>,
    pub(crate) system_mounts: bool,
    pub(crate) resolv_conf: bool,
    pub(crate) shell: String,
    pub(crate) build_env: BTreeMap<String, String>,
    pub(crate) image: Image,
    pub(crate) newest: Option<u64>,
    pub(crate) may_replace: bool,
    pub(crate) keep_on_error: bool,
}

impl Order {
    pub(crate) fn of(config: Config, context: &Context) -> Result<Self, Vec<Diagnostic>> {
        let problems = problems(&config);
        if !problems.is_empty() {
            return Err(problems);
        }
        let below = |path: &str| Path::new(&context.working_dir).join(path);
        let Config { source, output, format, isolation, mounts, system_mounts, resolv_conf, .. } = config;
        let bound = |Mount { source, target, read_only, optional }| Bound {
            source: below(&source),
            target: target.into(),
            read_only,
            optional,
        };
        let output = below(&output);
        Ok(Self {
            source: source.map(|source| below(&source)),
            format: format.unwrap_or_else(|| Format::of(&output)),
            output,
            isolation,
            mounts: mounts.into_iter().map(bound).collect(),
            system_mounts,
            resolv_conf,
            shell: config.shell.unwrap_or_else(|| SHELL.to_owned()),
            build_env: config.build_env,
            image: config.image.unwrap_or_default(),
            newest: config.source_date_epoch.or_else(epoch_of_environment),
            may_replace: context.force,
            keep_on_error: context.on_error == OnError::Abort,
        })
    }
}

impl Format {
    /// The format that a name says.
    fn of(output: &Path) -> Self {
        let name = output.to_string_lossy();
        match () {
            () if name.ends_with(".tar") => Self::Tar,
            () if name.ends_with(".tar.zst") || name.ends_with(".tzst") => Self::TarZst,
            () => Self::Oci,
        }
    }
}

/// By the convention of reproducible-builds.org; what is no number there counts as nothing.
fn epoch_of_environment() -> Option<u64> {
    std::env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()
}

/// What a type cannot say.
fn problems(config: &Config) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let paths = [
        ("source", config.source.as_ref()),
        ("output", Some(&config.output)),
        ("shell", config.shell.as_ref()),
    ];
    for (key, path) in paths {
        if path.is_some_and(|path| path.contains('\0')) {
            problems.push(Diagnostic::error("a path has no NUL").at(format!("/{key}")));
        }
    }
    for (at, Mount { source, target, .. }) in config.mounts.iter().enumerate() {
        if source.contains('\0') || target.contains('\0') {
            problems.push(Diagnostic::error("a path has no NUL").at(format!("/mounts/{at}")));
        }
    }
    if !config.mounts.is_empty() && matches!(config.isolation, Isolation::Chroot | Isolation::Directory) {
        let needless = "mounts need namespaces: the isolation `namespaces`, or `auto`";
        problems.push(Diagnostic::error(needless).at("/mounts"));
    }
    let format = config.format.unwrap_or_else(|| Format::of(Path::new(&config.output)));
    if config.image.is_some() && format != Format::Oci {
        problems.push(Diagnostic::error("a tar file says nothing of an image").at("/image"));
    }
    problems.extend(misnamed(&config.build_env, "/build_env"));
    if let Some(image) = &config.image {
        problems.extend(misnamed(&image.env, "/image/env"));
    }
    problems
}

/// Names and values that no environment can have.
fn misnamed<'a>(env: &'a BTreeMap<String, String>, place: &'a str) -> impl Iterator<Item = Diagnostic> + 'a {
    let wrong = |(name, value): &(&String, &String)| {
        name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
    };
    let told = move |_| Diagnostic::error("an environment has no such name or value").at(place);
    env.iter().filter(wrong).map(told)
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

    fn refused(config: &str) -> Vec<(String, String)> {
        order(config).unwrap_err()
    }

    #[test]
    fn the_name_of_the_output_says_the_format() {
        for (name, format) in [
            ("a.tar", Format::Tar),
            ("a.tar.zst", Format::TarZst),
            ("a.tzst", Format::TarZst),
            ("a", Format::Oci),
            ("a.tar.d", Format::Oci),
        ] {
            assert_eq!(order(&format!(r#"{{"output": "{name}"}}"#)).unwrap().format, format, "{name}");
        }
        let other = order(r#"{"output": "a.tar", "format": "oci"}"#).unwrap();
        assert_eq!((other.format, other.output), (Format::Oci, "/work/a.tar".into()));
    }

    #[test]
    fn mounts_need_namespaces() {
        let mounts = r#""mounts": [{"source": "a", "target": "/b"}]"#;
        for isolation in ["directory", "chroot"] {
            let told = refused(&format!(r#"{{"output": "o", "isolation": "{isolation}", {mounts}}}"#));
            assert_eq!(told[0].0, "/mounts");
        }
        let bound =
            Bound { source: "/work/a".into(), target: "/b".into(), read_only: false, optional: false };
        assert_eq!(order(&format!(r#"{{"output": "o", {mounts}}}"#)).unwrap().mounts, [bound]);
        let relative = r#"{"output": "o", "mounts": [{"source": "a", "target": "b"}]}"#;
        assert_eq!(refused(relative)[0].0, "/mounts/0/target");
    }

    #[test]
    fn a_shell_without_an_effect_is_told() {
        let needless = |config| packwire_plugin::config::read::<Config>(config).unwrap().needless();
        let told = needless(r#"{"output": "o", "isolation": "directory", "shell": "/bin/bash"}"#).unwrap();
        assert_eq!((told.path.as_str(), told.is_error()), ("/shell", false));
        assert_eq!(needless(r#"{"output": "o", "shell": "/bin/bash"}"#), None);
        assert_eq!(needless(r#"{"output": "o", "isolation": "directory"}"#), None);
    }

    #[test]
    fn a_tar_file_has_no_image() {
        assert_eq!(refused(r#"{"output": "o.tar", "image": {}}"#)[0].0, "/image");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let told = refused(
            r#"{"output": "o\u0000", "shell": "\u0000", "build_env": {"A=B": ""}, "image": {"env": {"": ""}}}"#,
        );
        let places: Vec<_> = told.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, ["/output", "/shell", "/build_env", "/image/env"]);
    }
}
