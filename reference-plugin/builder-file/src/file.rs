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
