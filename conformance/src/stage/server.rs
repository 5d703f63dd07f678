//! A server on this machine for data sources and post-processors that speak HTTP, and one that never answers.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::rig::Rig;

/// How long a connection is kept that is never answered.
const DEAF: Duration = Duration::from_secs(600);

/// Starts both; answers their addresses, such as `127.0.0.1:4711`.
pub(super) fn start(rig: &Rig, served: BTreeMap<String, String>) -> io::Result<(String, String)> {
    let (server, address) = listen()?;
    rig.spawn(async move {
        while let Ok((connection, _)) = server.accept().await {
            drop(answer(connection, &served).await);
        }
    });
    let (deaf, deaf_address) = listen()?;
    rig.spawn(async move {
        let mut kept = Vec::new();
        while let Ok(Ok((connection, _))) = tokio::time::timeout(DEAF, deaf.accept()).await {
            kept.push(connection);
        }
    });
    Ok((address, deaf_address))
}

fn listen() -> io::Result<(TcpListener, String)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?.to_string();
    Ok((TcpListener::from_std(listener)?, address))
}

/// One request, one answer, and the end of the connection.
async fn answer(mut connection: TcpStream, served: &BTreeMap<String, String>) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|four| four == b"\r\n\r\n") && request.len() < 64 << 10 {
        if connection.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or("/").split('?').next().unwrap_or("/");
    let (status, body) = match served.get(path) {
        Some(body) => ("200 OK", body.as_str()),
        None => ("404 Not Found", "there is nothing here\n"),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body.as_bytes()).await?;
    connection.shutdown().await
}
