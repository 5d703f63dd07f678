//! Where plugins dial, as the environment says it.

use std::ffi::OsStr;
use std::ops::RangeInclusive;

use packwire_wire::process::Transport;

use super::Invocation;

const TRANSPORT: &str = "PACKER_PLUGIN_TRANSPORT";
const FIRST_PORT: &str = "PACKER_PLUGIN_MIN_PORT";
const LAST_PORT: &str = "PACKER_PLUGIN_MAX_PORT";

/// The ports that Packer takes, too.
const PORTS: RangeInclusive<u16> = 10_000..=25_000;

/// The environment says something else than where plugins can dial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTransport {
    /// It names no transport.
    #[error("{TRANSPORT} is {0:?}, which is no transport")]
    Unknown(String),
    /// One end of the range is no port.
    #[error("{0} is {1:?}, which is no port")]
    Port(&'static str, String),
    /// There is no port in the range.
    #[error("{FIRST_PORT} is {first}, and {LAST_PORT} is {last}: there is no port between them")]
    Empty {
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
    },
}

impl BadTransport {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unknown(_) => {
                "`unix` is a socket that only you can dial, `tcp` a port of 127.0.0.1 that every user of this machine can"
            }
            Self::Port(..) | Self::Empty { .. } => {
                "ports are numbers from 1 to 65535, the first not above the last"
            }
        }
    }
}

impl Invocation {
    /// Where plugins dial: a Unix socket, unless the user asks for something else (`host.tcp-is-opt-in`). The ports
    /// alone ask for nothing.
    pub(super) fn transport(&self) -> Result<Transport, BadTransport> {
        match self.variable(TRANSPORT).map(|value| value.to_string_lossy()).as_deref() {
            None | Some("unix") => Ok(Transport::Unix),
            Some("tcp") => self.ports().map(Transport::Tcp),
            Some(other) => Err(BadTransport::Unknown(other.to_owned())),
        }
    }

    fn ports(&self) -> Result<RangeInclusive<u16>, BadTransport> {
        let first = port(FIRST_PORT, self.variable(FIRST_PORT).map(AsRef::as_ref), *PORTS.start())?;
        let last = port(LAST_PORT, self.variable(LAST_PORT).map(AsRef::as_ref), *PORTS.end())?;
        if first > last { Err(BadTransport::Empty { first, last }) } else { Ok(first..=last) }
    }
}

fn port(name: &'static str, value: Option<&OsStr>, otherwise: u16) -> Result<u16, BadTransport> {
    let Some(value) = value else { return Ok(otherwise) };
    let port = value.to_str().and_then(|text| text.parse().ok()).filter(|&port| port > 0);
    port.ok_or_else(|| BadTransport::Port(name, value.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> Result<Transport, String> {
        let mut invocation = Invocation::of_process();
        let set = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
        invocation.variables = variables.iter().map(set).collect();
        invocation.transport().map_err(|refused| refused.to_string())
    }

    fn refused(variables: &[(&str, &str)]) -> String {
        told(&[&[(TRANSPORT, "tcp")], variables].concat()).unwrap_err()
    }

    #[test]
    fn nobody_listens_on_tcp_unless_it_is_asked_for() {
        assert_eq!(told(&[]), Ok(Transport::Unix));
        assert_eq!(told(&[(TRANSPORT, "unix")]), Ok(Transport::Unix));
        assert_eq!(told(&[(FIRST_PORT, "20000"), (LAST_PORT, "20001")]), Ok(Transport::Unix));
    }

    #[test]
    fn ports_are_packers_or_those_of_the_environment() {
        let tcp = (TRANSPORT, "tcp");
        assert_eq!(told(&[tcp]), Ok(Transport::Tcp(10_000..=25_000)));
        assert_eq!(told(&[tcp, (LAST_PORT, "10001")]), Ok(Transport::Tcp(10_000..=10_001)));
        assert_eq!(told(&[tcp, (FIRST_PORT, "7"), (LAST_PORT, "7")]), Ok(Transport::Tcp(7..=7)));
    }

    #[test]
    fn what_is_no_transport_and_no_port_is_refused_by_name() {
        insta::assert_snapshot!(told(&[(TRANSPORT, "udp")]).unwrap_err(), @r#"PACKER_PLUGIN_TRANSPORT is "udp", which is no transport"#);
        insta::assert_snapshot!(refused(&[(FIRST_PORT, "0")]), @r#"PACKER_PLUGIN_MIN_PORT is "0", which is no port"#);
        insta::assert_snapshot!(refused(&[(LAST_PORT, "65536")]), @r#"PACKER_PLUGIN_MAX_PORT is "65536", which is no port"#);
        insta::assert_snapshot!(refused(&[(LAST_PORT, "9999")]), @"PACKER_PLUGIN_MIN_PORT is 10000, and PACKER_PLUGIN_MAX_PORT is 9999: there is no port between them");
    }
}
