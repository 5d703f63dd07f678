//! Bytes that are compressed on their way.
use std::io::{self, Write};

use flate2::write::GzEncoder;
use lzma_rust2::{XzOptions, XzWriter};
use packwire_plugin::zstd;

use crate::format::Compression;

/// What `xz` and `gzip` do where nobody says a level.
const USUAL_LEVEL: u32 = 6;

/// Takes bytes, and writes them compressed.
pub(crate) enum Encoder<W: Write + Send + 'static> {
    None(W),
    Gzip(GzEncoder<W>),
    Xz(Box<XzWriter<W>>),
    Zstd(zstd::Encoder<W>),
}

impl<W: Write + Send + 'static> Encoder<W> {
    pub(crate) fn new(compression: Compression, into: W) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(into),
            Compression::Gzip(level) => {
                let level = flate2::Compression::new(level.unwrap_or(USUAL_LEVEL));
                Self::Gzip(GzEncoder::new(into, level))
            }
            Compression::Xz(level) => {
                let options = XzOptions::with_preset(level.unwrap_or(USUAL_LEVEL));
                Self::Xz(Box::new(XzWriter::new(into, options)?))
            }
            Compression::Zstd => Self::Zstd(zstd::Encoder::new(into)?),
        })
    }

    /// Writes the end.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::None(into) => Ok(into),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Xz(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write + Send + 'static> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(into) => into.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Xz(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const ALL: [Compression; 6] = [
        Compression::None,
        Compression::Gzip(None),
        Compression::Gzip(Some(1)),
        Compression::Xz(None),
        Compression::Xz(Some(1)),
        Compression::Zstd,
    ];

    fn text() -> Vec<u8> {
        (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
    }

    fn decoded(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut decoded = Vec::new();
        let mut reader: Box<dyn Read> = match compression {
            Compression::None => Box::new(bytes),
            Compression::Gzip(_) => Box::new(flate2::read::GzDecoder::new(bytes)),
            Compression::Xz(_) => Box::new(lzma_rust2::XzReader::new(bytes, true)),
            Compression::Zstd => Box::new(ruzstd::decoding::StreamingDecoder::new(bytes).unwrap()),
        };
        reader.read_to_end(&mut decoded).unwrap();
        decoded
    }

    #[test]
    fn what_was_compressed_can_be_read_again() {
        for (compression, text) in ALL.into_iter().flat_map(|one| [(one, text()), (one, Vec::new())]) {
            let mut encoder = Encoder::new(compression, Vec::new()).unwrap();
            encoder.write_all(&text).unwrap();
            let bytes = encoder.finish().unwrap();
            assert!(decoded(compression, &bytes) == text, "{compression:?}");
            assert!(text.is_empty() || compression == Compression::None || bytes.len() < text.len());
        }
    }

    #[test]
    fn a_full_disk_is_an_error_that_says_so() {
        for compression in ALL {
            let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
            let write = || {
                let mut encoder = Encoder::new(compression, full)?;
                encoder.write_all(&text())?;
                encoder.finish()
            };
            let told = write().unwrap_err().to_string();
            assert!(told.contains("No space left"), "{compression:?}: {told}");
        }
    }
}
