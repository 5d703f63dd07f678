//! The value of `PACKER_PLUGIN_ADDRESS`: where the plugin finds its host.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::str::FromStr;

/// The longest path on which a host listens, in bytes: what every system and every language can bind and dial.
pub const LONGEST_PATH: usize = 100;

/// Where a host listens: `unix:/path` or `tcp:127.0.0.1:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A Unix socket. The path is absolute and means its bytes: nothing in it is decoded.
    Unix(PathBuf),
    /// A port of 127.0.0.1.
    Tcp(SocketAddrV4),
}

/// Why a text is no [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// The scheme is missing or not known.
    #[error("begins with neither `unix:` nor `tcp:`")]
    Scheme,
    /// Nothing follows `unix:`, or no more than `/`.
    #[error("has no path of a socket after `unix:`")]
    NoPath,
    /// The path would depend on the working directory.
    #[error("has a relative path after `unix:`")]
    RelativePath,
    /// The path holds a NUL byte, which no path can.
    #[error("has a NUL byte in its path")]
    NulInPath,
    /// Another host than 127.0.0.1, or a name.
    #[error("names another host than 127.0.0.1 after `tcp:`")]
    NotLoopback,
    /// The port is missing, no plain decimal number, or not between 1 and 65535.
    #[error("has no port between 1 and 65535")]
    Port,
}

impl Address {
    /// Reads the value of `PACKER_PLUGIN_ADDRESS`. How long a path may be is left to the system that is to
    /// dial it.
    ///
    /// # Errors
    /// Names the first thing that is wrong with it.
    pub fn parse(text: &OsStr) -> Result<Self, BadAddress> {
        let bytes = text.as_bytes();
        if let Some(path) = bytes.strip_prefix(b"unix:") {
            return unix(path);
        }
        tcp(bytes.strip_prefix(b"tcp:").ok_or(BadAddress::Scheme)?)
    }

    /// The value for `PACKER_PLUGIN_ADDRESS`, which [`Address::parse`] reads back to the same bytes.
    pub fn to_os_string(&self) -> OsString {
        match self {
            Self::Unix(path) => {
                let mut text = OsString::from("unix:");
                text.push(path);
                text
            }
            Self::Tcp(address) => format!("tcp:{address}").into(),
        }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        Self::parse(OsStr::new(text))
    }
}

/// For people: bytes that are no UTF-8 are replaced. [`Address::to_os_string`] is exact.
impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.to_os_string().to_string_lossy())
    }
}

fn unix(path: &[u8]) -> Result<Address, BadAddress> {
    match path.first() {
        None => Err(BadAddress::NoPath),
        Some(b'/') if path.len() == 1 => Err(BadAddress::NoPath),
        Some(b'/') if path.contains(&0) => Err(BadAddress::NulInPath),
        Some(b'/') => Ok(Address::Unix(OsString::from_vec(path.to_vec()).into())),
        Some(_) => Err(BadAddress::RelativePath),
    }
}

fn tcp(rest: &[u8]) -> Result<Address, BadAddress> {
    let port = rest.strip_prefix(b"127.0.0.1").ok_or(BadAddress::NotLoopback)?;
    match port {
        [] => Err(BadAddress::Port),
        [b':', digits @ ..] => {
            let port = decimal(digits).filter(|&port| port > 0).ok_or(BadAddress::Port)?;
            Ok(Address::Tcp(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))
        }
        _ => Err(BadAddress::NotLoopback),
    }
}

/// A number up to 65535 in plain decimal: no sign, no space, no leading zero.
pub(super) fn decimal(digits: &[u8]) -> Option<u16> {
    let plain = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || digits.first() != Some(&b'0'));
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_taken_byte_for_byte() {
        for path in ["/a b/%41/ü:unix:", "/tmp/x?y#z", "//"] {
            assert_eq!(format!("unix:{path}").parse(), Ok(Address::Unix(path.into())));
        }
        let long = format!("/{}", "x".repeat(300));
        assert_eq!(format!("unix:{long}").parse(), Ok(Address::Unix(long.into())));
    }

    #[test]
    fn a_path_need_not_be_utf8() {
        let text = OsStr::from_bytes(b"unix:/\xff\xfe");
        let address = Address::parse(text).unwrap();
        assert_eq!(address.to_os_string(), text);
        assert_eq!(address.to_string(), "unix:/\u{fffd}\u{fffd}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let reason = |text: &str| text.parse::<Address>().unwrap_err();
        assert_eq!(reason(""), BadAddress::Scheme);
        assert_eq!(reason("/tmp/x"), BadAddress::Scheme);
        assert_eq!(reason("UNIX:/tmp/x"), BadAddress::Scheme);
        assert_eq!(reason(" unix:/tmp/x"), BadAddress::Scheme);
        assert_eq!(reason("unix:"), BadAddress::NoPath);
        assert_eq!(reason("unix:/"), BadAddress::NoPath);
        assert_eq!(reason("unix:tmp/x"), BadAddress::RelativePath);
        assert_eq!(reason("unix:/a\0b"), BadAddress::NulInPath);
        for host in ["localhost:1", "0.0.0.0:1", "127.0.0.12:1", "[::1]:1", "", ":1", "127.0.0.1 :1"] {
            assert_eq!(reason(&format!("tcp:{host}")), BadAddress::NotLoopback, "{host:?}");
        }
        for port in ["", ":", ":0", ":65536", ":+1", ":01", ":1 ", ":0x1", ":-1", ":1:1"] {
            assert_eq!(reason(&format!("tcp:127.0.0.1{port}")), BadAddress::Port, "{port:?}");
        }
    }

    proptest! {
        #[test]
        fn every_address_survives_being_written_and_read(path in proptest::collection::vec(1_u8.., 1..99), port in 1_u16..) {
            let path: OsString = OsString::from_vec([b"/".as_slice(), &path].concat());
            for address in [Address::Unix(path.into()), Address::Tcp(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))] {
                prop_assert_eq!(Address::parse(&address.to_os_string()), Ok(address));
            }
        }

        #[test]
        fn what_is_accepted_is_written_back_unchanged(bytes in proptest::collection::vec(any::<u8>(), 0..120), scheme in "(unix:/?|tcp:127.0.0.1:?)?") {
            let text = OsString::from_vec([scheme.as_bytes(), &bytes].concat());
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(address.to_os_string(), text);
            }
        }
    }
}
