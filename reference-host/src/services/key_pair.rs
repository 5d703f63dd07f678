//! Key pairs for SSH, in OpenSSH's formats.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey};

/// As `ssh-keygen` makes them.
const RSA_BITS: usize = 3072;

/// What the host makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyType {
    Ed25519,
    Rsa,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoKeys {
    #[error("this host makes no key pairs of type `{0}`, but of ed25519 and rsa")]
    UnknownType(String),
    #[error("the keys cannot be made: {0}")]
    NotMade(#[from] ssh_key::Error),
    #[error("the private key cannot be written: {0}")]
    NotWritten(#[from] io::Error),
}

impl KeyType {
    pub(super) fn of(name: &str) -> Result<Self, NoKeys> {
        match name {
            "ed25519" => Ok(Self::Ed25519),
            "rsa" => Ok(Self::Rsa),
            other => Err(NoKeys::UnknownType(other.escape_debug().to_string())),
        }
    }

    /// Makes a pair: the private key in a new file at `path`, for its owner alone; yields the public key's line.
    pub(super) fn make(self, path: &Path) -> Result<String, NoKeys> {
        let mut key = match self {
            Self::Ed25519 => PrivateKey::random(&mut OsRng, Algorithm::Ed25519)?,
            Self::Rsa => PrivateKey::new(KeypairData::from(RsaKeypair::random(&mut OsRng, RSA_BITS)?), "")?,
        };
        key.set_comment("packwire");
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(key.to_openssh(LineEnding::LF)?.as_bytes())?;
        Ok(key.public_key().to_openssh()?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn check(name: &str, prefix: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let public = KeyType::of(name).unwrap().make(&path).unwrap();
        assert!(public.starts_with(prefix) && public.ends_with(" packwire"), "{public}");
        assert!(!public.contains('\n'));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        let private = PrivateKey::read_openssh_file(&path).unwrap();
        assert_eq!(private.public_key().to_openssh().unwrap(), public);
        assert!(KeyType::of(name).unwrap().make(&path).is_err(), "nothing is overwritten");
    }

    #[test]
    fn an_ed25519_pair_is_one_that_openssh_reads() {
        check("ed25519", "ssh-ed25519 ");
    }

    #[test]
    fn an_rsa_pair_is_one_that_openssh_reads() {
        check("rsa", "ssh-rsa ");
    }

    #[test]
    fn other_types_are_refused_by_name() {
        let refused = KeyType::of("dsa\u{1b}").unwrap_err().to_string();
        assert_eq!(refused, "this host makes no key pairs of type `dsa\\u{1b}`, but of ed25519 and rsa");
    }
}
