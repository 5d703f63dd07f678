//! Where a plugin dials.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt};

use super::{NOBODY, UNUSABLE};
use crate::check::{Checked, Stop};
use crate::rig::{Answer, Attached, Launch, Listens, Manners, Rig};

/// The variable under test.
const ADDRESS: &str = "PACKER_PLUGIN_ADDRESS";
/// The longest path that a host may choose, in bytes.
const LONGEST_PATH: usize = 100;
/// How long after its first attempt a plugin may still try again, with a little for the machine.
const BURST: Duration = Duration::from_millis(1500);

/// How many starts may compete for the machine where each has a short deadline: ten interpreters at once would
/// wait for each other, and the suite would have measured itself.
const STARTS_AT_ONCE: usize = 2;

/// Values that the grammar of an address does not give; `None` is a variable that is not set.
const BAD_ADDRESSES: [Option<&str>; 10] = [
    None,
    Some(""),
    Some("nonsense"),
    Some("unix:"),
    Some("unix:relative/socket"),
    Some("http://127.0.0.1:4000"),
    Some("tcp:127.0.0.1:0"),
    Some("tcp:127.0.0.1:65536"),
    Some("tcp:127.0.0.1"),
    Some(" tcp:127.0.0.1:4000"),
];

pub(super) async fn bad_address(rig: &Rig) -> Checked {
    let good = rig.listen(Manners::default())?.launch();
    each_unusable(rig, &good, ADDRESS, &BAD_ADDRESSES).await
}

/// Starts with one variable that is unusable in each of these ways.
pub(in super::super) async fn each_unusable(
    rig: &Rig,
    good: &Launch,
    name: &str,
    values: &[Option<&str>],
) -> Checked {
    let attempts = values.iter().map(|value| unusable(rig, good, name, *value));
    let all: Vec<Checked> = stream::iter(attempts).buffered(STARTS_AT_ONCE).collect().await;
    all.into_iter().collect()
}

/// One start with a variable that is unusable: status 2, and a line that names the variable.
async fn unusable(rig: &Rig, good: &Launch, name: &str, value: Option<&str>) -> Checked {
    let launch = match value {
        Some(value) => good.clone().with(name, value),
        None => good.clone().without(name),
    };
    let shown = value.map_or_else(|| format!("{name} not set"), |value| format!("{name}={value:?}"));
    let plugin = rig.launch(&launch)?;
    plugin.exits_as(&format!("with {shown} it "), 2, UNUSABLE).await;
    let said = plugin.stderr();
    let last = said.lines().last().unwrap_or_default();
    plugin.saw(
        format!("with {shown} a line on stderr names {name}"),
        said.contains(name),
        format!("its last line was {last:?}"),
    );
    Ok(())
}

pub(super) async fn refused_address(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let sockets = &rig.places().sockets;
    let (missing, left_behind) = (sockets.join("missing"), sockets.join("left-behind"));
    // Dropping a listener closes it and leaves its file.
    drop(UnixListener::bind(&left_behind).map_err(|error| Stop::rig("a socket to leave behind", error))?);
    let port = closed_port().map_err(|error| Stop::rig("a port to close", error))?;
    let late = Some(missing.clone());
    let (first, second, third) = futures::join!(
        nobody_there(rig, &session, unix(&missing), late.as_deref()),
        nobody_there(rig, &session, unix(&left_behind), None),
        nobody_there(rig, &session, port, None),
    );
    first.and(second).and(third)
}

/// One start with an address where nobody listens, or only somebody who comes late.
async fn nobody_there(rig: &Rig, session: &Attached, address: OsString, late: Option<&Path>) -> Checked {
    let shown = address.to_string_lossy().into_owned();
    let plugin = rig.launch(&session.host.launch().with(ADDRESS, &address))?;
    let late_listener = async {
        let Some(path) = late else { return Ok(None) };
        // The first attempt is made about when the first session was attached.
        let first_attempt = session.took * 2;
        rig.sleep(BURST + first_attempt).await;
        let name = path.file_name().unwrap_or_default().to_owned();
        let listens = Listens::UnixNamed(name);
        let none_yet = plugin.ended().is_none();
        if none_yet { rig.listen(Manners { listens, ..Manners::default() }).map(Some) } else { Ok(None) }
    };
    let case = format!("with nobody at {shown} it ");
    let exits = plugin.exits_as(&case, 4, NOBODY);
    let (_, late) = futures::join!(exits, late_listener);
    if let Some(late) = late? {
        let dials = late.connections().len();
        let expected = "it makes no attempt later than 1 s after its first";
        plugin.saw(expected, dials == 0, format!("{dials} connections to a listener that came later"));
    }
    Ok(())
}

fn unix(path: &Path) -> OsString {
    let mut address = OsString::from("unix:");
    address.push(path);
    address
}

fn closed_port() -> std::io::Result<OsString> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("tcp:{}", listener.local_addr()?).into())
}

pub(super) async fn unix_path_verbatim(rig: &Rig) -> Checked {
    let length = LONGEST_PATH.saturating_sub(rig.places().sockets.as_os_str().len() + 1);
    let names = [
        OsString::from("two  blanks "),
        OsString::from("%41%2f+?#&=;"),
        OsString::from("größe-ソケット"),
        OsStr::from_bytes(b"no-utf-8-\xff\xfe").to_owned(),
        OsString::from("x".repeat(length)),
    ];
    let attempts = names.map(|name| attaches_at(rig, name));
    join_all(attempts).await.into_iter().collect()
}

async fn attaches_at(rig: &Rig, name: OsString) -> Checked {
    let shown = format!("{name:?}");
    let length = rig.places().sockets.as_os_str().len() + 1 + name.len();
    let trial = rig.meet(Manners { listens: Listens::UnixNamed(name), ..Manners::default() })?;
    trial.attaches(format!("attaches at the socket {shown} (a path of {length} bytes)")).await;
    Ok(())
}

pub(super) async fn tcp_and_unix(rig: &Rig) -> Checked {
    let unix = rig.meet(Manners::default())?;
    let tcp = rig.meet(Manners { listens: Listens::Tcp, ..Manners::default() })?;
    futures::join!(unix.attaches("attaches over `unix:`"), tcp.attaches("attaches over `tcp:`"));
    Ok(())
}

pub(super) async fn one_connection(rig: &Rig) -> Checked {
    let Attached { host, plugin, .. } = rig.attach(Manners::default()).await?;
    rig.sleep(Duration::from_secs(1)).await;
    let listening: Vec<String> = plugin
        .sockets()
        .into_iter()
        .filter(|socket| socket.listening)
        .map(|socket| socket.to_string())
        .collect();
    plugin.saw(
        "listens on no socket while it is idle",
        listening.is_empty(),
        format!("listening: {listening:?}"),
    );
    host.answer(Answer::Leave);
    plugin.exit(NOBODY).await;
    let count = host.connections().len();
    plugin.saw("connects exactly once in its life", count == 1, format!("{count} connections"));
    Ok(())
}
