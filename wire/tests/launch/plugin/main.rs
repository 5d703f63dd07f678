//! The plugin of the tests, which does what its first argument says: a [`Behaviour`]. It speaks the protocol with
//! this crate's own plugin side; what that side would never do it does by hand, in `raw`.
#![expect(
    clippy::unwrap_used,
    reason = "what goes wrong in a plugin of tests ends it, and the test sees that"
)]
mod behaviour;
mod hello;
mod host;
mod raw;
mod strange;
mod task;

use std::{
    env,
    io::Write,
    process::{Command, ExitCode, Stdio},
};

use behaviour::Behaviour;
use packwire_wire::{
    Attachment, Broken, End, Room, attach,
    process::{Invitation, Socket, Token},
};
use raw::Flood;
use tokio::{runtime::Handle, signal::unix::SignalKind};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let behaviour: Behaviour = arguments.next().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let status = match behaviour {
        Behaviour::Host => runtime.block_on(host::run(arguments.collect())),
        Behaviour::DeafHost => runtime.block_on(host::learn()),
        Behaviour::AttachesTwice => raw::attach_twice(&invitation()),
        Behaviour::WritesTooMuch => raw::flood(&invitation(), Flood::Writes),
        Behaviour::CallsTooMuch => raw::flood(&invitation(), Flood::Calls),
        Behaviour::AnswersUnset => strange::run(&invitation(), strange::UNSET),
        Behaviour::AnswersNull => strange::run(&invitation(), strange::NULL),
        Behaviour::AnswersUnknown => strange::run(&invitation(), strange::UNKNOWN),
        _ => runtime.block_on(run(behaviour, arguments.collect())),
    };
    // What hangs on purpose is not waited for.
    runtime.shutdown_background();
    status
}

fn invitation() -> Invitation {
    Invitation::from_environment(|name| env::var_os(name)).unwrap()
}

async fn run(behaviour: Behaviour, arguments: Vec<String>) -> ExitCode {
    let invitation = invitation();
    eprintln!("it is {}", behaviour.name());
    match before(behaviour, &arguments, &invitation).await {
        Some(status) => status,
        None => session(behaviour, invitation).await,
    }
}

/// What comes before the plugin dials; a status when nothing comes after it.
async fn before(behaviour: Behaviour, arguments: &[String], invitation: &Invitation) -> Option<ExitCode> {
    match behaviour {
        Behaviour::Waits => hung_up(&arguments[0]).await,
        Behaviour::ExitsFirst => {
            eprintln!("[ERROR] there is no licence");
            return Some(ExitCode::from(7));
        }
        Behaviour::IsPackers => {
            eprintln!("This binary is a plugin.\nPlease do not execute plugins directly. Packer will.");
            return Some(ExitCode::FAILURE);
        }
        Behaviour::NewerVersions => {
            eprintln!("{}", invitation.offer.refuse(&[7]).unwrap());
            return Some(ExitCode::from(3));
        }
        Behaviour::NeverAttaches => {
            let _idle = Socket::dial(&invitation.address).await.unwrap();
            std::future::pending::<()>().await;
        }
        Behaviour::Noisy => print_a_mebibyte(),
        Behaviour::NamesVariables => {
            env::vars_os().for_each(|(name, _)| eprintln!("variable {name:?}"));
            eprintln!("those are all");
        }
        Behaviour::ReadsInput => {
            eprintln!("input: {} bytes", std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap());
        }
        Behaviour::LeavesChild => eprintln!("child {}", child("exec sleep 1000").spawn().unwrap().id()),
        Behaviour::ReadsTerminal => {
            let ended = child("read line < /dev/tty").status().unwrap();
            eprintln!("the terminal was {}", if ended.success() { "read" } else { "not there" });
        }
        Behaviour::StaysForEver => ignore_requests_to_end(),
        _ => {}
    }
    None
}

async fn hung_up(path: &str) {
    let stream = tokio::net::UnixStream::connect(path).await.unwrap();
    stream.readable().await.unwrap();
}

fn print_a_mebibyte() {
    let line = [[b'#'; 1023].as_slice(), b"\n"].concat();
    let mut stdout = std::io::stdout().lock();
    (0..1024).for_each(|_| stdout.write_all(&line).unwrap());
}

#[expect(clippy::disallowed_methods, reason = "a plugin with children is what the tests are about")]
fn child(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command
}

fn ignore_requests_to_end() {
    let mut requests = tokio::signal::unix::signal(SignalKind::terminate()).unwrap();
    drop(Handle::current().spawn(async move {
        while requests.recv().await.is_some() {
            eprintln!("it was asked to terminate");
        }
    }));
}

async fn session(behaviour: Behaviour, invitation: Invitation) -> ExitCode {
    let room = Room::open(Handle::current()).unwrap();
    let token = match behaviour {
        Behaviour::OtherToken => Token::fresh().unwrap(),
        _ => invitation.token,
    };
    let socket = Socket::dial(&invitation.address).await.unwrap();
    let second = match behaviour {
        Behaviour::DialsTwice => Some(Socket::dial(&invitation.address).await.unwrap()),
        _ => None,
    };
    let mut attachment = attach(&room, socket, token.clone(), hello::of(behaviour)).await;
    if let Some(second) = second {
        let second = attach(&room, second, token, hello::of(behaviour)).await;
        attachment = survivor(attachment, second).await;
    }
    let ended = attachment.ended().await;
    leave(behaviour, &room, attachment, ended).await
}

/// Of two sessions the one that goes on when the other has ended.
async fn survivor(mut one: Attachment, mut other: Attachment) -> Attachment {
    let (ended, survivor) = tokio::select! {
        ended = one.ended() => (ended, other),
        ended = other.ended() => (ended, one),
    };
    eprintln!("one link ended: {}", ended.is_err());
    survivor
}

async fn leave(
    behaviour: Behaviour,
    room: &Room,
    attachment: Attachment,
    ended: Result<End, Broken>,
) -> ExitCode {
    match ended {
        Ok(End::Leave) => {
            eprintln!("it was told to leave");
            match behaviour {
                Behaviour::Stays | Behaviour::StaysForEver => {
                    drop(attachment);
                    return std::future::pending().await;
                }
                Behaviour::WatchesLink => return watch(&attachment).await,
                _ => {}
            }
            attachment.link().stop_work();
            room.idle().await;
            ExitCode::SUCCESS
        }
        Ok(End::Refused(why)) => {
            eprintln!("it was refused: {why}");
            ExitCode::from(3)
        }
        Err(broken) => {
            eprintln!("{broken}");
            if behaviour == Behaviour::StaysAlone {
                return std::future::pending().await;
            }
            ExitCode::from(4)
        }
    }
}

/// Gives the host time to hang up, which it must not.
async fn watch(attachment: &Attachment) -> ExitCode {
    let ended = attachment.link().ended();
    let hung_up = tokio::time::timeout(std::time::Duration::from_millis(300), ended.cancelled()).await;
    ExitCode::from(if hung_up.is_ok() { 4 } else { 0 })
}
