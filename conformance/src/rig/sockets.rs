//! The sockets and the processor time of a process, from `/proc`.

use std::collections::HashSet;
use std::time::Duration;

/// A socket that a process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// What tells it from all others.
    pub inode: u64,
    /// `tcp`, `tcp6`, `udp`, `udp6` or `unix`.
    pub family: &'static str,
    /// Whether it waits for connections.
    pub listening: bool,
    /// Its own address: a path for `unix`, hexadecimal as the kernel prints it otherwise.
    pub local: String,
    /// Its peer's address; empty for `unix`.
    pub remote: String,
}

impl std::fmt::Display for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.family, self.local)
    }
}

/// The processor time, user and system, that a living process has used.
pub(super) fn cpu_time(pid: i32) -> Option<Duration> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// The most memory that a living process ever held, in bytes.
pub(super) fn peak_memory(pid: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let row = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    row.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// The sockets that these processes hold, as far as the kernel's tables tell of them: where sockets come and go all over
/// the machine while one is read, it may leave some out.
pub(super) fn held_by(pids: &[i32]) -> Vec<Socket> {
    let held = inodes_of(pids);
    let Some(pid) = pids.first() else { return Vec::new() };
    let table = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let mut found = Vec::new();
    for family in ["tcp", "tcp6", "udp", "udp6"] {
        found.extend(table(family).lines().skip(1).filter_map(|row| internet(family, row, &held)));
    }
    found.extend(table("unix").lines().skip(1).filter_map(|row| unix(row, &held)));
    found
}

/// The inodes of the sockets that these processes hold; none is left out.
pub(super) fn inodes_of(pids: &[i32]) -> HashSet<u64> {
    pids.iter().flat_map(|pid| inodes(*pid)).collect()
}

/// The inodes of the sockets that a process holds.
pub(super) fn inodes(pid: i32) -> HashSet<u64> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return HashSet::new() };
    let links = entries.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect()
}

/// A row such as `0: 0100007F:1F90 00000000:0000 0A … inode`.
fn internet(family: &'static str, row: &str, held: &HashSet<u64>) -> Option<Socket> {
    let fields: Vec<&str> = row.split_ascii_whitespace().collect();
    let inode: u64 = fields.get(9)?.parse().ok()?;
    let (local, remote, state) = (fields.get(1)?, fields.get(2)?, fields.get(3)?);
    let listening = family.starts_with("tcp") && *state == "0A";
    held.contains(&inode).then(|| Socket {
        inode,
        family,
        listening,
        local: (*local).into(),
        remote: (*remote).into(),
    })
}

/// A row such as `address: refcount protocol flags type state inode path`; the flag of a listener is 0x10000.
fn unix(row: &str, held: &HashSet<u64>) -> Option<Socket> {
    let fields: Vec<&str> = row.split_ascii_whitespace().collect();
    let inode: u64 = fields.get(6)?.parse().ok()?;
    let listening = u64::from_str_radix(fields.get(3)?, 16).ok()? & 0x1_0000 != 0;
    let local = fields.get(7).copied().unwrap_or_default().to_owned();
    held.contains(&inode).then(|| Socket { inode, family: "unix", listening, local, remote: String::new() })
}
