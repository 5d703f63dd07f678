//! From the host to the machine.
use packwire_plugin::{ProvisionRun, Stop, machine};

use crate::{
    config::{Kind, Local, below, ends_with_slash, last_name},
    copy::{is_directory, named},
};

/// Copies each source to where it goes.
pub(crate) async fn all(run: &ProvisionRun, sources: &[Local], destination: &str) -> Result<(), Stop> {
    for source in sources {
        let (kind, several) = (source.kind()?, sources.len() > 1);
        let target = target(run, source, kind, destination, several).await?;
        run.ui.say(format!("Uploading {} to {target}", source.given)).await?;
        let (machine, path) = (run.machine()?, &source.path);
        let copied = match kind {
            Kind::File => machine::upload_file(machine, path, &target, &run.cancellation).await,
            Kind::Directory => machine::upload_tree(machine, path, &target, &run.cancellation).await,
        };
        named(copied, &format!("{} could not be uploaded to {target}", source.given))?;
    }
    Ok(())
}

/// Where a source goes: by rsync's rule for directories, and as `cp` does it for files.
async fn target(
    run: &ProvisionRun,
    source: &Local,
    kind: Kind,
    destination: &str,
    several: bool,
) -> Result<String, Stop> {
    let name = last_name(&source.given).unwrap_or_default();
    match kind {
        Kind::Directory if ends_with_slash(&source.given) => Ok(destination.to_owned()),
        Kind::Directory => Ok(below(destination, name)),
        Kind::File if ends_with_slash(destination) || is_directory(run, destination).await? => {
            Ok(below(destination, name))
        }
        Kind::File if several => Err(Stop::failed(format!(
            "{destination} is no directory on the machine, and several sources need one: end `destination` with `/`"
        ))),
        Kind::File => Ok(destination.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use packwire_plugin::testing::{Host, Machine};
    use serde_json::{Value, json};

    use super::*;
    use crate::copy::FileProvisioner;

    /// A host that works in a directory with things to copy.
    fn host() -> (Host, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("site/css")).unwrap();
        fs::write(at("site/index.html"), "<p>").unwrap();
        fs::write(at("site/css/all.css"), "p {}").unwrap();
        symlink("index.html", at("site/start")).unwrap();
        fs::write(at("a.txt"), "a").unwrap();
        fs::write(at("b.txt"), "b").unwrap();
        for name in ["site/index.html", "site/css/all.css", "a.txt", "b.txt"] {
            fs::set_permissions(at(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        (Host::new().working_in(directory.path()), directory)
    }

    async fn provision(machine: &Machine, config: Value) -> String {
        let (host, directory) = host();
        let ran = match host.provision(FileProvisioner, config, machine).await {
            Ok(()) => "done".to_owned(),
            Err(Stop::Failed(diagnostics)) => format!("failed: {}", diagnostics[0].summary),
            Err(Stop::Cancelled) => "cancelled".to_owned(),
        };
        let files = machine.files().into_iter().map(|(path, file)| {
            format!("{path}: {:o} {}", file.mode.unwrap_or_default(), String::from_utf8_lossy(&file.content))
        });
        let links = machine.links().into_iter().map(|(path, target)| format!("{path} -> {target}"));
        let lines: Vec<_> = host.told().into_iter().chain(files).chain(links).chain([ran]).collect();
        lines.join("\n").replace(&directory.path().display().to_string(), "DIR")
    }

    #[tokio::test]
    async fn a_directory_goes_below_its_destination_and_with_a_slash_into_it() {
        let told = provision(&Machine::new(), json!({"source": "site", "destination": "/var/www"})).await;
        insta::assert_snapshot!(told, @r#"
        say: Uploading site to /var/www/site
        /var/www/site/css/all.css: 644 p {}
        /var/www/site/index.html: 644 <p>
        /var/www/site/start -> index.html
        done
        "#);
        let told = provision(&Machine::new(), json!({"source": "site/", "destination": "/var/www/"})).await;
        insta::assert_snapshot!(told, @r#"
        say: Uploading site/ to /var/www/
        /var/www/css/all.css: 644 p {}
        /var/www/index.html: 644 <p>
        /var/www/start -> index.html
        done
        "#);
    }

    #[tokio::test]
    async fn files_go_to_their_destination_or_into_it() {
        let told = provision(&Machine::new(), json!({"source": "a.txt", "destination": "/etc/a"})).await;
        insta::assert_snapshot!(told, @r#"
        say: Uploading a.txt to /etc/a
        /etc/a: 644 a
        done
        "#);
        let told =
            provision(&Machine::new(), json!({"sources": ["a.txt", "b.txt"], "destination": "/etc/"})).await;
        insta::assert_snapshot!(told, @r#"
        say: Uploading a.txt to /etc/a.txt
        say: Uploading b.txt to /etc/b.txt
        /etc/a.txt: 644 a
        /etc/b.txt: 644 b
        done
        "#);
        let machine = Machine::new().answering("[ -d '/etc' ]", 0, "directory\n", "");
        let told = provision(&machine, json!({"source": "a.txt", "destination": "/etc"})).await;
        assert!(told.contains("/etc/a.txt: "), "{told}");
    }

    #[tokio::test]
    async fn several_files_need_a_directory() {
        let told =
            provision(&Machine::new(), json!({"sources": ["a.txt", "b.txt"], "destination": "/x"})).await;
        insta::assert_snapshot!(told, @"failed: /x is no directory on the machine, and several sources need one: end `destination` with `/`");
    }

    #[tokio::test]
    async fn a_text_becomes_a_file() {
        let told =
            provision(&Machine::new(), json!({"content": "hello\n", "destination": "/etc/motd"})).await;
        insta::assert_snapshot!(told, @r#"
        say: Writing /etc/motd
        /etc/motd: 644 hello

        done
        "#);
    }

    #[tokio::test]
    async fn what_is_still_missing_is_named() {
        let config = json!({"source": "later", "destination": "/x", "generated": true});
        insta::assert_snapshot!(provision(&Machine::new(), config).await, @"failed: DIR/later cannot be read: No such file or directory (os error 2)");
    }

    #[tokio::test]
    async fn a_communicator_without_trees_is_named() {
        let machine = Machine::new().without_trees();
        let told = provision(&machine, json!({"source": "site", "destination": "/var/www"})).await;
        insta::assert_snapshot!(told, @r#"
        say: Uploading site to /var/www/site
        failed: site could not be uploaded to /var/www/site: the communicator `testing` cannot copy directories: it lacks the feature `tree`
        "#);
    }

    #[tokio::test]
    async fn nothing_is_copied_after_it_was_cancelled() {
        for source in ["site", "a.txt"] {
            let (machine, (host, _directory)) = (Machine::new(), host());
            host.cancel();
            let config = json!({"source": source, "destination": "/x/"});
            let ran = host.provision(FileProvisioner, config, &machine).await;
            assert_eq!((ran, machine.files().len()), (Err(Stop::Cancelled), 0));
        }
    }
}
