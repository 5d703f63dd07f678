//! Bytes of this machine that go into a stream.
use packwire_schema::{stream_capnp::byte_stream, work_capnp::outcome};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use crate::fault::Fault;

const CHUNK: usize = 64 << 10;

/// Ends a stream; an error is that it did not arrive.
pub(super) async fn finish(stream: &byte_stream::Client, fault: Option<Fault>) -> Result<(), capnp::Error> {
    let ended = stream.end_request().send().promise.await?;
    match ended.get()?.get_outcome()?.which() {
        Ok(outcome::Done(())) => Ok(()),
        Err(_) if fault == Some(Fault::UnknownEndOfOutputAsDefault) => Ok(()),
        _ => Err(capnp::Error::failed("what was sent did not arrive".to_owned())),
    }
}

/// Ends a stream into which all was sent, and aborts another one.
pub(super) async fn finish_or_abort(
    sent: Result<(), capnp::Error>,
    stream: &byte_stream::Client,
    fault: Option<Fault>,
) -> Result<(), capnp::Error> {
    match (&sent, fault) {
        (Ok(()), _) => return finish(stream, fault).await,
        (Err(_), Some(Fault::DownloadLeavesStream)) => {}
        (Err(_), Some(Fault::DownloadEndsOnFailure)) => finish(stream, fault).await?,
        // Whoever is gone need not hear it.
        (Err(_), _) => drop(stream.abort_request().send().promise.await),
    }
    sent
}

/// Sends everything, and leaves the stream open.
pub(super) async fn send_open(
    from: &mut (impl AsyncRead + Unpin),
    stream: &byte_stream::Client,
    fault: Option<Fault>,
) -> Result<(), capnp::Error> {
    send_until(&CancellationToken::new(), from, stream, fault).await
}

/// The same until nothing more comes: then it is over, whoever might send more.
pub(super) async fn send_until(
    over: &CancellationToken,
    from: &mut (impl AsyncRead + Unpin),
    stream: &byte_stream::Client,
    fault: Option<Fault>,
) -> Result<(), capnp::Error> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = tokio::select! {
            biased;
            count = from.read(&mut buffer) => count?,
            () = over.cancelled() => 0,
        };
        if count == 0 {
            return Ok(());
        }
        let bytes = translated(&buffer[..count], fault);
        let mut request = stream.write_request();
        request.get().set_bytes(&bytes);
        request.send().promise.await?;
    }
}

fn translated(bytes: &[u8], fault: Option<Fault>) -> Vec<u8> {
    match fault {
        Some(Fault::Utf8LossyOutput) => String::from_utf8_lossy(bytes).into_owned().into_bytes(),
        Some(Fault::CrlfTranslation) => bytes
            .iter()
            .flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] })
            .collect(),
        _ => bytes.to_vec(),
    }
}
