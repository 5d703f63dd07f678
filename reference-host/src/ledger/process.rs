//! A process that may have ended, and whose id may be somebody else's by now.

use serde::{Deserialize, Serialize};

/// A process, told from others with the same id by the time it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its id.
    pub id: u32,
    /// When it started, in the system's own ticks; `None` where the system does not tell.
    pub started: Option<u64>,
}

impl ProcessId {
    /// The living process with this id.
    #[must_use]
    pub fn of(id: u32) -> Self {
        Self { id, started: state(id).map(|(_, started)| started) }
    }

    /// This process.
    #[must_use]
    pub fn ours() -> Self {
        Self::of(std::process::id())
    }

    /// Whether it still runs. Where the system does not tell, no process does.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let alive = |(state, started)| state != 'Z' && state != 'X' && Some(started) == self.started;
        state(self.id).is_some_and(alive)
    }
}

/// The state and the starting time that `/proc` tells.
fn state(id: u32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before it may hold anything, brackets too.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_another_of_its_id_does_not() {
        let ours = ProcessId::ours();
        assert!(ours.started.is_some() && ours.is_alive());
        let earlier = ProcessId { started: ours.started.map(|time| time - 1), ..ours };
        assert!(!earlier.is_alive());
    }
}
