//! A plugin that does something else before it is the green one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::programs::faulty;
use crate::support::{Said, on};

/// A plugin that is a script around `faulty green`; `$count` is how often it was started, and `$0.d` its directory.
pub(crate) fn wrapped(directory: &Path, before: &str) -> std::path::PathBuf {
    let path = directory.join("packer-builder-wrapped");
    let text = format!(
        "#!/bin/sh\nmkdir -p \"$0.d\"; : > \"$0.d/$$\"; count=$(ls \"$0.d\" | wc -l)\n{before}\nexec {} green\n",
        faulty().display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The suite on it.
pub(crate) fn try_on(plugin: &Path, options: &[&str]) -> Said {
    on(options, &[plugin.as_os_str()])
}

/// The ids of what was not skipped, each with its status.
pub(crate) fn statuses(report: &Value) -> Vec<String> {
    let results = report["results"].as_array().unwrap().iter();
    let told = results.map(|result| format!("{} {}", result["id"], result["status"]).replace('"', ""));
    told.filter(|line| !line.ends_with("skipped")).collect()
}
