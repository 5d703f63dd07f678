//! `cargo demo`: a real template, built through plugin processes, and `conformance` on those plugins.

use std::path::{Path, PathBuf};

use miette::{Context as _, IntoDiagnostic as _};

use crate::process;

const TEMPLATE: &str = "examples/templates/demo.json";
const PLUGINS: [&str; 4] =
    ["packer-builder-file", "packer-builder-null", "packer-communicator-local", "packer-provisioner-shell"];

/// Builds what it needs, builds the template, shows the result, runs the suite on the plugins that built it.
pub(crate) fn run() -> miette::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().into_diagnostic()?;
    let programs = built(&root)?;
    let folder = tempfile::Builder::new().prefix("demo-").tempdir().into_diagnostic()?;
    let template = root.join(TEMPLATE).display().to_string();
    tell(&format!("{TEMPLATE}: two builds, side by side"));
    process::shown(&programs.join("packwire"), &["build", &template], folder.path())?;
    tell("what they made");
    for file in ["greeting.txt", "from-a-machine.txt"] {
        let text = std::fs::read_to_string(folder.path().join(file))
            .into_diagnostic()
            .wrap_err_with(|| format!("the build made no {file}"))?;
        println!("{file}: {}", text.trim_end());
    }
    for plugin in PLUGINS {
        tell(&format!("conformance {plugin}"));
        process::shown(&programs.join("conformance"), &[&programs.join(plugin)], folder.path())?;
    }
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
