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
use packwire_schema::{
    artifact_capnp, attach_capnp, builder_capnp, communicator_capnp, connector_capnp, data_source_capnp,
    environment_capnp, hook_capnp, post_processor_capnp, provisioner_capnp, stream_capnp, ui_capnp,
    work_capnp,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const ADDRESS: &str = "PACKER_PLUGIN_ADDRESS";

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
    while let Some(frame) = frame(&mut from).await {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push((sender, frame.clone()));
        if to.write_all(&frame).await.is_err() {
            break;
        }
    }
    drop(to.shutdown().await);
}

/// The next message; `None` at the end of the link.
async fn frame(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    take(from, &mut bytes, 4).await?;
    let segments = word(&bytes, 0) + 1;
    let header = (4 + 4 * segments).next_multiple_of(8);
    take(from, &mut bytes, header - 4).await?;
    let words: usize = (0..segments).map(|segment| word(&bytes, 4 + 4 * segment)).sum();
    take(from, &mut bytes, 8 * words).await?;
    Some(bytes)
}

async fn take(from: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>, more: usize) -> Option<()> {
    let start = bytes.len();
    bytes.resize(start + more, 0);
    from.read_exact(&mut bytes[start..]).await.ok().map(drop)
}

fn word(bytes: &[u8], at: usize) -> usize {
    bytes[at..at + 4].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
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
                let (name, params) = told(method, Content::Params(call.get_params()?.get_content()))?;
                format!("{}  {name}{params}", sender.arrow())
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
    Ok(match answer.which()? {
        return_::Results(results) => {
            let (name, results) = told(method, Content::Results(results?.get_content()))?;
            format!("{name}{results}")
        }
        return_::Exception(thrown) => {
            let (name, _) = told(method, Content::Nothing)?;
            format!("{name} fails: {}", reason(thrown?)?)
        }
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
    Nothing,
}

/// A method's name, and what the content is in words.
fn told(method: (u64, u16), content: Content<'_>) -> Anything<(&'static str, String)> {
    macro_rules! methods {
        ($($interface:path { $($number:literal $name:literal $params:path, $results:path;)+ })+) => {
            $($(if method == (<$interface as HasTypeId>::TYPE_ID, $number) {
                let text = match content {
                    Content::Params(params) => shown::<$params>(params)?,
                    Content::Results(results) => shown::<$results>(results)?,
                    Content::Nothing => String::new(),
                };
                return Ok(($name, text));
            })+)+
        };
    }
    methods! {
        artifact_capnp::artifact::Client {
            0 "Artifact.describe" artifact_capnp::artifact::describe_params::Reader<'_>, artifact_capnp::artifact::describe_results::Reader<'_>;
            1 "Artifact.state" artifact_capnp::artifact::state_params::Reader<'_>, artifact_capnp::artifact::state_results::Reader<'_>;
            2 "Artifact.destroy" artifact_capnp::artifact::destroy_params::Reader<'_>, artifact_capnp::artifact::destroy_results::Reader<'_>;
            3 "Artifact.close" artifact_capnp::artifact::close_params::Reader<'_>, artifact_capnp::artifact::close_results::Reader<'_>;
        }
        attach_capnp::host::Client {
            0 "Host.attach" attach_capnp::host::attach_params::Reader<'_>, attach_capnp::host::attach_results::Reader<'_>;
        }
        builder_capnp::image_builder::Client {
            0 "ImageBuilder.prepare" builder_capnp::image_builder::prepare_params::Reader<'_>, builder_capnp::image_builder::prepare_results::Reader<'_>;
        }
        builder_capnp::build::Client {
            0 "Build.run" builder_capnp::build::run_params::Reader<'_>, builder_capnp::build::run_results::Reader<'_>;
            1 "Build.close" builder_capnp::build::close_params::Reader<'_>, builder_capnp::build::close_results::Reader<'_>;
        }
        communicator_capnp::communicator::Client {
            0 "Communicator.info" communicator_capnp::communicator::info_params::Reader<'_>, communicator_capnp::communicator::info_results::Reader<'_>;
            1 "Communicator.command" communicator_capnp::communicator::command_params::Reader<'_>, communicator_capnp::communicator::command_results::Reader<'_>;
            2 "Communicator.upload" communicator_capnp::communicator::upload_params::Reader<'_>, communicator_capnp::communicator::upload_results::Reader<'_>;
            3 "Communicator.download" communicator_capnp::communicator::download_params::Reader<'_>, communicator_capnp::communicator::download_results::Reader<'_>;
            4 "Communicator.uploadTree" communicator_capnp::communicator::upload_tree_params::Reader<'_>, communicator_capnp::communicator::upload_tree_results::Reader<'_>;
            5 "Communicator.downloadTree" communicator_capnp::communicator::download_tree_params::Reader<'_>, communicator_capnp::communicator::download_tree_results::Reader<'_>;
            6 "Communicator.dial" communicator_capnp::communicator::dial_params::Reader<'_>, communicator_capnp::communicator::dial_results::Reader<'_>;
            7 "Communicator.close" communicator_capnp::communicator::close_params::Reader<'_>, communicator_capnp::communicator::close_results::Reader<'_>;
        }
        communicator_capnp::remote_process::Client {
            0 "RemoteProcess.run" communicator_capnp::remote_process::run_params::Reader<'_>, communicator_capnp::remote_process::run_results::Reader<'_>;
            1 "RemoteProcess.close" communicator_capnp::remote_process::close_params::Reader<'_>, communicator_capnp::remote_process::close_results::Reader<'_>;
        }
        connector_capnp::connector::Client {
            0 "Connector.prepare" connector_capnp::connector::prepare_params::Reader<'_>, connector_capnp::connector::prepare_results::Reader<'_>;
        }
        connector_capnp::connection::Client {
            0 "Connection.open" connector_capnp::connection::open_params::Reader<'_>, connector_capnp::connection::open_results::Reader<'_>;
            1 "Connection.close" connector_capnp::connection::close_params::Reader<'_>, connector_capnp::connection::close_results::Reader<'_>;
        }
        data_source_capnp::data_source::Client {
            0 "DataSource.prepare" data_source_capnp::data_source::prepare_params::Reader<'_>, data_source_capnp::data_source::prepare_results::Reader<'_>;
        }
        data_source_capnp::query::Client {
            0 "Query.run" data_source_capnp::query::run_params::Reader<'_>, data_source_capnp::query::run_results::Reader<'_>;
            1 "Query.close" data_source_capnp::query::close_params::Reader<'_>, data_source_capnp::query::close_results::Reader<'_>;
        }
        environment_capnp::environment::Client {
            0 "Environment.communicator" environment_capnp::environment::communicator_params::Reader<'_>, environment_capnp::environment::communicator_results::Reader<'_>;
            1 "Environment.cache" environment_capnp::environment::cache_params::Reader<'_>, environment_capnp::environment::cache_results::Reader<'_>;
            2 "Environment.remember" environment_capnp::environment::remember_params::Reader<'_>, environment_capnp::environment::remember_results::Reader<'_>;
            3 "Environment.tempDir" environment_capnp::environment::temp_dir_params::Reader<'_>, environment_capnp::environment::temp_dir_results::Reader<'_>;
            4 "Environment.port" environment_capnp::environment::port_params::Reader<'_>, environment_capnp::environment::port_results::Reader<'_>;
            5 "Environment.serve" environment_capnp::environment::serve_params::Reader<'_>, environment_capnp::environment::serve_results::Reader<'_>;
            6 "Environment.keyPair" environment_capnp::environment::key_pair_params::Reader<'_>, environment_capnp::environment::key_pair_results::Reader<'_>;
        }
        environment_capnp::lease::Client {
            0 "Lease.close" environment_capnp::lease::close_params::Reader<'_>, environment_capnp::lease::close_results::Reader<'_>;
        }
        environment_capnp::ledger_entry::Client {
            0 "LedgerEntry.update" environment_capnp::ledger_entry::update_params::Reader<'_>, environment_capnp::ledger_entry::update_results::Reader<'_>;
            1 "LedgerEntry.settle" environment_capnp::ledger_entry::settle_params::Reader<'_>, environment_capnp::ledger_entry::settle_results::Reader<'_>;
        }
        hook_capnp::hook::Client {
            0 "Hook.run" hook_capnp::hook::run_params::Reader<'_>, hook_capnp::hook::run_results::Reader<'_>;
        }
        post_processor_capnp::post_processor::Client {
            0 "PostProcessor.prepare" post_processor_capnp::post_processor::prepare_params::Reader<'_>, post_processor_capnp::post_processor::prepare_results::Reader<'_>;
        }
        post_processor_capnp::post_process::Client {
            0 "PostProcess.run" post_processor_capnp::post_process::run_params::Reader<'_>, post_processor_capnp::post_process::run_results::Reader<'_>;
            1 "PostProcess.close" post_processor_capnp::post_process::close_params::Reader<'_>, post_processor_capnp::post_process::close_results::Reader<'_>;
        }
        provisioner_capnp::provisioner::Client {
            0 "Provisioner.prepare" provisioner_capnp::provisioner::prepare_params::Reader<'_>, provisioner_capnp::provisioner::prepare_results::Reader<'_>;
        }
        provisioner_capnp::provision::Client {
            0 "Provision.run" provisioner_capnp::provision::run_params::Reader<'_>, provisioner_capnp::provision::run_results::Reader<'_>;
            1 "Provision.close" provisioner_capnp::provision::close_params::Reader<'_>, provisioner_capnp::provision::close_results::Reader<'_>;
        }
        stream_capnp::byte_stream::Client {
            0 "ByteStream.write" stream_capnp::byte_stream::write_params::Reader<'_>, stream_capnp::byte_stream::write_results::Reader<'_>;
            1 "ByteStream.end" stream_capnp::byte_stream::end_params::Reader<'_>, stream_capnp::byte_stream::end_results::Reader<'_>;
            2 "ByteStream.abort" stream_capnp::byte_stream::abort_params::Reader<'_>, stream_capnp::byte_stream::abort_results::Reader<'_>;
        }
        ui_capnp::ui::Client {
            0 "Ui.say" ui_capnp::ui::say_params::Reader<'_>, ui_capnp::ui::say_results::Reader<'_>;
            1 "Ui.message" ui_capnp::ui::message_params::Reader<'_>, ui_capnp::ui::message_results::Reader<'_>;
            2 "Ui.error" ui_capnp::ui::error_params::Reader<'_>, ui_capnp::ui::error_results::Reader<'_>;
            3 "Ui.machine" ui_capnp::ui::machine_params::Reader<'_>, ui_capnp::ui::machine_results::Reader<'_>;
            4 "Ui.ask" ui_capnp::ui::ask_params::Reader<'_>, ui_capnp::ui::ask_results::Reader<'_>;
            5 "Ui.progress" ui_capnp::ui::progress_params::Reader<'_>, ui_capnp::ui::progress_results::Reader<'_>;
            6 "Ui.mask" ui_capnp::ui::mask_params::Reader<'_>, ui_capnp::ui::mask_results::Reader<'_>;
        }
        ui_capnp::progress::Client {
            0 "Progress.update" ui_capnp::progress::update_params::Reader<'_>, ui_capnp::progress::update_results::Reader<'_>;
            1 "Progress.finish" ui_capnp::progress::finish_params::Reader<'_>, ui_capnp::progress::finish_results::Reader<'_>;
        }
        work_capnp::cancellation::Client {
            0 "Cancellation.wait" work_capnp::cancellation::wait_params::Reader<'_>, work_capnp::cancellation::wait_results::Reader<'_>;
        }
    }
    Ok(("a call", String::new()))
}

fn shown<'a, T: FromPointerReader<'a> + Debug>(content: any_pointer::Reader<'a>) -> Anything<String> {
    Ok(format!("{:?}", content.get_as::<T>()?))
}
