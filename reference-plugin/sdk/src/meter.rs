//! Work with many bytes, on a thread of its own: the host shows how far it is, and it stops when it is cancelled.
//!
//! ```no_run
//! # async fn example(run: packwire_plugin::PostProcessRun) -> Result<(), packwire_plugin::Stop> {
//! use packwire_plugin::{Stop, meter};
//!
//! let copied = meter::shown(&run.ui, &run.cancellation, "disk", 1 << 30, |meter| {
//!     let disk = std::fs::File::open("disk").map_err(|error| Stop::failed(format!("disk: {error}")))?;
//!     std::io::copy(&mut meter.of(disk), &mut std::io::sink()).map_err(|error| Stop::failed(error.to_string()))
//! });
//! let bytes = copied.await?;
//! # Ok(())
//! # }
//! ```
use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{Cancellation, Stop, Ui};

/// How often a host is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Counts bytes, and stops whoever counts them. Clones are the same meter.
#[derive(Debug, Clone)]
pub struct Meter {
    done: Arc<AtomicU64>,
    cancellation: Cancellation,
}

impl Meter {
    /// Counts bytes, of which the host hears.
    ///
    /// # Errors
    /// The work is to stop.
    pub fn count(&self, bytes: usize) -> io::Result<()> {
        let _before = self.done.fetch_add(bytes as u64, Ordering::Relaxed);
        // Not `Interrupted`: that is tried again.
        if self.cancellation.is_cancelled() { Err(io::Error::other("it was cancelled")) } else { Ok(()) }
    }

    /// A reader or writer whose bytes are counted.
    pub fn of<T>(&self, inner: T) -> Metered<T> {
        Metered { inner, meter: self.clone() }
    }
}

/// A reader or writer whose bytes are counted, and which fails once the work is to stop.
#[derive(Debug)]
pub struct Metered<T> {
    inner: T,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.meter.count(read)?;
        Ok(read)
    }
}

impl<W: Write> Write for Metered<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.meter.count(written)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Does `work`, which may block, while the host shows how far it is: of `total` bytes, 0 where that is unknown.
///
/// The work has ended when this answers, also when it was cancelled; that it fails then is a cancellation.
///
/// # Errors
/// Why the work stopped.
pub async fn shown<T: Send + 'static>(
    ui: &Ui,
    cancellation: &Cancellation,
    label: &str,
    total: u64,
    work: impl FnOnce(&Meter) -> Result<T, Stop> + Send + 'static,
) -> Result<T, Stop> {
    let progress = ui.progress(label, total).await?;
    let meter = Meter { done: Arc::default(), cancellation: cancellation.clone() };
    let done = meter.done.clone();
    let mut working = tokio::task::spawn_blocking(move || work(&meter));
    let ended = loop {
        tokio::select! {
            ended = &mut working => break ended,
            () = tokio::time::sleep(TELL_EVERY) => {
                // Nothing depends on what is shown.
                drop(progress.update(done.load(Ordering::Relaxed)).await);
            }
        }
    };
    drop(progress.finish().await);
    match ended {
        Ok(Err(Stop::Failed(_))) if cancellation.is_cancelled() => Err(Stop::Cancelled),
        Ok(ended) => ended,
        Err(error) => Err(Stop::failed(format!("{label}: the work ended with a bug of the plugin: {error}"))),
    }
}
