//! The plugin as a process, ended in every way, while a server does not answer.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]
use packwire_plugin::{
    Stop,
    testing::{
        Ended, Host, Process,
        process::{End, Running},
    },
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A plugin that has asked a server, and the connection on which it waits.
struct Asking {
    plugin: Process,
    host: Host,
    running: Running<Value>,
    url: String,
    connection: TcpStream,
}

async fn asking() -> Asking {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    let plugin = Process::attach(env!("CARGO_BIN_EXE_packer-data-source-http")).await.unwrap();
    let host = Host::new();
    let running = plugin.query(&host, json!({"url": url}));
    let (mut connection, _) = server.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(connection.read_u8().await.unwrap());
    }
    assert!(request.starts_with(b"GET / HTTP/1.1\r\n"));
    Asking { plugin, host, running, url, connection }
}

#[tokio::test]
async fn what_the_server_answers_is_the_value() {
    let mut asking = asking().await;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    asking.connection.write_all(answer).await.unwrap();
    let found = asking.running.await.unwrap();
    let headers = json!({"content-length": "5"});
    assert_eq!(found, json!({"url": asking.url, "status": 200, "headers": headers, "body": "hello"}));
    assert_eq!(asking.plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn a_cancelled_query_hangs_up_and_the_plugin_stays() {
    let mut asking = asking().await;
    asking.host.cancel();
    assert_eq!(asking.running.await, Err(Stop::Cancelled));
    assert_eq!(asking.connection.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(asking.plugin.leave().await, Ok(Ended::Exited(0)));
}

#[tokio::test]
async fn whatever_ends_the_session_ends_the_query() {
    for end in End::ALL {
        let mut asking = asking().await;
        asking.plugin.end(end).await.unwrap();
        assert_eq!(asking.connection.read(&mut [0]).await.unwrap(), 0);
    }
}
