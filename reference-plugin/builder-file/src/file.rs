//! The builder: a file beside its target, moved there when it is whole.
use std::{io, path::Path};

use packwire_plugin::{
    Build, BuildRun, Builder, Built, Context, Diagnostic, FilesArtifact, LedgerEntry, Recover, Recovering,
    Stop, unless_cancelled,
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::{fs, io::AsyncWriteExt};

use crate::{
    config::{Config, Order, Origin},
    made::Made,
};

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
        run.ui.say(format!("Making {}", self.target.display())).await?;
        if !self.may_replace && self.target.symlink_metadata().is_ok() {
            return Err(self.exists());
        }
        // On the host's disk before anything is made: whatever becomes of us, somebody removes it.
        let mut made = Made::of(&self.target);
        let entry = run.environment.remember(made.told()).await??;
        let stop = match self.build(&run, &entry, &mut made).await {
            // From here on the file stays on purpose.
            Ok(built) => match entry.settle().await {
                Ok(()) => return Ok(built),
                Err(broken) => broken.into(),
            },
            Err(stop) => stop,
        };
        // What is cancelled never stays.
        let stays = self.keep_on_error && made.is_whole() && matches!(stop, Stop::Failed(_));
        match if stays { Ok(()) } else { made.remove() } {
            // A host that is gone reads the entry again, and finds nothing.
            Ok(()) => drop(entry.settle().await),
            Err(error) => packwire_plugin::log::warn(error),
        }
        Err(stop)
    }
}

impl Recover for FileBuilder {
    type Config = Config;

    async fn recover(&self, remembered: &str, recovering: &Recovering<Config>) -> Result<(), Stop> {
        let made = Made::from_told(remembered).map_err(Stop::failed)?;
        recovering.ui.say(format!("Removing what is left of {}", made.target().display())).await?;
        made.remove().map_err(Stop::failed)
    }
}

impl Order {
    /// Makes the file and everything above it, and has it provisioned.
    async fn build(&self, run: &BuildRun, entry: &LedgerEntry, made: &mut Made) -> Result<Built, Stop> {
        self.make(run, entry, made).await?;
        let target = self.target.display().to_string();
        let data = serde_json::json!(Generated { id: target.clone() });
        run.provision(None, &data).await?;
        let description = format!("Stored file: {target}");
        let artifact = FilesArtifact::new(BUILDER_ID, target, description, vec![self.target.clone()]);
        Ok(Built::artifact(artifact).with_generated_data(data))
    }

    async fn make(&self, run: &BuildRun, entry: &LedgerEntry, made: &mut Made) -> Result<(), Stop> {
        let told = |what: &str, path: &Path, error: &io::Error| {
            Stop::failed(format!("{} cannot be {what}: {error}", path.display()))
        };
        let parent = made.parent().to_owned();
        made.directories().map_err(|error| told("made", &parent, &error))?;
        let draft = made.draft().map_err(|error| told("written to", &parent, &error))?;
        entry.update(made.told()).await??;
        unless_cancelled(&run.cancellation, self.write(&draft)).await??;
        let moved = if self.may_replace {
            draft.persist(&self.target)
        } else {
            draft.persist_noclobber(&self.target)
        };
        match moved.map_err(|error| error.error) {
            Ok(()) => {
                made.moved();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(self.exists()),
            Err(error) => Err(told("made", &self.target, &error)),
        }
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
            _ if is_of_the_disk(&error) => {
                Stop::failed(format!("{} cannot be written: {error}", self.target.display()))
            }
            Origin::Content(_) => Stop::failed(format!("the content cannot be written: {error}")),
            Origin::Source(source) => {
                Diagnostic::error(format!("{} cannot be copied: {error}", source.display()))
                    .at("/source")
                    .into()
            }
        })
    }
}

/// Whether there is no room for what is written, whatever it is read from.
fn is_of_the_disk(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull)
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
        let (said, told): (Vec<_>, Vec<_>) =
            host.told().into_iter().partition(|told| told.starts_with("say: "));
        assert_eq!(said, [format!("say: Making {path}")]);
        assert_eq!(told[2], hook);
        let ledger: Vec<_> = told.iter().map(|told| told.split(':').next().unwrap()).collect();
        assert_eq!(ledger, ["remember", "update", "hook", "settle"]);
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
            let cleaned = |told: &String| told.starts_with("hook: packer_cleanup_provision");
            assert!(host.told().iter().any(cleaned), "{:?}", host.told());
            assert!(names(directory.path()).is_empty());
            assert!(host.remembered().is_empty());
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
        assert!(host.remembered().is_empty(), "it stays on purpose");
    }

    #[tokio::test]
    async fn what_is_cancelled_never_stays() {
        let directory = tempfile::tempdir().unwrap();
        let abort = Context { on_error: OnError::Abort, ..Context::default() };
        let host =
            Host::new().with_context(abort).working_in(directory.path()).provisioning(Outcome::Cancelled);
        let built = host.build(FileBuilder, json!({"target": "note", "content": "hi"})).await;
        assert_eq!(why(built), "cancelled");
        assert!(names(directory.path()).is_empty());
        assert!(host.remembered().is_empty());
    }

    /// As if it was killed after each step: what it said last, and what was there by then.
    #[tokio::test]
    async fn whatever_a_killed_build_had_made_is_removed_and_nothing_else() {
        let config = json!({"target": "a/b/note", "content": "hi"});
        for steps in 0..=4 {
            let directory = tempfile::tempdir().unwrap();
            let target = directory.path().join("a/b/note");
            let mut made = Made::of(&target);
            let mut said = made.told();
            if steps > 0 {
                made.directories().unwrap();
            }
            if steps > 1 {
                let draft = made.draft().unwrap().keep().unwrap();
                if steps > 2 {
                    said = made.told();
                }
                if steps > 3 {
                    std::fs::rename(draft, &target).unwrap();
                }
            }
            // Twice is no matter.
            for _ in 0..2 {
                let host = host(directory.path()).remembering(&said);
                host.recover(FileBuilder, config.clone()).await.unwrap();
                assert!(names(directory.path()).is_empty(), "after step {steps}");
                assert!(host.remembered().is_empty());
            }
        }
    }

    #[tokio::test]
    async fn a_file_of_somebody_else_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("note");
        let mut made = Made::of(&target);
        drop(made.draft().unwrap());
        let said = made.told();
        std::fs::write(&target, "somebody else's").unwrap();
        let host = host(directory.path()).remembering(&said);
        host.recover(FileBuilder, json!({"target": "note", "content": "hi"})).await.unwrap();
        assert_eq!(names(directory.path()), ["note"]);
    }
}
