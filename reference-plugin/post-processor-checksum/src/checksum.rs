//! The post-processor: reads every file once, then writes all outputs.
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use packwire_plugin::{
    ArtifactInfo, Context, Diagnostic, FilesArtifact, InputFate, PostProcess, PostProcessRun, PostProcessed,
    PostProcessor, Stop, draft, meter, meter::Meter,
};

use crate::{
    config::{ChecksumType, Config, Order},
    digests,
    lines::{self, Line},
};

/// The kind of artifact, by Packer's name.
const BUILDER_ID: &str = "packer.post-processor.checksum";

/// Makes checksums.
pub(crate) struct Checksum;

impl PostProcessor for Checksum {
    type Config = Config;
    type PostProcess = Order;

    const SUMMARY: &'static str = "Makes checksums of an artifact's files";
    const DOCUMENTATION: &'static str = "Writes one line for each file into `output`: the checksum, a tab, and \
        the file's name. Lines of the same file and type that are there are replaced, others stay. The input is \
        kept in any case; the new artifact has its files and the outputs, and whoever destroys it destroys them all, \
        as with Packer: the files of the input, too.";

    fn prepare(&self, config: Config, context: &Context) -> Result<Order, Vec<Diagnostic>> {
        Order::of(config, context)
    }
}

impl PostProcess for Order {
    async fn run(self, run: PostProcessRun) -> Result<PostProcessed, Stop> {
        let info = run.artifact.describe().await?;
        if info.files.is_empty() {
            run.ui.say("The artifact has no files to make checksums of").await?;
            return Ok(PostProcessed::unchanged(info));
        }
        let files: Vec<_> = info.files.iter().map(|file| self.working_dir.join(file)).collect();
        let total = self.check(&files)?;
        let names: Vec<_> = self.types.iter().map(|one| one.name()).collect();
        run.ui.say(format!("Making {} checksums of {}", names.join(", "), counted(files.len()))).await?;
        let types = self.types.clone();
        let of_files = files.clone();
        let made = meter::shown(&run.ui, &run.cancellation, "checksums", total, move |meter| {
            make(&of_files, &types, meter)
        });
        let outputs = self.outputs(made.await?);
        write(&outputs, &run).await?;
        Ok(PostProcessed::artifact(artifact(info, files, outputs), InputFate::ForceKeep))
    }
}

impl Order {
    /// How many bytes are to be read.
    fn check(&self, files: &[PathBuf]) -> Result<u64, Stop> {
        let mut total = 0;
        for file in files {
            let refused = |why: String| Stop::failed(format!("{} {why}", file.display()));
            let metadata = file.metadata().map_err(|error| refused(format!("cannot be read: {error}")))?;
            if !metadata.is_file() {
                return Err(refused("is no file: checksums are made of files only".to_owned()));
            }
            if name(file).contains(['\n', '\r']) {
                let name = name(file).escape_debug().to_string();
                return Err(Stop::failed(format!(
                    "`{name}` cannot stand in a line: there is a line end in it"
                )));
            }
            let same = |output: &&PathBuf| is_same(output, file);
            if let Some(output) = self.outputs.iter().find(same) {
                let why = format!("{} is a file of the artifact itself", output.display());
                return Err(Diagnostic::error(why).at("/output").into());
            }
            total += metadata.len();
        }
        Ok(total)
    }

    /// The lines for each output; `made` is for each type.
    fn outputs(&self, made: Vec<Vec<Line>>) -> Vec<(PathBuf, Vec<Line>)> {
        let mut outputs: Vec<(PathBuf, Vec<Line>)> = Vec::new();
        for (path, lines) in self.outputs.iter().zip(made) {
            match outputs.iter_mut().find(|(output, _)| output == path) {
                Some((_, already)) => already.extend(lines),
                None => outputs.push((path.clone(), lines)),
            }
        }
        outputs
    }
}

/// The lines for each type.
fn make(files: &[PathBuf], types: &[ChecksumType], meter: &Meter) -> Result<Vec<Vec<Line>>, Stop> {
    let mut made = vec![Vec::new(); types.len()];
    for file in files {
        for (lines, checksum) in made.iter_mut().zip(digests::of(file, types, meter)?) {
            lines.push(Line { checksum, name: name(file) });
        }
    }
    Ok(made)
}

/// Writes the outputs while nobody else writes into their directories.
async fn write(outputs: &[(PathBuf, Vec<Line>)], run: &PostProcessRun) -> Result<(), Stop> {
    let paths: Vec<_> = outputs.iter().map(|(path, _)| path.clone()).collect();
    let held = draft::write(&paths, &run.environment, |drafts| async {
        let held = draft::hold(&paths, &run.cancellation).await?;
        for ((path, lines), mut draft) in outputs.iter().zip(drafts) {
            let written = fill(path, lines, &mut draft);
            written
                .map_err(|error| Stop::failed(format!("{} cannot be written: {error}", path.display())))?;
        }
        Ok(held)
    });
    // Let go when the outputs are in their places.
    drop(held.await?);
    Ok(())
}

fn fill(output: &Path, lines: &[Line], draft: &mut File) -> io::Result<()> {
    let there = match fs::read_to_string(output) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        there => there?,
    };
    draft.write_all(lines::with(&there, lines).as_bytes())
}

fn artifact(
    input: ArtifactInfo,
    mut files: Vec<PathBuf>,
    outputs: Vec<(PathBuf, Vec<Line>)>,
) -> FilesArtifact {
    let outputs: Vec<_> = outputs.into_iter().map(|(path, _)| path).collect();
    let told: Vec<_> = outputs.iter().map(|path| path.display().to_string()).collect();
    files.extend(outputs);
    FilesArtifact::new(BUILDER_ID, input.id, format!("Stored checksums: {}", told.join(", ")), files)
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

fn counted(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

#[cfg(test)]
mod tests;
