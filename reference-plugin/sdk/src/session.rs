//! One session, from the invitation to the exit code: SPEC.md's chapters from launch to shutdown.
use std::{process::ExitCode, time::Duration};

use packwire_wire::{
    Attachment, End, Hello, Room, attach, limits,
    process::{Invitation, Socket, forget_invitation},
};
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{Plugin, log, opened::Opened};

/// How many threads the author's code has.
const AUTHOR_THREADS: usize = 2;
/// How long the last bytes may take that the host reads.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);

/// The exit codes of SPEC.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// The host said `leave`.
    Left = 0,
    /// Nobody invited the plugin, or not in a way that can be used.
    NotInvited = 2,
    /// No common version, or the host refused the plugin.
    Refused = 3,
    /// Nobody listened, the link was lost, or a signal came.
    Lost = 4,
}

/// The whole `main` of a plugin.
pub(crate) fn serve(plugin: Plugin) -> ExitCode {
    ExitCode::from(run(plugin) as u8)
}

fn run(plugin: Plugin) -> Exit {
    let (invitation, version) = match invited(&plugin.name) {
        Ok(invited) => invited,
        Err(exit) => return exit,
    };
    // Before any thread starts, and so before any child can.
    if let Err(error) = forget_invitation() {
        log::warn(format!("children of this plugin inherit its invitation: {error}"));
    }
    match runtime() {
        Ok(runtime) => {
            let exit = runtime.block_on(attend(&runtime, plugin, invitation, version));
            // An author's thread that never ends must not keep the plugin.
            runtime.shutdown_background();
            exit
        }
        Err(error) => lost("cannot start its threads", &error),
    }
}

/// The invitation and the version chosen from it; or the exit, with the reason told.
fn invited(name: &str) -> Result<(Invitation, u16), Exit> {
    let spoken = [limits::PROTOCOL_VERSION];
    let invitation = Invitation::from_environment(|variable| std::env::var_os(variable)).map_err(|none| {
        log::raw(&format!("{}\n", none.explain(name)));
        Exit::NotInvited
    })?;
    match invitation.offer.choose(&spoken) {
        Some(version) => Ok((invitation, version)),
        None => {
            // Hosts read this line: it has no level.
            let refusal = invitation.offer.refuse(&spoken).map(|refusal| format!("{refusal}\n"));
            log::raw(&refusal.unwrap_or_default());
            Err(Exit::Refused)
        }
    }
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(AUTHOR_THREADS)
        .thread_name("packwire-author")
        .enable_all()
        .build()
}

async fn attend(runtime: &Runtime, plugin: Plugin, invitation: Invitation, version: u16) -> Exit {
    let (grace, opened) = (plugin.grace(), plugin.opened.clone());
    let prepared = Signals::watch().and_then(|signals| Ok((signals, Room::open(runtime.handle().clone())?)));
    let (mut signals, room) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return lost("cannot start its threads", &error),
    };
    let Invitation { address, token, offer: _ } = invitation;
    let socket = match Socket::dial(&address).await {
        Ok(socket) => socket,
        Err(error) => return lost("cannot reach its host", &error),
    };
    let mut attachment = attach(&room, socket, token, hello(plugin, version)).await;
    let exit = ended(&mut attachment, &mut signals).await;
    if tokio::time::timeout(grace, leave(attachment, &room, &opened)).await.is_err() {
        log::error("some work did not end in time: the plugin leaves without its clean-up");
    }
    exit
}

pub(crate) fn hello(plugin: Plugin, version: u16) -> Hello<packwire_wire::OfferedCapability> {
    let Plugin { name, version: own_version, components, opened: _ } = plugin;
    Hello {
        protocol_version: version,
        name,
        version: own_version,
        sdk: concat!("packwire-plugin ", env!("CARGO_PKG_VERSION"), " (Rust)").to_owned(),
        components,
        extensions: String::new(),
    }
}

/// Waits until the session is over, and says how.
async fn ended(attachment: &mut Attachment, signals: &mut Signals) -> Exit {
    tokio::select! {
        end = attachment.ended() => match end {
            Ok(End::Leave) => Exit::Left,
            Ok(End::Refused(why)) => {
                log::error(format!("the host refused this plugin: {why}"));
                Exit::Refused
            }
            Err(broken) => lost("lost its host", &broken),
        },
        () = signals.terminated() => {
            log::info("asked to terminate");
            Exit::Lost
        }
    }
}

/// Cancels the runs and waits for them, closes what they left open, and last the link, in order, so that the last
/// answers reach a host that still reads.
pub(crate) async fn leave(attachment: Attachment, room: &Room, opened: &Opened) {
    attachment.link().stop_work();
    room.idle().await;
    opened.close().await;
    let farewell = async move {
        attachment.link().answered().await;
        let ended = attachment.link().ended();
        drop(attachment);
        ended.cancelled().await;
    };
    drop(tokio::time::timeout(FAREWELL_WITHIN, farewell).await);
}

fn lost(what: &str, error: &dyn std::error::Error) -> Exit {
    log::error(format!("this plugin {what}: {error}"));
    Exit::Lost
}

/// The signals that a plugin hears: SIGTERM asks it to leave; SIGINT is its host's business.
struct Signals {
    terminate: Signal,
    /// Held so that an interrupt, which a plugin under a debugger gets with its host, does not end it.
    _interrupt: Signal,
}

impl Signals {
    fn watch() -> std::io::Result<Self> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self { terminate: signal(terminate)?, _interrupt: signal(interrupt)? })
    }

    async fn terminated(&mut self) {
        if self.terminate.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
