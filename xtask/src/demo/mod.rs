//! `cargo demo`: a real template, built through plugin processes, and `conformance` on one of those plugins.

mod page;

use std::path::{Path, PathBuf};

use miette::{Context as _, IntoDiagnostic as _};

use crate::process;
use page::Page;

const TEMPLATE: &str = "examples/templates/demo.json";
/// What the template looks up.
const RELEASE: &str = r#"{"name": "Demo", "version": "1.0"}"#;
const PLUGINS: [&str; 9] = [
    "packer-data-source-http",
    "packer-builder-rootfs",
    "packer-provisioner-file",
    "packer-provisioner-shell",
    "packer-provisioner-shell-local",
    "packer-post-processor-checksum",
    "packer-post-processor-compress",
    "packer-post-processor-manifest",
    "packer-hook-timings",
];
/// What the template makes that can be read.
const TEXTS: [&str; 2] = ["system.sha256", "manifest.json"];

/// Builds what it needs, builds the template, shows the result, runs the suite on the builder.
pub(crate) fn run() -> miette::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().into_diagnostic()?;
    let programs = built(&root)?;
    let folder = tempfile::Builder::new().prefix("demo-").tempdir().into_diagnostic()?;
    let page = Page::put_up(RELEASE).into_diagnostic().wrap_err("no page can be served on 127.0.0.1")?;
    let (template, url) = (root.join(TEMPLATE).display().to_string(), page.url());
    tell(&format!("{TEMPLATE}: a root filesystem, made of what a web server and this machine have"));
    let release = format!("release_url={url}");
    process::shown(&programs.join("packwire"), &["build", "-var", &release, &template], folder.path())?;
    tell("what it made");
    for file in TEXTS {
        let text = std::fs::read_to_string(folder.path().join(file))
            .into_diagnostic()
            .wrap_err_with(|| format!("the build made no {file}"))?;
        println!("{file}:\n{}", text.trim_end());
    }
    tell("conformance packer-builder-rootfs");
    let builder = programs.join("packer-builder-rootfs");
    process::shown(&programs.join("conformance"), &[&builder], folder.path())?;
    Ok(())
}

fn tell(what: &str) {
    println!("\n-- {what}\n");
}

/// Builds the programs, and says in which directory cargo put them.
fn built(root: &Path) -> miette::Result<PathBuf> {
    let mut arguments = vec!["build", "--package", "packwire-host", "--package", "packwire-conformance"];
    arguments.extend(PLUGINS.iter().flat_map(|plugin| ["--package", plugin]));
    process::shown(Path::new("cargo"), &arguments, root)?;
    let demo = std::env::current_exe().into_diagnostic()?;
    Ok(demo.parent().unwrap_or(root).to_owned())
}
