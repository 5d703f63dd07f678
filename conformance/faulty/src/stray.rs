//! What a faulty plugin does besides its work. The green one does nothing here.
use std::{
    env, fs, io,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use crate::{
    dialect::Dialect,
    ending::Ending,
    fault::Fault,
    helper::Helper,
    hurt,
    launch::{ADDRESS, PROTOCOL, TOKEN},
    log,
    manner::Manner,
};

/// What lives as long as the plugin.
pub(crate) enum Stray {
    Nothing,
    Child { _child: Helper },
    Listener { _listener: TcpListener },
    Socket { _socket: UdpSocket },
}

/// What happens between reading the environment and dialling.
///
/// # Errors
/// A fault finds a reason not to start.
pub(crate) fn before_dialling(manner: Manner) -> Result<Stray, Ending> {
    match manner {
        Manner::Green | Manner::Null(_) => Ok(Stray::Nothing),
        Manner::Dialect(dialect) => speak(dialect, manner),
        Manner::Fault(fault) => commit(fault, manner),
        Manner::Hurt(hurt) => hurt::begin(hurt).map(|()| Stray::Nothing),
    }
}

fn speak(dialect: Dialect, manner: Manner) -> Result<Stray, Ending> {
    match dialect {
        Dialect::Chatty => (0..200).for_each(|line| chat(line, manner)),
        Dialect::Child => return Ok(Stray::Child { _child: Helper::start()? }),
        _ => {}
    }
    Ok(Stray::Nothing)
}

fn chat(line: usize, manner: Manner) {
    match line % 4 {
        0 => log::line(manner, &format!("line {line} of many")),
        1 => log::bare(&format!("[DEBUG] line {line}: größer, länger, weiter")),
        2 => log::bare(&format!("line {line} without a level")),
        _ => log::bare(""),
    }
}

fn commit(fault: Fault, manner: Manner) -> Result<Stray, Ending> {
    match fault {
        Fault::RejectsUnknownEnv => reject_unknown_variables()?,
        Fault::NeedsHome => drop(env::var_os("HOME").ok_or_else(|| picky("HOME is not set"))?),
        Fault::NeedsCwd => drop(env::current_dir().map_err(|error| picky(&error.to_string()))?),
        Fault::OpensRelativeConfig => open_relative_config()?,
        Fault::WritesCwdLog => fs::write("faulty.log", "started\n").unwrap_or_default(),
        Fault::CreatesCacheDir => create_cache().unwrap_or_default(),
        Fault::ReadsStdin => drop(thread::spawn(|| io::stdin().read(&mut [0; 64]))),
        Fault::PromptsOnTty => prompt().unwrap_or_default(),
        Fault::PrintsBanner => println!("*** faulty, a plugin ***"),
        Fault::PhonesHome => return Ok(Stray::Socket { _socket: phone_home()? }),
        Fault::DebugHttpPort => {
            return Ok(Stray::Listener { _listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))? });
        }
        Fault::AnsiOnPipe | Fault::Latin1Log => log::line(manner, "started"),
        _ => {}
    }
    Ok(Stray::Nothing)
}

fn picky(why: &str) -> Ending {
    Ending::Picky(why.to_owned())
}

fn reject_unknown_variables() -> Result<(), Ending> {
    let known = [ADDRESS, TOKEN, PROTOCOL];
    let unknown = env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .find(|name| name.starts_with("PACKER_PLUGIN_") && !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(Ending::Picky(format!("{name} is unknown"))))
}

fn open_relative_config() -> Result<(), Ending> {
    let here = env::current_dir()?;
    match here.parent() {
        Some(above) => drop(fs::read(above.join("faulty.toml"))),
        None => return Err(picky("the working directory has no directory above it")),
    }
    Ok(())
}

fn create_cache() -> io::Result<()> {
    let home = env::var_os("HOME").map_or_else(env::temp_dir, PathBuf::from);
    fs::create_dir_all(home.join(".cache/faulty"))
}

/// Asks whoever sits at the terminal, if there is one, and does not wait for an answer.
fn prompt() -> io::Result<()> {
    let mut terminal = fs::File::options().read(true).write(true).open("/dev/tty")?;
    terminal.write_all(b"Password: ")
}

/// A connected datagram socket is a connection that needs nobody at the other end: nothing is sent.
fn phone_home() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect((Ipv4Addr::LOCALHOST, 9))?;
    Ok(socket)
}

/// Polls, half of the time.
pub(crate) fn spin() {
    thread::spawn(|| {
        loop {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(1) {
                std::hint::spin_loop();
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
}
