//! What a plugin finds around it: arguments, variables, a directory, a standard input, a clock.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{DIAL, UNUSABLE};
use crate::check::{Checked, Stop};
use crate::rig::{Answer, Launch, Manners, Rig, Stdin, Trial};

/// How long a plugin has to leave, where that is not what the check is about.
const LEAVE: Duration = Duration::from_secs(5);

pub(super) async fn not_a_host(rig: &Rig) -> Checked {
    let launch = Launch::bare().stdin(Stdin::Holding(Vec::new()));
    let plugin = rig.launch(&launch)?;
    plugin.exits_with(2, UNUSABLE).await;
    let said = plugin.stderr();
    plugin.saw("it says on stderr what it is", !said.trim().is_empty(), format!("it said {:?}", said.trim()));
    Ok(())
}

pub(super) async fn no_arguments(rig: &Rig) -> Checked {
    let host = rig.listen(Manners::default())?;
    let plain = rig.launch_for(&host, &host.launch())?;
    plain.attaches("attaches with the user's arguments alone").await;
    let host = rig.listen(Manners::default())?;
    let launch = host.launch().with("PACKER_PLUGIN_INVENTED", "1").with("PACKER_PLUGIN_MIN_PORT", "none");
    let varied = rig.launch_for(&host, &launch)?;
    varied.attaches("attaches whatever other PACKER_PLUGIN_ variables are set").await;
    Ok(())
}

pub(super) async fn minimal_environment(rig: &Rig) -> Checked {
    let host = rig.listen(Manners::default())?;
    let launch = Launch { homely: false, ..host.launch() };
    let trial = rig.launch_for(&host, &launch)?;
    trial.attaches("attaches without HOME, LANG, USER and TMPDIR").await;
    Ok(())
}

pub(super) async fn any_cwd(rig: &Rig) -> Checked {
    let below = |name: &str, mode| directory(&rig.places().sockets.join(name), mode);
    let made = below("writable", 0o755).and_then(|writable| Ok((writable, below("read-only", 0o555)?)));
    let (writable, read_only) = made.map_err(|error| Stop::rig("a working directory", error))?;
    let (first, second, third) = futures::join!(
        lives_in(rig, Path::new("/"), "from /"),
        lives_in(rig, &writable, "from an empty directory"),
        lives_in(rig, &read_only, "from a directory that it may not write to"),
    );
    first.and(second).and(third)
}

pub(super) async fn deleted_cwd(rig: &Rig) -> Checked {
    let directory = directory(&rig.places().sockets.join("deleted"), 0o755);
    let directory = directory.map_err(|error| Stop::rig("a working directory", error))?;
    let host = rig.listen(Manners::default())?;
    let launch = Launch { deleted: true, ..host.launch().within(&directory) };
    let trial = rig.launch_for(&host, &launch)?;
    let attached = trial.attaches("attaches from a directory that was deleted").await;
    if directory.exists() {
        return Err(Stop::Rig("the working directory was not deleted".to_owned()));
    }
    if attached.is_some() {
        leave(&trial).await;
    }
    Ok(())
}

/// One short session from a directory, and what it leaves there.
async fn lives_in(rig: &Rig, directory: &Path, place: &str) -> Checked {
    let before = names(directory);
    let host = rig.listen(Manners::default())?;
    let trial = rig.launch_for(&host, &host.launch().within(directory))?;
    if trial.attaches(format!("attaches {place}")).await.is_some() {
        leave(&trial).await;
    }
    let new: Vec<OsString> = names(directory).difference(&before).cloned().collect();
    trial.plugin.saw(
        format!("leaves nothing when started {place}"),
        new.is_empty(),
        format!("new there: {new:?}"),
    );
    Ok(())
}

fn directory(path: &Path, mode: u32) -> std::io::Result<PathBuf> {
    std::fs::create_dir(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(path.to_owned())
}

fn names(directory: &Path) -> BTreeSet<OsString> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
}

pub(super) async fn stdin_untouched(rig: &Rig) -> Checked {
    let host = rig.listen(Manners::default())?;
    let closed = rig.launch_for(&host, &host.launch().stdin(Stdin::Closed))?;
    closed.attaches("attaches with a closed standard input").await;
    let host = rig.listen(Manners::default())?;
    let sentinel = b"these bytes belong to nobody\n".to_vec();
    let holding = rig.launch_for(&host, &host.launch().stdin(Stdin::Holding(sentinel)))?;
    if holding.attaches("attaches with something in its standard input").await.is_some() {
        leave(&holding).await;
    }
    let (left, put) = holding.plugin.stdin_left().unwrap_or_default();
    holding.plugin.saw(
        "reads nothing from its standard input",
        left == put,
        format!("{left} of {put} bytes are left"),
    );
    Ok(())
}

async fn leave(trial: &Trial) {
    trial.host.answer(Answer::Leave);
    trial.plugin.exit(LEAVE).await;
}

pub(super) async fn dial_deadline(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let observed = format!("after {} ms", session.took.as_millis());
    session.plugin.saw_in(
        format!("calls Host.attach within {} s of its start", DIAL.as_secs()),
        session.took <= rig.stretch(DIAL),
        observed,
        DIAL,
        session.took,
    );
    Ok(())
}
