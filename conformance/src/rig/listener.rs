//! Where a host listens, and the connections that come there.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use super::manners::Listens;

/// A socket that listens.
pub(super) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// The two directions of a connection, and a second descriptor of it.
pub(super) type Halves = (Box<dyn AsyncRead + Unpin>, Box<dyn AsyncWrite + Unpin>, OwnedFd);

impl Listener {
    /// Listens, and says at which address; `number` names the sockets that have no name.
    pub(super) fn bind(listens: &Listens, sockets: &Path, number: usize) -> io::Result<(Self, OsString)> {
        let name = match listens {
            Listens::Tcp => return Self::bind_tcp(),
            Listens::Unix => OsString::from(number.to_string()),
            Listens::UnixNamed(name) => name.clone(),
        };
        let path = sockets.join(name);
        let listener = UnixListener::bind(&path)?;
        let mut address = OsString::from("unix:");
        address.push(path);
        Ok((Self::Unix(listener), address))
    }

    fn bind_tcp() -> io::Result<(Self, OsString)> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = format!("tcp:{}", listener.local_addr()?);
        Ok((Self::Tcp(TcpListener::from_std(listener)?), address.into()))
    }

    /// The next connection.
    pub(super) async fn next(&self) -> io::Result<Halves> {
        match self {
            Self::Unix(listener) => {
                let stream = listener.accept().await?.0.into_std()?;
                let descriptor = stream.try_clone()?.into();
                let (read, write) = tokio::net::UnixStream::from_std(stream)?.into_split();
                Ok((Box::new(read), Box::new(write), descriptor))
            }
            Self::Tcp(listener) => {
                let stream = listener.accept().await?.0.into_std()?;
                let descriptor = stream.try_clone()?.into();
                let (read, write) = tokio::net::TcpStream::from_std(stream)?.into_split();
                Ok((Box::new(read), Box::new(write), descriptor))
            }
        }
    }
}
