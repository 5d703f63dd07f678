//! Trees on the streams of a link: a thread that may block reads and writes files, and waits for the stream.
use std::{
    io::{self, Read, Write},
    path::PathBuf,
};

use bytes::{Buf, Bytes, BytesMut};
use packwire_wire::{StreamReceiver, StreamSender};
use tokio::{runtime::Handle, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::{pack, unpack};
use crate::{Cancellation, Stop, done, outcome};

const CHUNK_BYTES: usize = 256 << 10;

/// Packs a directory into a stream and ends it.
///
/// # Errors
/// What [`pack`] refuses, the receiver's verdict, or that it was cancelled. The stream is aborted then.
pub async fn send(
    directory: impl Into<PathBuf>,
    into: StreamSender,
    cancellation: &Cancellation,
) -> Result<(), Stop> {
    let directory = directory.into();
    let token = cancellation.token().child_token();
    // Whoever drops this call must not leave the thread behind.
    let _guard = token.clone().drop_guard();
    let pending = BytesMut::with_capacity(CHUNK_BYTES);
    let mut outgoing = Outgoing { runtime: Handle::current(), stream: into, token, pending, stopped: None };
    let packed = spawn_blocking(move || (pack(&directory, &mut outgoing), outgoing)).await;
    let (packed, Outgoing { stream, stopped, .. }) =
        packed.map_err(|error| Stop::failed(error.to_string()))?;
    match packed {
        Ok(()) => done(stream.end().await?),
        Err(error) => {
            // The receiver learns that there is no more; it needs no other answer.
            drop(stream.abort().await);
            Err(stopped.unwrap_or_else(|| Stop::failed(error.to_string())))
        }
    }
}

/// Unpacks a stream below a directory, and gives the verdict on it.
///
/// # Errors
/// What [`unpack`] refuses; [`Stop::Cancelled`] also where the sender aborted. The directory is what it was then.
pub async fn receive(
    from: StreamReceiver,
    directory: impl Into<PathBuf>,
    cancellation: &Cancellation,
) -> Result<(), Stop> {
    let directory = directory.into();
    let token = cancellation.token().child_token();
    let _guard = token.clone().drop_guard();
    let chunk = Bytes::new();
    let mut incoming = Incoming { runtime: Handle::current(), stream: from, token, chunk, stopped: None };
    let unpacked = spawn_blocking(move || (unpack(&mut incoming, &directory), incoming)).await;
    let (unpacked, Incoming { stream, stopped, .. }) =
        unpacked.map_err(|error| Stop::failed(error.to_string()))?;
    let result = unpacked.map_err(|error| stopped.unwrap_or_else(|| Stop::failed(error.to_string())));
    stream.finish(outcome(result.clone()));
    result
}

/// A stream as something to write to, for a thread that may block.
struct Outgoing {
    runtime: Handle,
    stream: StreamSender,
    token: CancellationToken,
    pending: BytesMut,
    /// Why there is no more to write, where that is not the fault of the tree.
    stopped: Option<Stop>,
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let Self { runtime, stream, token, pending, stopped } = self;
        let write = async {
            tokio::select! {
                biased;
                () = token.cancelled() => Err(Stop::Cancelled),
                written = stream.write(pending.split()) => written.map_err(Stop::from),
            }
        };
        runtime.block_on(write).map_err(|stop| stopped_by(stop, stopped))
    }
}

/// A stream as something to read from, for a thread that may block.
struct Incoming {
    runtime: Handle,
    stream: StreamReceiver,
    token: CancellationToken,
    chunk: Bytes,
    /// Why nothing more comes, where that is not the fault of the archive.
    stopped: Option<Stop>,
}

impl Read for Incoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() && !into.is_empty() {
            let Self { runtime, stream, token, chunk, stopped } = self;
            let next = async {
                tokio::select! {
                    biased;
                    () = token.cancelled() => Err(Stop::Cancelled),
                    // Whoever aborts a stream has stopped the work, and knows why.
                    next = stream.next() => next.map_err(|_| Stop::Cancelled),
                }
            };
            *chunk = runtime.block_on(next).map_err(|stop| stopped_by(stop, stopped))?.unwrap_or_default();
        }
        let length = self.chunk.len().min(into.len());
        self.chunk.copy_to_slice(&mut into[..length]);
        Ok(length)
    }
}

/// Keeps why the stream stopped; who reads or writes only has to stop.
fn stopped_by(stop: Stop, kept: &mut Option<Stop>) -> io::Error {
    *kept = Some(stop);
    io::Error::other("the stream has stopped")
}
