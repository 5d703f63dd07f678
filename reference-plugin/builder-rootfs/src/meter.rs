//! Work with many bytes on a thread of its own: how far it is, and whether it is to stop.
use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use packwire_plugin::{BuildRun, Stop};

/// How often a host is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Counts bytes, and stops whoever counts them. Clones are the same meter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<State>);

#[derive(Debug, Default)]
struct State {
    done: AtomicU64,
    stopped: AtomicBool,
}

impl Meter {
    /// Counts bytes.
    ///
    /// # Errors
    /// The work is to stop.
    pub(crate) fn count(&self, bytes: u64) -> io::Result<()> {
        let _before = self.0.done.fetch_add(bytes, Ordering::Relaxed);
        if self.0.stopped.load(Ordering::Relaxed) {
            Err(io::Error::other("it was cancelled"))
        } else {
            Ok(())
        }
    }
}

/// A reader or writer whose bytes are counted.
#[derive(Debug)]
pub(crate) struct Metered<T> {
    pub(crate) inner: T,
    pub(crate) meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.meter.count(read as u64)?;
        Ok(read)
    }
}

impl<W: Write> Write for Metered<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.meter.count(written as u64)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Does work on a thread of its own while the host shows how far it is; `total` bytes, 0 where that is unknown. It
/// has ended when this answers, also when it was cancelled.
pub(crate) async fn shown<T: Send + 'static>(
    run: &BuildRun,
    label: &str,
    total: u64,
    work: impl FnOnce(Meter) -> Result<T, Stop> + Send + 'static,
) -> Result<T, Stop> {
    let progress = run.ui.progress(label, total).await?;
    let meter = Meter::default();
    let metered = meter.clone();
    let mut working = tokio::task::spawn_blocking(move || work(metered));
    let ended = loop {
        tokio::select! {
            ended = &mut working => break ended,
            () = run.cancellation.cancelled(), if !meter.0.stopped.load(Ordering::Relaxed) => {
                meter.0.stopped.store(true, Ordering::Relaxed);
            }
            () = tokio::time::sleep(TELL_EVERY) => {
                // Nothing depends on what is shown.
                drop(progress.update(meter.0.done.load(Ordering::Relaxed)).await);
            }
        }
    };
    drop(progress.finish().await);
    let ended = ended.unwrap_or_else(|error| Err(Stop::failed(format!("{label} failed: {error}"))));
    if meter.0.stopped.load(Ordering::Relaxed) { Err(Stop::Cancelled) } else { ended }
}
