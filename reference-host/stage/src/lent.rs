//! What a run can be lent, used by a command as its arguments say, and by a build.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use packwire_plugin::{CommandRun, Diagnostic, Environment, Stop, Ui};

/// One of each, and given back.
pub(crate) async fn each(ui: &Ui, lent: &Environment) -> Result<(), Stop> {
    let cached = lent.cache("https://example/a.iso?b=c", false).await??;
    fs::write(&cached.given, "image").map_err(|error| Stop::failed(error.to_string()))?;
    ui.say(format!("cache: {}", cached.given.ends_with(".iso"))).await?;
    ui.say(format!("a second lease: {}", why(lent.cache("b", true).await?))).await?;
    cached.close().await?;
    ui.say(format!("once it is given back: {}", lent.cache("b", true).await?.is_ok())).await?;

    let port = lent.port(20_000, 30_000).await??;
    ui.say(format!("port: {}", (20_000..=30_000).contains(&port.given))).await?;
    ui.say(format!("the same port again: {}", lent.port(port.given, port.given).await?.is_ok())).await?;

    let directory = lent.temp_dir().await??;
    fs::write(Path::new(&directory.given).join("file"), "over HTTP")
        .map_err(|error| Stop::failed(error.to_string()))?;
    let server = lent.serve(directory.given.as_str(), "127.0.0.1").await??;
    ui.say(format!("served: {}", fetched(server.given).unwrap_or_default())).await?;
    server.close().await?;
    ui.say(format!("served after the end: {:?}", fetched(server.given).is_ok())).await?;

    let keys = lent.key_pair("ed25519").await??;
    let mode = fs::metadata(&keys.given.private_key_path).map(|file| file.permissions().mode() & 0o777);
    ui.say(format!("public key: {}", keys.given.public_key.starts_with("ssh-ed25519 "))).await?;
    ui.say(format!("private key: {:o}", mode.unwrap_or_default())).await?;
    keys.close().await?;
    ui.say(format!("after the end: {}", Path::new(&keys.given.private_key_path).exists())).await?;
    ui.say(format!("another type: {}", why(lent.key_pair("dsa").await?))).await?;
    match lent.remember("thing").await? {
        Ok(entry) => {
            entry.settle().await?;
            ui.say("an entry: settled").await?;
        }
        refused => ui.say(format!("an entry: {}", why(refused))).await?,
    }
    // The directory is the host's to take back.
    Ok(())
}

/// Holds a key of the cache until it is stopped, and then writes into the file.
pub(crate) async fn hold(run: &CommandRun) -> Result<u8, Stop> {
    let cached = run.environment.cache("key", false).await??;
    drop(fs::write(&cached.given, "half"));
    run.ui.say("holding").await?;
    run.ui.flush().await?;
    run.cancellation.cancelled().await;
    drop(fs::write(&cached.given, "whole"));
    Err(Stop::Cancelled)
}

/// Waits for that key, and says what is in the file.
pub(crate) async fn take(run: &CommandRun) -> Result<u8, Stop> {
    run.ui.say("asking").await?;
    run.ui.flush().await?;
    let cached = run.environment.cache("key", false).await??;
    run.ui.say(format!("taken: {}", fs::read_to_string(&cached.given).unwrap_or_default())).await?;
    Ok(0)
}

fn fetched(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

fn why<T>(answer: Result<T, Vec<Diagnostic>>) -> String {
    answer.err().into_iter().flatten().map(|one| one.summary).collect()
}
