//! Streams that are compressed, read by what they begin with and written as asked for.
use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::{Compression as Level, read::MultiGzDecoder, write::GzEncoder};
use lzma_rust2::XzReader;
use packwire_plugin::zstd;
use ruzstd::decoding::StreamingDecoder;

const CHUNK_BYTES: usize = 256 << 10;
const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How a stream is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// What a stream contains, decompressed if it is compressed.
pub(crate) fn decompressed(stream: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut stream = BufReader::with_capacity(CHUNK_BYTES, stream);
    let begin = stream.fill_buf()?;
    Ok(match () {
        () if begin.starts_with(GZIP) => Box::new(MultiGzDecoder::new(stream)),
        () if begin.starts_with(XZ) => Box::new(XzReader::new(stream, true)),
        () if begin.starts_with(ZSTD) => Box::new(Frames { state: Some(Frame::Between(stream)) }),
        () => Box::new(stream),
    })
}

/// The frames of a Zstandard stream, one after another.
struct Frames<R: BufRead> {
    /// Missing after an error alone.
    state: Option<Frame<R>>,
}

enum Frame<R: BufRead> {
    Between(R),
    Within(Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state.take() {
                None => return Err(io::Error::other("the stream is broken")),
                Some(Frame::Between(mut stream)) => {
                    if stream.fill_buf()?.is_empty() {
                        self.state = Some(Frame::Between(stream));
                        return Ok(0);
                    }
                    let frame = StreamingDecoder::new(stream).map_err(io::Error::other)?;
                    self.state = Some(Frame::Within(Box::new(frame)));
                }
                Some(Frame::Within(mut frame)) => match frame.read(buffer)? {
                    0 if !buffer.is_empty() => self.state = Some(Frame::Between(frame.into_inner())),
                    read => {
                        self.state = Some(Frame::Within(frame));
                        return Ok(read);
                    }
                },
            }
        }
    }
}

/// Has something written, and writes it compressed; gives back what it was written into.
///
/// # Errors
/// What `write` says, or one line for people.
pub(crate) fn compress<T, W: Write + Send + 'static>(
    compression: Compression,
    mut into: W,
    write: impl FnOnce(&mut dyn Write) -> Result<T, String>,
) -> Result<(T, W), String> {
    let unwritable = |error: io::Error| format!("the archive cannot be written: {error}");
    let (written, finished) = match compression {
        Compression::None => (write(&mut into)?, Ok(into)),
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(into, Level::default());
            (write(&mut encoder)?, encoder.finish())
        }
        Compression::Zstd => {
            let mut encoder = zstd::Encoder::new(into).map_err(unwritable)?;
            (write(&mut encoder)?, encoder.finish())
        }
    };
    let mut into = finished.map_err(unwritable)?;
    into.flush().map_err(unwritable)?;
    Ok((written, into))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn text() -> Vec<u8> {
        (0..100_000_u32).flat_map(u32::to_le_bytes).collect()
    }

    fn compressed(compression: Compression) -> Vec<u8> {
        let all = |into: &mut dyn Write| into.write_all(&text()).map_err(|error| error.to_string());
        compress(compression, Vec::new(), all).unwrap().1
    }

    fn read(bytes: Vec<u8>) -> Vec<u8> {
        let mut read = Vec::new();
        decompressed(io::Cursor::new(bytes)).unwrap().read_to_end(&mut read).unwrap();
        read
    }

    #[test]
    fn what_was_compressed_is_read_again_by_what_it_begins_with() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            assert!(read(compressed(compression)) == text(), "{compression:?}");
        }
    }

    #[test]
    fn parts_one_after_another_are_one_stream() {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let twice = [compressed(compression), compressed(compression)].concat();
            assert!(read(twice) == [text(), text()].concat(), "{compression:?}");
        }
    }

    #[test]
    fn xz_is_read() {
        let mut writer = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::default()).unwrap();
        writer.write_all(&text()).unwrap();
        assert!(read(writer.finish().unwrap()) == text());
    }

    #[test]
    fn a_full_disk_fails_and_does_not_panic() {
        let all = |into: &mut dyn Write| into.write_all(&text()).map_err(|error| error.to_string());
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let told = compress(compression, full, all).unwrap_err();
            assert!(told.contains("No space left"), "{compression:?}: {told}");
        }
    }
}
