//! Checksums of a file, all kinds of them in one reading.
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use packwire_plugin::{Stop, meter::Meter};
use sha2::digest::DynDigest;

use crate::config::ChecksumType;

const CHUNK_BYTES: usize = 256 << 10;

/// The checksums of a file, in hexadecimal digits, in the order of the types.
pub(crate) fn of(path: &Path, types: &[ChecksumType], meter: &Meter) -> Result<Vec<String>, Stop> {
    let digested = File::open(path).and_then(|file| digest(meter.of(file), types));
    digested.map_err(|error| Stop::failed(format!("{} cannot be read: {error}", path.display())))
}

fn digest(mut content: impl Read, types: &[ChecksumType]) -> io::Result<Vec<String>> {
    let mut digests: Vec<_> = types.iter().copied().map(begun).collect();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match content.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => digests.iter_mut().for_each(|digest| digest.update(&chunk[..read])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(digests.into_iter().map(|digest| hexadecimal(&digest.finalize())).collect())
}

fn begun(checksum_type: ChecksumType) -> Box<dyn DynDigest> {
    match checksum_type {
        ChecksumType::Md5 => Box::new(md5::Md5::default()),
        ChecksumType::Sha1 => Box::new(sha1::Sha1::default()),
        ChecksumType::Sha224 => Box::new(sha2::Sha224::default()),
        ChecksumType::Sha256 => Box::new(sha2::Sha256::default()),
        ChecksumType::Sha384 => Box::new(sha2::Sha384::default()),
        ChecksumType::Sha512 => Box::new(sha2::Sha512::default()),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ChecksumType; 6] = [
        ChecksumType::Md5,
        ChecksumType::Sha1,
        ChecksumType::Sha224,
        ChecksumType::Sha256,
        ChecksumType::Sha384,
        ChecksumType::Sha512,
    ];

    #[test]
    fn checksums_are_those_of_the_standards() {
        // The examples of RFC 1321 and FIPS 180.
        assert_eq!(
            digest(&b"abc"[..], &ALL).unwrap(),
            [
                "900150983cd24fb0d6963f7d28e17f72",
                "a9993e364706816aba3e25717850c26c9cd0d89d",
                "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ]
        );
    }

    #[test]
    fn a_file_of_many_chunks_has_one_checksum() {
        let million = io::repeat(b'a').take(1_000_000);
        let sha1 = digest(million, &[ChecksumType::Sha1]).unwrap();
        assert_eq!(sha1, ["34aa973cd4c4daa4f61eeb2bdbad27316534016f"]);
    }
}
