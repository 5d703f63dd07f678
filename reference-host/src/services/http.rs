//! Files over HTTP: read only, from one directory and nothing beside it, as long as the lease lasts.
//!
//! There are no lists of directories. A link is followed where it stays below the directory.

mod file;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

/// As many clients as a server waits for at a time; others wait for their turn.
const CLIENTS: usize = 128;
/// A client that sends its request more slowly than this is sent away.
const HEADER_WITHIN: Duration = Duration::from_secs(30);

/// A server that ends when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    port: u16,
    serving: JoinHandle<()>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoServer {
    #[error("`{0}` is no IP address")]
    NoAddress(String),
    #[error("{} is not absolute", .0.display())]
    Relative(PathBuf),
    #[error("{} cannot be served: {why}", directory.display())]
    NoDirectory { directory: PathBuf, why: io::Error },
    #[error("nothing can be served on {address}: {why}")]
    NotBound { address: IpAddr, why: io::Error },
}

impl Server {
    /// Serves a directory on some port of an address of this machine.
    pub(super) async fn start(directory: &Path, bind: &str) -> Result<Self, NoServer> {
        let address: IpAddr =
            bind.parse().map_err(|_| NoServer::NoAddress(bind.escape_debug().to_string()))?;
        if !directory.is_absolute() {
            return Err(NoServer::Relative(directory.to_owned()));
        }
        let no_directory = |why| NoServer::NoDirectory { directory: directory.to_owned(), why };
        let root = directory.canonicalize().map_err(no_directory)?;
        root.read_dir().map_err(no_directory)?;
        let not_bound = |why| NoServer::NotBound { address, why };
        let listener = TcpListener::bind(SocketAddr::new(address, 0)).await.map_err(not_bound)?;
        let port = listener.local_addr().map_err(not_bound)?.port();
        Ok(Self { port, serving: tokio::spawn(serve(listener, root.into())) })
    }

    /// Where it listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Ends it: nobody listens any more, and no client is being served.
    pub(super) async fn end(mut self) {
        self.serving.abort();
        // It was ended: that is how it answers.
        drop((&mut self.serving).await);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Clients end with the set that holds them.
async fn serve(listener: TcpListener, root: Arc<Path>) {
    let turns = Arc::new(Semaphore::new(CLIENTS));
    let mut clients = JoinSet::new();
    while let Ok(turn) = turns.clone().acquire_owned().await {
        while clients.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let client = client(stream, root.clone());
                let _handle = clients.spawn(async move {
                    client.await;
                    drop(turn);
                });
            }
            // Too many open files, or a client that was gone at once: neither is better for being asked again quickly.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn client(stream: TcpStream, root: Arc<Path>) {
    let service = service_fn(move |request| {
        let root = root.clone();
        async move { Ok::<_, Infallible>(file::answer(&root, &request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_WITHIN);
    // A client that breaks off is its own affair.
    drop(server.serve_connection(TokioIo::new(stream), service).await);
}

#[cfg(test)]
#[path = "http/tests.rs"]
mod tests;
