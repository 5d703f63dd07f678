//! `overheard FILE PLUGIN [ARGUMENTS]`: a plugin that is another one, and writes down what that one and its host say.
//!
//! It stands on the connection between the two and changes nothing. When both have gone, FILE has each call and each
//! answer as a line; `cargo xtask transcript` makes the annotated transcript of SPEC.md of such files.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};

use capnp::message::ReaderOptions;
use capnp::{any_pointer, dynamic_value};
use capnp_rpc::rpc_capnp::{exception, message, return_};
use packwire_conformance::rig::{Frames, Half, MethodId, Sender, carried, method_name};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const ADDRESS: &str = "PACKER_PLUGIN_ADDRESS";
const CHUNK_BYTES: usize = 64 << 10;

type Anything<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Anything<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    let (file, program) =
        arguments.next().zip(arguments.next()).ok_or("overheard FILE PLUGIN [ARGUMENTS]")?;
    let address = env::var(ADDRESS)?;
    let host = UnixStream::connect(address.strip_prefix("unix:").ok_or("only unix: is overheard")?).await?;
    let place = tempfile::tempdir()?;
    let socket = place.path().join("s");
    let listener = UnixListener::bind(&socket)?;
    let mut plugin = start(&program, arguments, &socket)?;
    let (link, _) = listener.accept().await?;
    let heard = Arc::default();
    pass_on(link, host, &heard).await;
    let status = tokio::task::spawn_blocking(move || plugin.wait()).await??;
    let frames = heard.lock().unwrap_or_else(PoisonError::into_inner);
    std::fs::write(file, lines(&frames)?)?;
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1))?))
}

#[expect(clippy::disallowed_methods, reason = "`main` waits for the one process that this program starts")]
fn start(
    program: &std::ffi::OsStr,
    arguments: impl Iterator<Item = std::ffi::OsString>,
    socket: &std::path::Path,
) -> std::io::Result<std::process::Child> {
    let mut command = Command::new(program);
    command.arg0(program).args(arguments).env(ADDRESS, format!("unix:{}", socket.display())).spawn()
}

/// Who sent a message, and its bytes.
type Heard = Mutex<Vec<(Sender, Vec<u8>)>>;

async fn pass_on(plugin: UnixStream, host: UnixStream, heard: &Arc<Heard>) {
    let (from_plugin, to_plugin) = plugin.into_split();
    let (from_host, to_host) = host.into_split();
    let up = listen(from_plugin, to_host, Sender::Plugin, heard);
    let down = listen(from_host, to_plugin, Sender::Host, heard);
    // A side that has gone ends the other direction by itself.
    tokio::join!(up, down);
}

async fn listen(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    sender: Sender,
    heard: &Arc<Heard>,
) {
    let (mut frames, mut chunk) = (Frames::default(), vec![0; CHUNK_BYTES]);
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let mut whole = Vec::new();
        frames.cut(&chunk[..count], |cut| whole.extend(cut.ok().map(|frame| (sender, frame.to_vec()))));
        heard.lock().unwrap_or_else(PoisonError::into_inner).extend(whole);
        if to.write_all(&chunk[..count]).await.is_err() {
            break;
        }
    }
    drop(to.shutdown().await);
}

/// Calls and answers as lines; what belongs to the bookkeeping of the library is left out.
fn lines(frames: &[(Sender, Vec<u8>)]) -> Anything<String> {
    let mut asked = HashMap::new();
    let mut text = String::new();
    for (sender, frame) in frames {
        let reader = capnp::serialize::read_message(&frame[..], ReaderOptions::new())?;
        let line = match reader.get_root::<message::Reader<'_>>()?.which()? {
            message::Call(call) => {
                let call = call?;
                let method = (call.get_interface_id(), call.get_method_id());
                asked.insert((*sender, call.get_question_id()), method);
                let params = told(method, Half::Params, call.get_params()?.get_content())?;
                format!("{}  {}{params}", sender.arrow(), method_name(method))
            }
            message::Return(answer) => {
                let answer = answer?;
                let Some(method) = asked.remove(&(sender.other(), answer.get_answer_id())) else { continue };
                format!("{}  = {}", sender.arrow(), answered(method, answer)?)
            }
            _ => continue,
        };
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

fn answered(method: MethodId, answer: return_::Reader<'_>) -> Anything<String> {
    let name = method_name(method);
    Ok(match answer.which()? {
        return_::Results(results) => {
            format!("{name}{}", told(method, Half::Results, results?.get_content())?)
        }
        return_::Exception(thrown) => format!("{name} fails: {}", reason(thrown?)?),
        _ => "nothing".to_owned(),
    })
}

fn reason(thrown: exception::Reader<'_>) -> Anything<String> {
    Ok(thrown.get_reason()?.to_str()?.lines().next().unwrap_or_default().to_owned())
}

/// What the parameters or results of a method are in words.
fn told(method: MethodId, half: Half, content: any_pointer::Reader<'_>) -> Anything<String> {
    let carried = carried(method, half, content)?;
    Ok(carried.map(|carried| format!("{:?}", dynamic_value::Reader::from(carried))).unwrap_or_default())
}
