//! The builder: a file beside its target, moved there when it is whole.
use std::{
    io,
    path::{Path, PathBuf},
};

use packwire_plugin::{
    Build, BuildRun, Builder, Built, Context, Diagnostic, FilesArtifact, Stop, unless_cancelled,
};
use schemars::JsonSchema;
use serde::Serialize;
use tempfile::NamedTempFile;
use tokio::{fs, io::AsyncWriteExt};

use crate::config::{Config, Order, Origin};

/// The kind of artifact, by Packer's name.
const BUILDER_ID: &str = "packer.file";

/// Makes files.
pub(crate) struct FileBuilder;

/// What is known of the file when it is there.
#[derive(Debug, Serialize, JsonSchema)]
struct Generated {
    /// The absolute path of the file.
    #[serde(rename = "ID")]
    id: String,
}

impl Builder for FileBuilder {
    type Config = Config;
    type Build = Order;

    const SUMMARY: &'static str = "Makes a file of a text or of another file";
    const DOCUMENTATION: &'static str = "Makes the file `target`, with `content` or as a copy of `source`. \
        An existing file is replaced only when the build is forced. Directories above it are made.";

    fn prepare(&self, config: Config, context: &Context) -> Result<Order, Vec<Diagnostic>> {
        Order::of(config, context)
    }

    fn output_schema() -> String {
        packwire_plugin::schema_of::<Generated>()
    }
}

impl Build for Order {
    async fn run(self, run: BuildRun) -> Result<Built, Stop> {
        let target = self.target.display().to_string();
        run.ui.say(format!("Making {target}")).await?;
        let place = self.make(&run).await?;
        let data = serde_json::json!(Generated { id: target.clone() });
        match run.provision(None, &data).await {
            Ok(()) => {
                place.keep();
                let description = format!("Stored file: {target}");
                let artifact = FilesArtifact::new(BUILDER_ID, target, description, vec![self.target]);
                Ok(Built::artifact(artifact).with_generated_data(data))
            }
            Err(stop) => {
                if self.keep_on_error {
                    place.keep();
                }
                Err(stop)
            }
        }
    }
}

impl Order {
    /// Makes the file and everything above it.
    async fn make(&self, run: &BuildRun) -> Result<Place, Stop> {
        let told = |what: &str, path: &Path, error: &io::Error| {
            Stop::failed(format!("{} cannot be {what}: {error}", path.display()))
        };
        if !self.may_replace && self.target.symlink_metadata().is_ok() {
            return Err(self.exists());
        }
        let parent = self.target.parent().unwrap_or(Path::new("/"));
        let mut place = Place::make(parent).map_err(|error| told("made", parent, &error))?;
        // Mode 0600, and gone when it is dropped before it is moved.
        let draft = NamedTempFile::new_in(parent).map_err(|error| told("written to", parent, &error))?;
        unless_cancelled(&run.cancellation, self.write(draft.path())).await??;
        let moved = if self.may_replace {
            draft.persist(&self.target).map_err(|error| error.error)
        } else {
            draft.persist_noclobber(&self.target).map_err(|error| error.error)
        };
        match moved {
            Ok(_) => place.file = Some(self.target.clone()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(self.exists()),
            Err(error) => return Err(told("made", &self.target, &error)),
        }
        Ok(place)
    }

    fn exists(&self) -> Stop {
        let exists = Diagnostic::error(format!("{} exists", self.target.display()));
        exists.at("/target").with_detail("A forced build replaces it.").into()
    }

    async fn write(&self, draft: &Path) -> Result<(), Stop> {
        let written = async {
            let mut draft = fs::OpenOptions::new().write(true).open(draft).await?;
            match &self.from {
                Origin::Content(content) => draft.write_all(content.as_bytes()).await?,
                Origin::Source(source) => {
                    let mut source = fs::File::open(source).await?;
                    tokio::io::copy(&mut source, &mut draft).await.map(drop)?;
                }
            }
            draft.flush().await
        };
        written.await.map_err(|error: io::Error| match &self.from {
            Origin::Content(_) => Stop::failed(format!("the content cannot be written: {error}")),
            Origin::Source(source) => {
                Diagnostic::error(format!("{} cannot be copied: {error}", source.display()))
                    .at("/source")
                    .into()
            }
        })
    }
}

/// What a build made so far. Dropped, all of it goes again.
#[derive(Debug, Default)]
struct Place {
    file: Option<PathBuf>,
    /// Directories that were not there before, the outermost first.
    directories: Vec<PathBuf>,
}

impl Place {
    /// Makes a directory and those above it.
    fn make(directory: &Path) -> io::Result<Self> {
        let mut place = Self::default();
        let missing: Vec<_> = directory.ancestors().take_while(|one| !one.exists()).collect();
        for one in missing.into_iter().rev() {
            match std::fs::create_dir(one) {
                Ok(()) => place.directories.push(one.to_owned()),
                // Somebody else, a build beside this one perhaps, was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(place)
    }

    /// It stays.
    fn keep(mut self) {
        self.file = None;
        self.directories.clear();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            drop(std::fs::remove_file(file));
        }
        // A directory that somebody else uses by now is not empty, and stays.
        for directory in self.directories.iter().rev() {
            drop(std::fs::remove_dir(directory));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use packwire_plugin::{Context, OnError, Outcome, testing::Host};
    use serde_json::json;

    use super::*;

    fn host(directory: &Path) -> Host {
        Host::new().working_in(directory)
    }

    fn names(directory: &Path) -> Vec<String> {
        let all = std::fs::read_dir(directory).unwrap();
        all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn why(stop: Result<packwire_plugin::testing::Finished, Stop>) -> String {
        match stop.unwrap_err() {
            Stop::Failed(diagnostics) => diagnostics[0].summary.clone(),
            Stop::Cancelled => "cancelled".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_file_is_made_provisioned_and_destroyed() {
        let directory = tempfile::tempdir().unwrap();
        let (host, target) = (host(directory.path()), directory.path().join("a/b/note"));
        let path = target.to_str().unwrap();
        let finished =
            host.build(FileBuilder, json!({"target": "a/b/note", "content": "hi\n"})).await.unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "hi\n");
        assert_eq!(target.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(finished.generated_data, json!({"ID": path}));
        let hook = format!(r#"hook: packer_provision without a machine, {{"ID":"{path}"}}"#);
        assert_eq!(host.told(), [format!("say: Making {path}"), hook]);
        let artifact = finished.describe().await.unwrap();
        assert_eq!(
            (artifact.builder_id.as_str(), &artifact.files[..]),
            ("packer.file", &[path.to_owned()][..])
        );
        assert_eq!(artifact.description, format!("Stored file: {path}"));
        finished.destroy().await.unwrap();
        assert!(!target.exists());
        finished.destroy().await.unwrap();
    }

    #[tokio::test]
    async fn a_source_is_copied() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("from"), vec![7; 300_000]).unwrap();
        host(directory.path()).build(FileBuilder, json!({"target": "to", "source": "from"})).await.unwrap();
        assert_eq!(std::fs::read(directory.path().join("to")).unwrap(), vec![7; 300_000]);
    }

    #[tokio::test]
    async fn a_source_that_is_not_there_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let built =
            host(directory.path()).build(FileBuilder, json!({"target": "a/to", "source": "from"})).await;
        assert!(why(built).contains("from cannot be copied: No such file"));
        assert!(names(directory.path()).is_empty());
    }

    #[tokio::test]
    async fn an_existing_file_is_replaced_by_force_only() {
        let directory = tempfile::tempdir().unwrap();
        let (config, target) = (json!({"target": "note", "content": "new"}), directory.path().join("note"));
        std::fs::write(&target, "old").unwrap();
        let refused = host(directory.path()).build(FileBuilder, config.clone()).await;
        assert_eq!(why(refused), format!("{} exists", target.display()));
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
        let forced = Context { force: true, ..Context::default() };
        Host::new()
            .with_context(forced)
            .working_in(directory.path())
            .build(FileBuilder, config)
            .await
            .unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
    }

    #[tokio::test]
    async fn a_failed_or_cancelled_build_leaves_nothing() {
        let config = json!({"target": "a/b/note", "content": "hi"});
        for outcome in [Outcome::failed("no"), Outcome::Cancelled] {
            let directory = tempfile::tempdir().unwrap();
            let host = host(directory.path()).provisioning(outcome);
            host.build(FileBuilder, config.clone()).await.unwrap_err();
            assert!(host.told()[2].starts_with("hook: packer_cleanup_provision"), "{:?}", host.told());
            assert!(names(directory.path()).is_empty());
        }
    }

    #[tokio::test]
    async fn copying_without_end_can_be_cancelled() {
        let directory = tempfile::tempdir().unwrap();
        let endless = directory.path().join("endless");
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, &endless, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        // Held open, so that neither opening it nor its end comes; let go at the end of the test.
        let _writer = std::fs::OpenOptions::new().read(true).write(true).open(&endless).unwrap();
        let host = host(directory.path());
        let cancelling = async {
            while host.told().is_empty() {
                tokio::task::yield_now().await;
            }
            host.cancel();
        };
        let config = json!({"target": "a/note", "source": "endless"});
        let (built, ()) = tokio::join!(host.build(FileBuilder, config), cancelling);
        assert_eq!(why(built), "cancelled");
        assert_eq!(names(directory.path()), ["endless"]);
    }

    #[tokio::test]
    async fn who_wants_to_look_at_a_failure_keeps_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let abort = Context { on_error: OnError::Abort, ..Context::default() };
        let host =
            Host::new().with_context(abort).working_in(directory.path()).provisioning(Outcome::failed("no"));
        host.build(FileBuilder, json!({"target": "note", "content": "hi"})).await.unwrap_err();
        assert_eq!(names(directory.path()), ["note"]);
    }
}
