//! Bytes that are compressed with Zstandard on their way. Only with the feature `zstd`.
use std::{
    io::{self, Read, Write},
    thread::JoinHandle,
};

use ruzstd::encoding::{CompressionLevel, FrameCompressor};

/// Takes bytes, and writes them compressed. Dropped without [`finish`](Self::finish), the end is missing.
///
/// The encoder behind it reads what it compresses, and panics where reading or writing fails: it gets a thread of its
/// own, and never sees that.
#[derive(Debug)]
pub struct Encoder<W> {
    /// Missing when it was written to its end, or can be no more.
    bytes: Option<io::PipeWriter>,
    encoding: Option<JoinHandle<io::Result<W>>>,
}

impl<W: Write + Send + 'static> Encoder<W> {
    /// Compresses into this.
    ///
    /// # Errors
    /// There is no pipe or no thread to be had.
    pub fn new(into: W) -> io::Result<Self> {
        let (source, bytes) = io::pipe()?;
        let encoding = std::thread::Builder::new().name("zstd".to_owned()).spawn(move || {
            let mut drain = Lasting { into, failed: None };
            let mut encoder = FrameCompressor::new(CompressionLevel::Fastest);
            let _none_before = (encoder.set_source(Ending(source)), encoder.set_drain(&mut drain));
            encoder.compress();
            let Lasting { into, failed } = drain;
            failed.map_or(Ok(into), Err)
        })?;
        Ok(Self { bytes: Some(bytes), encoding: Some(encoding) })
    }

    /// Writes the end.
    ///
    /// # Errors
    /// What could not be written, now or before.
    pub fn finish(mut self) -> io::Result<W> {
        self.ended()
    }

    /// How the encoder ended, which is told once.
    fn ended(&mut self) -> io::Result<W> {
        drop(self.bytes.take());
        let encoding = self.encoding.take().ok_or_else(|| io::Error::other("the encoder has failed"))?;
        encoding.join().map_err(|_| io::Error::other("the encoder failed"))?
    }
}

impl<W: Write + Send + 'static> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written =
            self.bytes.as_mut().map_or(Err(io::ErrorKind::BrokenPipe.into()), |pipe| pipe.write(bytes));
        match written {
            // Nobody reads any more: why not counts.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(self.ended().err().unwrap_or(error))
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W> Drop for Encoder<W> {
    /// The thread writes into a file that is about to go: it ends first.
    fn drop(&mut self) {
        drop(self.bytes.take());
        if let Some(encoding) = self.encoding.take() {
            drop(encoding.join());
        }
    }
}

/// A source that ends where it cannot be read.
struct Ending(io::PipeReader);

impl Read for Ending {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return Ok(read.unwrap_or(0)),
            }
        }
    }
}

/// A drain that takes all, and keeps the first error.
struct Lasting<W> {
    into: W,
    failed: Option<io::Error>,
}

impl<W: Write> Write for Lasting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed.is_none()
            && let Err(error) = self.into.write_all(bytes)
        {
            self.failed = Some(error);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Vec<u8> {
        (0..100_000_u32).flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn what_was_compressed_can_be_read_again() {
        let mut encoder = Encoder::new(Vec::new()).unwrap();
        encoder.write_all(&text()).unwrap();
        let bytes = encoder.finish().unwrap();
        let mut read = Vec::new();
        ruzstd::decoding::StreamingDecoder::new(&bytes[..]).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == text() && bytes.len() < read.len());
    }

    #[test]
    fn a_full_disk_is_an_error_that_says_so() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut encoder = Encoder::new(full).unwrap();
        let written = encoder.write_all(&text()).and_then(|()| encoder.finish());
        assert!(written.unwrap_err().to_string().contains("No space left"));
    }
}
