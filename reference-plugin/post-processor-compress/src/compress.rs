//! The post-processor: looks at what there is, then writes the output beside its place.
use std::path::{Path, PathBuf};

use packwire_plugin::{
    Context, Diagnostic, FilesArtifact, InputFate, PostProcess, PostProcessRun, PostProcessed, PostProcessor,
    Stop, draft, meter,
};

use crate::{
    archive,
    config::{Config, Order},
    content::{self, Entry, Kind},
};

/// The kind of artifact, by Packer's name.
const BUILDER_ID: &str = "packer.post-processor.compress";

/// Compresses files.
pub(crate) struct Compress;

impl PostProcessor for Compress {
    type Config = Config;
    type PostProcess = Order;

    const SUMMARY: &'static str = "Packs an artifact's files into one, compressed";
    const DOCUMENTATION: &'static str = "Makes `output` of the files: .tar.gz, .tar.xz, .tar.zst, .tar or .zip of \
        any number, .gz, .xz or .zst of one. Directories go in with all that is in them. The output appears whole or \
        not at all. The input goes, unless `keep_input_artifact` says otherwise.";

    fn prepare(&self, config: Config, context: &Context) -> Result<Order, Vec<Diagnostic>> {
        Order::of(config, context)
    }

    fn warnings(&self, config: &Config, _: &Context) -> Vec<Diagnostic> {
        config.needless().into_iter().collect()
    }
}

impl PostProcess for Order {
    async fn run(self, run: PostProcessRun) -> Result<PostProcessed, Stop> {
        let Self { output, container, working_dir } = self;
        let info = run.artifact.describe().await?;
        if info.files.is_empty() {
            return Err(Stop::failed("the artifact has no files to compress"));
        }
        let files: Vec<_> = info.files.iter().map(|file| working_dir.join(file)).collect();
        refuse_itself(&output, &files)?;
        let entries = content::survey(&files)?;
        let total = bytes(&entries);
        run.ui.say(format!("Compressing into {}", output.display())).await?;
        let target = output.clone();
        draft::write(std::slice::from_ref(&output), &run.environment, |drafts| {
            meter::shown(&run.ui, &run.cancellation, "compressing", total, move |meter| {
                let mut drafts = drafts.into_iter();
                drafts.try_for_each(|draft| archive::write(container, &entries, draft, &target, meter))
            })
        })
        .await?;
        let path = output.display().to_string();
        let artifact =
            FilesArtifact::new(BUILDER_ID, &path, format!("Compressed file: {path}"), vec![output]);
        Ok(PostProcessed::artifact(artifact, InputFate::Discard))
    }
}

/// An output is none of the files, nor in one of the directories: it would go in itself, and go with the input.
fn refuse_itself(output: &Path, files: &[PathBuf]) -> Result<(), Stop> {
    let output = followed(output);
    match files.iter().find(|file| output.starts_with(followed(file))) {
        Some(file) => {
            let what = format!("the output is {} itself, or in it", file.display());
            Err(Diagnostic::error(what).at("/output").into())
        }
        None => Ok(()),
    }
}

/// A path without links, as far as it is there.
fn followed(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    there.map_or_else(
        || path.to_owned(),
        |(above, real)| path.strip_prefix(above).map_or_else(|_| real.clone(), |rest| real.join(rest)),
    )
}

fn bytes(entries: &[Entry]) -> u64 {
    let of = |entry: &Entry| if let Kind::File { bytes } = entry.kind { bytes } else { 0 };
    entries.iter().map(of).sum()
}

#[cfg(test)]
mod tests;
