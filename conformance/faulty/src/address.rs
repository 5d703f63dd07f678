//! PACKER_PLUGIN_ADDRESS: where the host listens.
use std::{
    ffi::{OsStr, OsString},
    net::{Ipv4Addr, SocketAddrV4},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use crate::{fault::Fault, manner::Manner};

/// Where a fault cuts a path off.
const CUT: usize = 96;

/// The host's end, as it is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A port of this machine.
    Tcp(SocketAddrV4),
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAddress {
    #[error("it starts with neither unix: nor tcp:")]
    UnknownScheme,
    #[error("no absolute path follows unix:")]
    NoPath,
    #[error("it is not tcp:127.0.0.1: and a port from 1 to 65535")]
    NotLoopbackAndPort,
}

impl Address {
    /// Reads the variable, byte for byte.
    ///
    /// # Errors
    /// What is wrong with it: `launch.bad-address`.
    pub(crate) fn parse(text: &OsStr, manner: Manner) -> Result<Self, BadAddress> {
        let bytes = text.as_bytes();
        if let Some(path) = bytes.strip_prefix(b"unix:") {
            return unix(path, manner);
        }
        match bytes.strip_prefix(b"tcp:") {
            Some(rest) if !manner.commits(Fault::UnixOnly) => tcp(rest),
            Some(_) | None => Err(BadAddress::UnknownScheme),
        }
    }
}

fn unix(path: &[u8], manner: Manner) -> Result<Address, BadAddress> {
    if !path.starts_with(b"/") || path == b"/" {
        return Err(BadAddress::NoPath);
    }
    let path = match manner.fault() {
        Some(Fault::UrlDecodesPath) => percent_decoded(path),
        Some(Fault::TruncatesPath) => path.iter().copied().take(CUT).collect(),
        _ => path.to_vec(),
    };
    Ok(Address::Unix(OsString::from_vec(path).into()))
}

fn tcp(rest: &[u8]) -> Result<Address, BadAddress> {
    let port = rest.strip_prefix(b"127.0.0.1:").and_then(port).ok_or(BadAddress::NotLoopbackAndPort)?;
    Ok(Address::Tcp(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))
}

/// Decimal, without sign and leading zeros, 1 to 65535.
fn port(digits: &[u8]) -> Option<u16> {
    if digits.starts_with(b"0") || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    match text {
        [b'%', high, low, rest @ ..] => {
            let digits = [*high, *low];
            let decoded = std::str::from_utf8(&digits).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
            [vec![decoded.unwrap_or(b'%')], percent_decoded(rest)].concat()
        }
        [first, rest @ ..] => [vec![*first], percent_decoded(rest)].concat(),
        [] => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, BadAddress> {
        Address::parse(OsStr::new(text), Manner::Green)
    }

    #[test]
    fn a_path_is_taken_byte_for_byte() {
        assert_eq!(parse("unix:/tmp/a %41ü"), Ok(Address::Unix("/tmp/a %41ü".into())));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        assert_eq!(parse("http://127.0.0.1:80"), Err(BadAddress::UnknownScheme));
        for unix in ["unix:", "unix:/", "unix:relative"] {
            assert_eq!(parse(unix), Err(BadAddress::NoPath), "{unix}");
        }
        for tcp in
            ["tcp:127.0.0.1:0", "tcp:127.0.0.1", "tcp:127.0.0.1:065", "tcp:127.0.0.1:+5", "tcp:10.0.0.1:5"]
        {
            assert_eq!(parse(tcp), Err(BadAddress::NotLoopbackAndPort), "{tcp}");
        }
    }

    #[test]
    fn only_the_fault_decodes_a_path() {
        let manner = Manner::Fault(Fault::UrlDecodesPath);
        assert_eq!(Address::parse(OsStr::new("unix:/a%41"), manner), Ok(Address::Unix("/aA".into())));
    }
}
