//! Files that appear whole or not at all, and of which nothing is left after a failure or a crash.
//!
//! A file is written under another name, a draft, beside its place, and moved there when it is complete. The host is
//! told [before](crate::Environment::remember) it is made: what a crash leaves is removed by [`recover`]. A component that
//! makes nothing else offers a [`Recovery`]: `serve_post_processor!("list", List, recovering: draft::Recovery::<Config>::new())`.
//!
//! ```no_run
//! # async fn example(run: packwire_plugin::PostProcessRun) -> Result<(), packwire_plugin::Stop> {
//! use std::io::Write;
//!
//! use packwire_plugin::{Stop, draft};
//!
//! draft::write(&["/out/list".into()], &run.environment, |mut files| async move {
//!     files[0].write_all(b"all of it").map_err(|error| Stop::failed(format!("/out/list: {error}")))
//! })
//! .await?;
//! # Ok(())
//! # }
//! ```
mod hold;
mod made;

use std::{
    fs::File,
    io,
    marker::PhantomData,
    path::{Path, PathBuf},
};

pub use hold::{Hold, hold};
use made::Made;

use crate::{Diagnostic, Environment, Recover, Recovering, Stop, config::Config, log};

/// Has `fill` write the contents of these files, absolute, into drafts of theirs in the same order, and then puts all of
/// them in their places: what is there is replaced, with its permission bits kept, and a link is followed. Directories above
/// them are made.
///
/// Where `fill` stops, and where a file cannot be put in its place, nothing is left of any.
///
/// # Errors
/// Why they could not be made, or why `fill` stopped.
pub async fn write<T, F>(
    targets: &[PathBuf],
    environment: &Environment,
    fill: impl FnOnce(Vec<File>) -> F + Send,
) -> Result<T, Stop>
where
    T: Send,
    F: Future<Output = Result<T, Stop>> + Send,
{
    let planned = targets.iter().map(|target| Made::planned(target)).collect::<Result<Vec<_>, _>>()?;
    let entry = environment.remember(text(&planned)).await??;
    let mut drafts = Drafts(planned);
    let written = async {
        let files = drafts.make()?;
        let copies = files.iter().map(File::try_clone).collect::<Result<Vec<_>, _>>();
        let copies = copies.map_err(|error| Stop::failed(format!("a file cannot be held: {error}")))?;
        let filled = fill(files).await?;
        drafts.complete(copies).await?;
        // By these marks the files are known at their places, too, should we not live to settle.
        entry.update(text(&drafts.0)).await??;
        drafts.put()?;
        Ok(filled)
    };
    let written = written.await;
    if written.is_err() && drafts.undo().is_err() {
        // What is left stays in the ledger, and is removed another time.
        return written;
    }
    entry.settle().await?;
    let filled = written?;
    drafts.0.clear();
    Ok(filled)
}

/// Removes what a crash left of files that were being [written](write()).
///
/// # Errors
/// What cannot be removed, or that it is not known what to.
pub fn recover(remembered: &str) -> Result<(), Stop> {
    let made = serde_json::from_str(remembered)
        .map_err(|error| Stop::failed(format!("what was remembered is of no draft: {error}")))?;
    Ok(Drafts(made).undo()?)
}

/// What removes what crashes left of a component with this configuration, all of whose files are [written](write()) as
/// drafts.
#[derive(Debug)]
pub struct Recovery<C>(PhantomData<fn(C)>);

impl<C> Recovery<C> {
    /// There is nothing to choose.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C> Default for Recovery<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Config + Sync> Recover for Recovery<C> {
    type Config = C;

    async fn recover(&self, remembered: &str, _: &Recovering<C>) -> Result<(), Stop> {
        recover(remembered)
    }
}

/// What is made for the files. Dropped, all of it goes again.
struct Drafts(Vec<Made>);

impl Drafts {
    fn make(&mut self) -> Result<Vec<File>, Stop> {
        let make =
            |made: &mut Made| made.make().map_err(|error| cannot("made", made.target(), &error).into());
        self.0.iter_mut().map(make).collect()
    }

    /// All is on disk: some file systems say only then that they are full.
    async fn complete(&mut self, files: Vec<File>) -> Result<(), Stop> {
        for (made, file) in self.0.iter_mut().zip(files) {
            let marked = tokio::task::spawn_blocking(move || {
                file.sync_data()?;
                file.metadata()
            });
            let marked = marked.await.map_err(io::Error::other).flatten();
            let metadata = marked.map_err(|error| cannot("written", made.target(), &error))?;
            made.mark(&metadata);
        }
        Ok(())
    }

    /// Takes all of it away that is there. A second time does nothing.
    fn undo(&mut self) -> Result<(), Vec<Diagnostic>> {
        let made = std::mem::take(&mut self.0);
        let undone =
            made.iter().map(|one| one.undo().map_err(|error| cannot("removed", one.draft(), &error)));
        let left: Vec<_> = undone.filter_map(Result::err).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    }

    fn put(&self) -> Result<(), Stop> {
        self.0.iter().try_for_each(|made| {
            made.put().map_err(|error| cannot("put in its place", made.target(), &error).into())
        })
    }
}

impl Drop for Drafts {
    fn drop(&mut self) {
        for diagnostic in self.undo().err().into_iter().flatten() {
            log::warn(diagnostic.summary);
        }
    }
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(format!("{} cannot be {verb}: {error}", path.display()))
}

fn text(made: &[Made]) -> String {
    serde_json::json!(made).to_string()
}
