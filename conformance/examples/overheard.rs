//! `overheard FILE PLUGIN [ARGUMENTS]`: a plugin that is another one, and writes down what that one and its host say.
//!
//! It stands on the connection between the two and changes nothing. When both have gone, FILE has each call and each
//! answer as a line; `cargo xtask transcript` makes the annotated transcript of SPEC.md of such files.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::fmt::Debug;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};

use capnp::any_pointer;
use capnp::message::ReaderOptions;
use capnp::traits::{FromPointerReader, HasTypeId};
use capnp_rpc::rpc_capnp::{exception, message, return_};
use packwire_conformance::rig::{Frames, method_name};
use packwire_schema::{
    artifact_capnp, attach_capnp, builder_capnp, communicator_capnp, connector_capnp, data_source_capnp,
    environment_capnp, hook_capnp, post_processor_capnp, provisioner_capnp, stream_capnp, ui_capnp,
    work_capnp,
};
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
type Heard = Mutex<Vec<(Side, Vec<u8>)>>;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Host,
    Plugin,
}

impl Side {
    fn other(self) -> Self {
        if self == Self::Host { Self::Plugin } else { Self::Host }
    }

    fn arrow(self) -> &'static str {
        if self == Self::Host { "host → plugin" } else { "plugin → host" }
    }
}

async fn pass_on(plugin: UnixStream, host: UnixStream, heard: &Arc<Heard>) {
    let (from_plugin, to_plugin) = plugin.into_split();
    let (from_host, to_host) = host.into_split();
    let up = listen(from_plugin, to_host, Side::Plugin, heard);
    let down = listen(from_host, to_plugin, Side::Host, heard);
    // A side that has gone ends the other direction by itself.
    tokio::join!(up, down);
}

async fn listen(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    sender: Side,
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
fn lines(frames: &[(Side, Vec<u8>)]) -> Anything<String> {
    let mut asked = HashMap::new();
    let mut text = String::new();
    for (sender, frame) in frames {
        let reader = capnp::serialize::read_message(&frame[..], ReaderOptions::new())?;
        let line = match reader.get_root::<message::Reader<'_>>()?.which()? {
            message::Call(call) => {
                let call = call?;
                let method = (call.get_interface_id(), call.get_method_id());
                asked.insert((*sender, call.get_question_id()), method);
                let params = told(method, Content::Params(call.get_params()?.get_content()))?;
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

fn answered(method: (u64, u16), answer: return_::Reader<'_>) -> Anything<String> {
    let name = method_name(method);
    Ok(match answer.which()? {
        return_::Results(results) => {
            format!("{name}{}", told(method, Content::Results(results?.get_content()))?)
        }
        return_::Exception(thrown) => format!("{name} fails: {}", reason(thrown?)?),
        _ => "nothing".to_owned(),
    })
}

fn reason(thrown: exception::Reader<'_>) -> Anything<String> {
    Ok(thrown.get_reason()?.to_str()?.lines().next().unwrap_or_default().to_owned())
}

/// What a message carries.
enum Content<'a> {
    Params(any_pointer::Reader<'a>),
    Results(any_pointer::Reader<'a>),
}

/// What the parameters or results of a method are in words.
fn told(method: (u64, u16), content: Content<'_>) -> Anything<String> {
    macro_rules! methods {
        ($($file:ident::$interface:ident { $($number:literal $params:ident $results:ident,)+ })+) => {
            $($(if method == (<$file::$interface::Client as HasTypeId>::TYPE_ID, $number) {
                return match content {
                    Content::Params(params) => shown::<$file::$interface::$params::Reader<'_>>(params),
                    Content::Results(results) => shown::<$file::$interface::$results::Reader<'_>>(results),
                };
            })+)+
        };
    }
    methods! {
        artifact_capnp::artifact {
            0 describe_params describe_results,
            1 state_params state_results,
            2 destroy_params destroy_results,
            3 close_params close_results,
        }
        attach_capnp::host {
            0 attach_params attach_results,
        }
        builder_capnp::image_builder {
            0 prepare_params prepare_results,
        }
        builder_capnp::build {
            0 run_params run_results,
            1 close_params close_results,
        }
        communicator_capnp::communicator {
            0 info_params info_results,
            1 command_params command_results,
            2 upload_params upload_results,
            3 download_params download_results,
            4 upload_tree_params upload_tree_results,
            5 download_tree_params download_tree_results,
            6 dial_params dial_results,
            7 close_params close_results,
        }
        communicator_capnp::remote_process {
            0 run_params run_results,
            1 close_params close_results,
        }
        connector_capnp::connector {
            0 prepare_params prepare_results,
        }
        connector_capnp::connection {
            0 open_params open_results,
            1 close_params close_results,
        }
        data_source_capnp::data_source {
            0 prepare_params prepare_results,
        }
        data_source_capnp::query {
            0 run_params run_results,
            1 close_params close_results,
        }
        environment_capnp::environment {
            0 communicator_params communicator_results,
            1 cache_params cache_results,
            2 remember_params remember_results,
            3 temp_dir_params temp_dir_results,
            4 port_params port_results,
            5 serve_params serve_results,
            6 key_pair_params key_pair_results,
        }
        environment_capnp::lease {
            0 close_params close_results,
        }
        environment_capnp::ledger_entry {
            0 update_params update_results,
            1 settle_params settle_results,
        }
        hook_capnp::hook {
            0 run_params run_results,
        }
        post_processor_capnp::post_processor {
            0 prepare_params prepare_results,
        }
        post_processor_capnp::post_process {
            0 run_params run_results,
            1 close_params close_results,
        }
        provisioner_capnp::provisioner {
            0 prepare_params prepare_results,
        }
        provisioner_capnp::provision {
            0 run_params run_results,
            1 close_params close_results,
        }
        stream_capnp::byte_stream {
            0 write_params write_results,
            1 end_params end_results,
            2 abort_params abort_results,
        }
        ui_capnp::ui {
            0 say_params say_results,
            1 message_params message_results,
            2 error_params error_results,
            3 machine_params machine_results,
            4 ask_params ask_results,
            5 progress_params progress_results,
            6 mask_params mask_results,
        }
        ui_capnp::progress {
            0 update_params update_results,
            1 finish_params finish_results,
        }
        work_capnp::cancellation {
            0 wait_params wait_results,
        }
    }
    Ok(String::new())
}

fn shown<'a, T: FromPointerReader<'a> + Debug>(content: any_pointer::Reader<'a>) -> Anything<String> {
    Ok(format!("{:?}", content.get_as::<T>()?))
}
