//! `--wait`: a host for a plugin that somebody starts by hand, most likely under a debugger.
//!
//! It prints the three variables and then every message as it comes, and holds the session for as long as the plugin or
//! its author likes. No check is run: checks start the plugin themselves, again and again.

use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crate::check::Stop;
use crate::report::printable;
use crate::rig::{Answer, Host, Manners, Rig, RigJob};
use crate::subject::Subject;
use crate::{interrupt, preflight};

/// How long the plugin has to leave when it is told to.
const LEAVE: Duration = Duration::from_secs(5);
/// How often the transcript is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Why there was no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WaitError {
    #[error("the host cannot listen: {0}")]
    Listen(String),
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Waits for a plugin, tells everything, and answers whether one attached.
pub(crate) async fn wait(root: &Path) -> Result<bool, WaitError> {
    let rig = Rig::new(RigJob::by_hand(Subject::fixed(Path::new(""), &[])), root)?;
    let host = rig.listen(Manners::default()).map_err(|stop| WaitError::Listen(why(stop)))?;
    say(&variables(&host))?;
    let mut told = 0;
    let interrupted = interrupt::interrupted()?;
    tokio::select! {
        ended = session(&host, &mut told) => ended?,
        _ = interrupted => {}
    }
    let attached = !host.hellos().is_empty();
    rig.finish(None).await;
    Ok(attached)
}

/// Until the plugin goes away, or goes because its author said so.
async fn session(host: &Rc<Host>, told: &mut usize) -> io::Result<()> {
    while host.hellos().is_empty() {
        tokio::time::sleep(GLANCE).await;
        tell(host, told)?;
    }
    if let Some(hello) = host.hellos().first() {
        let met = preflight::introduction(hello).unwrap_or_default();
        let who = format!("{} {}, with {}", met.name, met.version, met.components.join(", "));
        say(&format!("attached: {}; Enter lets it leave\n", printable(&who)))?;
    }
    let mut asked = std::pin::pin!(enter());
    let mut deadline = None;
    while host.open_connections() > 0 && deadline.is_none_or(|at| tokio::time::Instant::now() < at) {
        tokio::select! {
            () = &mut asked, if deadline.is_none() => {
                host.answer(Answer::Leave);
                deadline = Some(tokio::time::Instant::now() + LEAVE);
            }
            () = tokio::time::sleep(GLANCE) => {}
        }
        tell(host, told)?;
    }
    let left = if host.open_connections() > 0 { "it is still there after 5 s" } else { "it is gone" };
    say(&format!("{left}\n"))
}

/// The next line, or the end, of our standard input. Nothing ends such a read but its input, so that it has a thread
/// of its own, which ends with the process.
async fn enter() {
    let (heard, hears) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // An input that cannot be read has ended.
        drop(io::stdin().read_line(&mut String::new()));
        heard.send(())
    });
    // The thread sends, or it is gone: either way nobody types any more.
    drop(hears.await);
}

/// Tells what has come since the last time.
fn tell(host: &Host, told: &mut usize) -> io::Result<()> {
    let (new, all) = host.messages_since(*told);
    *told = all;
    new.iter().try_for_each(|message| say(&format!("{}\n", printable(message))))
}

/// For a shell; a debugger inherits them.
fn variables(host: &Host) -> String {
    format!(
        "export PACKER_PLUGIN_ADDRESS='{}'\nexport PACKER_PLUGIN_TOKEN='{}'\nexport PACKER_PLUGIN_PROTOCOL='1'\n",
        host.address().to_string_lossy().replace('\'', r"'\''"),
        host.token()
    )
}

fn say(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn why(stop: Stop) -> String {
    match stop {
        Stop::Rig(why) | Stop::NotApplicable(why) | Stop::NotExercised(why) => why,
        Stop::Prerequisite => "a prerequisite is missing".to_owned(),
    }
}
