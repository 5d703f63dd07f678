//! Processes that left their group, found by the tree that they belong to, where no namespace ends them.
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable by which commands on the host find the tree.
pub(crate) const ROOTFS: &str = "ROOTFS";
/// How long killed processes may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Kills every process whose root directory is the tree, or whose environment names it, until none is left.
pub(crate) fn end(tree: &Path) {
    let deadline = Instant::now() + GONE_WITHIN;
    while kill_all(tree) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether there were any.
fn kill_all(tree: &Path) -> bool {
    let Ok(all) = fs::read_dir("/proc") else { return false };
    let ids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut any = false;
    for id in ids.filter_map(Pid::from_raw) {
        // Held before it is looked at, so that the signal goes to nobody else.
        let Ok(process) = pidfd_open(id, PidfdFlags::empty()) else { continue };
        if belongs(id, tree) {
            any = true;
            let _ = pidfd_send_signal(&process, Signal::KILL);
        }
    }
    any
}

fn belongs(id: Pid, tree: &Path) -> bool {
    let place = Path::new("/proc").join(id.to_string());
    if id == rustix::process::getpid() {
        return false;
    }
    if fs::read_link(place.join("root")).is_ok_and(|root| root == tree) {
        return true;
    }
    let variable = [ROOTFS.as_bytes(), b"=", tree.as_os_str().as_encoded_bytes()].concat();
    let environment = fs::read(place.join("environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|one| one == variable)
}
