//! From the machine to the host.
use std::path::{Path, PathBuf};

use packwire_plugin::{ProvisionRun, Stop, machine};

use crate::{
    config::{Kind, Local, ends_with_slash, last_name},
    copy::{is_directory, named},
};

/// Copies each source to where it goes.
pub(crate) async fn all(run: &ProvisionRun, sources: &[String], destination: &Local) -> Result<(), Stop> {
    let into = ends_with_slash(&destination.given) || destination.path.is_dir();
    for source in sources {
        let kind = match ends_with_slash(source) || is_directory(run, source).await? {
            true => Kind::Directory,
            false => Kind::File,
        };
        let name = last_name(source).unwrap_or_default();
        let target = match kind {
            Kind::Directory if ends_with_slash(source) => destination.path.clone(),
            Kind::Directory => destination.path.join(name),
            Kind::File if into => destination.path.join(name),
            Kind::File if sources.len() > 1 => {
                let why = "is no directory, and several sources need one: end `destination` with `/`";
                return Err(Stop::failed(format!("{} {why}", destination.given)));
            }
            Kind::File => destination.path.clone(),
        };
        run.ui.say(format!("Downloading {source} to {}", target.display())).await?;
        let copied = download(run, source, kind, &target).await;
        named(copied, &format!("{source} could not be downloaded to {}", target.display()))?;
    }
    Ok(())
}

async fn download(run: &ProvisionRun, source: &str, kind: Kind, target: &Path) -> Result<(), Stop> {
    let made = Made::above(target)?;
    let (machine, cancellation) = (run.machine()?, &run.cancellation);
    match kind {
        Kind::File => machine::download_file(machine, source, target, cancellation).await?,
        Kind::Directory => machine::download_tree(machine, source, target, cancellation).await?,
    }
    made.keep();
    Ok(())
}

/// Directories made for a download. Dropped before it is done, they are removed.
struct Made(Vec<PathBuf>);

impl Made {
    /// Makes the directories above a path that are missing.
    fn above(target: &Path) -> Result<Self, Stop> {
        let above = target.ancestors().skip(1);
        let missing =
            above.take_while(|one| !one.as_os_str().is_empty() && !one.exists()).map(Path::to_owned);
        let made = Self(missing.collect());
        if let Some(whole) = made.0.first() {
            let failed = |error| Stop::failed(format!("{} cannot be made: {error}", whole.display()));
            std::fs::create_dir_all(whole).map_err(failed)?;
        }
        Ok(made)
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for directory in &self.0 {
            // What has something in it by now is not ours alone.
            drop(std::fs::remove_dir(directory));
        }
    }
}

#[cfg(test)]
mod tests {
    use packwire_plugin::testing::{Host, Machine};
    use serde_json::{Value, json};

    use super::*;
    use crate::copy::FileProvisioner;

    fn machine() -> Machine {
        Machine::new()
            .with_file("/var/log/build.log", "built")
            .with_file("/srv/app/a", "a")
            .with_file("/srv/app/deep/b", "b")
            .with_link("/srv/app/link", "deep/b")
            .answering("[ -d '/srv/app' ]", 0, "directory\n", "")
    }

    /// What a host was told, and then has below its directory.
    async fn provision(machine: &Machine, config: Value) -> String {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("there")).unwrap();
        let host = Host::new().working_in(directory.path());
        let ran = match host.provision(FileProvisioner, config, machine).await {
            Ok(()) => "done".to_owned(),
            Err(Stop::Failed(diagnostics)) => format!("failed: {}", diagnostics[0].summary),
            Err(Stop::Cancelled) => "cancelled".to_owned(),
        };
        let mut files = Vec::new();
        list(directory.path(), &mut files);
        let lines: Vec<_> = host.told().into_iter().chain(files).chain([ran]).collect();
        lines.join("\n").replace(&directory.path().display().to_string(), "DIR")
    }

    fn list(directory: &Path, all: &mut Vec<String>) {
        let mut paths: Vec<_> =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                all.push(format!("{}/", path.display()));
                list(&path, all);
            } else {
                let mark = if kind.is_symlink() { " (a link)" } else { "" };
                all.push(format!("{}{mark}: {}", path.display(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }

    fn from(source: &str, destination: &str) -> Value {
        json!({"source": source, "destination": destination, "direction": "download"})
    }

    #[tokio::test]
    async fn files_come_to_their_destination_or_into_it() {
        insta::assert_snapshot!(provision(&machine(), from("/var/log/build.log", "new/log")).await, @r#"
        say: Downloading /var/log/build.log to DIR/new/log
        DIR/new/
        DIR/new/log: built
        DIR/there/
        done
        "#);
        insta::assert_snapshot!(provision(&machine(), from("/var/log/build.log", "there")).await, @r#"
        say: Downloading /var/log/build.log to DIR/there/build.log
        DIR/there/
        DIR/there/build.log: built
        done
        "#);
        insta::assert_snapshot!(provision(&machine(), from("/var/log/build.log", "new/deep/")).await, @r#"
        say: Downloading /var/log/build.log to DIR/new/deep/build.log
        DIR/new/
        DIR/new/deep/
        DIR/new/deep/build.log: built
        DIR/there/
        done
        "#);
    }

    #[tokio::test]
    async fn a_directory_comes_below_its_destination_and_with_a_slash_into_it() {
        insta::assert_snapshot!(provision(&machine(), from("/srv/app", "there")).await, @r#"
        say: Downloading /srv/app to DIR/there/app
        DIR/there/
        DIR/there/app/
        DIR/there/app/a: a
        DIR/there/app/deep/
        DIR/there/app/deep/b: b
        DIR/there/app/link (a link): b
        done
        "#);
        insta::assert_snapshot!(provision(&machine(), from("/srv/app/", "new/copy")).await, @r#"
        say: Downloading /srv/app/ to DIR/new/copy
        DIR/new/
        DIR/new/copy/
        DIR/new/copy/a: a
        DIR/new/copy/deep/
        DIR/new/copy/deep/b: b
        DIR/new/copy/link (a link): b
        DIR/there/
        done
        "#);
    }

    #[tokio::test]
    async fn what_fails_leaves_no_directory_either() {
        insta::assert_snapshot!(provision(&machine(), from("/nothing", "new/deep/x")).await, @r#"
        say: Downloading /nothing to DIR/new/deep/x
        DIR/there/
        failed: /nothing could not be downloaded to DIR/new/deep/x: there is no file /nothing
        "#);
        insta::assert_snapshot!(provision(&machine().without_trees(), from("/srv/app/", "new/deep/x")).await, @r#"
        say: Downloading /srv/app/ to DIR/new/deep/x
        DIR/there/
        failed: /srv/app/ could not be downloaded to DIR/new/deep/x: the communicator `testing` cannot copy directories: it lacks the feature `tree`
        "#);
        let hostile = Machine::new().with_link("/srv/app/out", "../../etc");
        insta::assert_snapshot!(provision(&hostile, from("/srv/app/", "new/deep/x")).await, @r#"
        say: Downloading /srv/app/ to DIR/new/deep/x
        DIR/there/
        failed: /srv/app/ could not be downloaded to DIR/new/deep/x: `out` is refused: it is a link that leads outside
        "#);
        let several = json!({"sources": ["/a", "/b"], "destination": "x", "direction": "download"});
        insta::assert_snapshot!(provision(&machine(), several).await, @r#"
        DIR/there/
        failed: x is no directory, and several sources need one: end `destination` with `/`
        "#);
    }
}
