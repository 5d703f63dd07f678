//! The builder: a tree that begins with something, is provisioned, and becomes an output.
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use packwire_plugin::{
    Build, BuildRun, Builder, Built, Context, Diagnostic, Recover, Recovering, Stop,
    meter::{Meter, shown},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::{
    compression::{Compression, compress},
    config::{Config, Format, Order},
    enclosure::Enclosure,
    kept::Entry,
    machine::Machine,
    oci::{self, Digesting},
    output::{Draft, Made, RootfsArtifact, exists},
    owners::Owners,
    pack::{Contents, pack},
    source::{Begun, Source},
    work::Work,
};

/// Makes root filesystems.
pub(crate) struct Rootfs;

/// What is known of the tree while it is provisioned, and afterwards.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Generated {
    /// The absolute path of the output.
    #[serde(rename = "ID")]
    id: String,
    /// The type of the communicator.
    conn_type: &'static str,
    /// No network is in between.
    host: &'static str,
    /// No network is in between.
    port: u16,
    /// As whom commands run.
    user: &'static str,
    /// The directory on the host that is the tree, while the build lasts.
    path: String,
    /// The digest of the tar file or of the image's manifest, once it is made.
    digest: String,
}

impl Builder for Rootfs {
    type Config = Config;
    type Build = Order;

    const SUMMARY: &'static str = "Makes root filesystems, as tar files or OCI images, without a hypervisor";
    const DOCUMENTATION: &'static str = include_str!("../DOCUMENTATION.md");

    fn prepare(&self, config: Config, context: &Context) -> Result<Order, Vec<Diagnostic>> {
        Order::of(config, context)
    }

    fn warnings(&self, config: &Config, _: &Context) -> Vec<Diagnostic> {
        config.needless().into_iter().collect()
    }

    fn output_schema() -> String {
        packwire_plugin::schema_of::<Generated>()
    }
}

impl Build for Order {
    async fn run(self, run: BuildRun) -> Result<Built, Stop> {
        if !self.may_replace && self.output.symlink_metadata().is_ok() {
            return Err(exists(&self.output));
        }
        for value in self.build_env.values().filter(|value| !value.is_empty()) {
            run.ui.mask(value).await?;
        }
        let work = Work::make(&run, self.keep_on_error).await?;
        let made = self.make(&run, &work).await;
        match &made {
            Err(Stop::Failed(_)) if self.keep_on_error => {
                let kept = work.keep();
                run.ui.say(format!("The tree stays as it is: {}", kept.display())).await?;
            }
            _ => work.remove().await,
        }
        made
    }
}

impl Order {
    async fn make(self: &Order, run: &BuildRun, work: &Work) -> Result<Built, Stop> {
        let begun = self.begin(run, work).await?;
        let enclosure = Enclosure::open(self, &work.tree, &work.reports, &run.ui).await?;
        let mut data = self.generated(&work.tree);
        let machine = Arc::new(Machine::new(
            enclosure.place.clone(),
            &self.shell,
            enclosure.environment(self),
            work.reports.clone(),
        ));
        let provisioned = run.provision_own(&machine, &json!(data)).await;
        machine.end().await;
        let made = enclosure.made.clone();
        enclosure.end().await;
        provisioned?;
        let (artifact, digest) = self.output(run, &work.tree, begun, &made).await?;
        data.digest = digest;
        Ok(Built::artifact(artifact).with_generated_data(json!(data)))
    }

    fn generated(&self, tree: &Path) -> Generated {
        Generated {
            id: self.output.display().to_string(),
            conn_type: "rootfs",
            host: "",
            port: 0,
            user: "root",
            path: tree.display().to_string(),
            digest: String::new(),
        }
    }

    /// Makes the tree as it begins.
    async fn begin(&self, run: &BuildRun, work: &Work) -> Result<Begun, Stop> {
        let source = Source::open(self.source.as_deref())?;
        let Some(path) = &self.source else {
            run.ui.say("Beginning with an empty directory").await?;
            return Ok(Begun { owners: Owners::default(), left_out: Vec::new() });
        };
        run.ui.say(format!("Beginning with {}", path.display())).await?;
        let (total, tree) = (source.bytes(), work.tree.clone());
        let begun =
            shown(&run.ui, &run.cancellation, "Unpacking", total, move |meter| source.unpack(&tree, meter))
                .await?;
        for line in &begun.left_out {
            run.ui.message(line).await?;
        }
        Ok(begun)
    }

    /// Makes the output. Brings back its digest, too; where there is none, nothing is left.
    async fn output(
        &self,
        run: &BuildRun,
        tree: &Path,
        begun: Begun,
        made: &[PathBuf],
    ) -> Result<(RootfsArtifact, String), Stop> {
        run.ui.say(format!("Making {}", self.output.display())).await?;
        let contents = contents(tree, &begun.owners, made)?;
        for line in &contents.left_out {
            run.ui.message(line).await?;
        }
        let planned = Made::planned(&self.output);
        let entry = Entry::of(run, &planned).await?;
        let draft = match Draft::make(planned, self.format == Format::Oci) {
            Ok(draft) => draft,
            Err(stop) => {
                entry.settle().await;
                return Err(stop);
            }
        };
        match self.write(run, contents, begun.owners, (&draft, &entry)).await {
            Ok(written) => {
                draft.keep();
                entry.settle().await;
                Ok(written)
            }
            Err(stop) => {
                match draft.undo() {
                    Ok(()) => entry.settle().await,
                    // It stays in the ledger, and is removed another time.
                    Err(error) => packwire_plugin::log::warn(format!("a draft is left: {error}")),
                }
                Err(stop)
            }
        }
    }

    /// Writes the draft, and puts it in its place.
    async fn write(
        &self,
        run: &BuildRun,
        contents: Contents,
        owners: Owners,
        (draft, entry): (&Draft, &Entry),
    ) -> Result<(RootfsArtifact, String), Stop> {
        entry.update(draft.made()).await?;
        let total = contents.bytes();
        let packing = Packing {
            contents,
            owners,
            newest: self.newest,
            format: self.format,
            image: self.image.clone(),
            draft: draft.path().to_owned(),
        };
        let write = move |meter: &Meter| packing.write(meter).map_err(Stop::failed);
        let digest = shown(&run.ui, &run.cancellation, "Packing", total, write).await?;
        draft.publish(self.may_replace)?;
        let description = format!("Root filesystem: {}", self.output.display());
        let artifact = RootfsArtifact::of(self.output.clone(), digest.clone(), description);
        let artifact = artifact
            .map_err(|error| Stop::failed(format!("{} cannot be read: {error}", self.output.display())))?;
        Ok((artifact, digest))
    }
}

/// What is to be packed of a tree in which nothing runs any more.
fn contents(tree: &Path, owners: &Owners, made: &[PathBuf]) -> Result<Contents, Stop> {
    let mut contents = Contents::below_ours(tree).map_err(Stop::failed)?;
    contents.leave_out_empty(made);
    for (path, device) in owners.devices() {
        contents.add_device(path, device);
    }
    Ok(contents)
}

/// An output that is being written.
struct Packing {
    contents: Contents,
    owners: Owners,
    newest: Option<u64>,
    format: Format,
    image: oci::Image,
    draft: PathBuf,
}

impl Packing {
    /// Writes the output, and brings back its digest.
    fn write(self, meter: &Meter) -> Result<String, String> {
        match self.format {
            Format::Tar => self.write_tar(Compression::None, meter),
            Format::TarZst => self.write_tar(Compression::Zstd, meter),
            Format::Oci => {
                let created = self.contents.newest().min(self.newest.unwrap_or(u64::MAX));
                oci::write(&self.draft, &self.image, created, |into| self.write_archive(into, meter))
            }
        }
    }

    fn write_tar(&self, compression: Compression, meter: &Meter) -> Result<String, String> {
        let told = |error: io::Error| format!("the output cannot be written: {error}");
        let opened = File::options().write(true).open(&self.draft).map_err(told)?;
        let ((), file) =
            compress(compression, Digesting::new(opened), |into| self.write_archive(into, meter))?;
        let (digest, _, opened) = file.finish();
        // Some file systems say only then that they are full.
        opened.sync_data().map_err(told)?;
        Ok(digest)
    }

    fn write_archive(&self, into: &mut dyn io::Write, meter: &Meter) -> Result<(), String> {
        let into = io::BufWriter::with_capacity(256 << 10, meter.of(into));
        pack(&self.contents, self.newest, &self.owners, into)
    }
}

impl Recover for Rootfs {
    type Config = Config;

    async fn recover(&self, remembered: &str, recovering: &Recovering<Config>) -> Result<(), Stop> {
        let made: Made = serde_json::from_str(remembered).map_err(|error| {
            Stop::failed(format!("the ledger has what this builder never wrote: {error}"))
        })?;
        recovering.ui.say(format!("Removing what is left of {}", made.output().display())).await?;
        let undone = tokio::task::spawn_blocking(move || made.undo()).await;
        let undone = undone.unwrap_or_else(|error| Err(io::Error::other(error)));
        undone.map_err(|error| Stop::failed(format!("it cannot be removed: {error}")))
    }
}
