//! The memory of all supervisors together: whoever makes one of them hold too much ends that check, not the suite.
//!
//! What single places keep is bounded where they are; this is for what nobody has thought of.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// More than this all supervisors together do not hold, in bytes; what processes share is not counted.
const MOST: usize = 128 << 20;
/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(5);

/// How much each supervisor holds, by its process id.
#[derive(Default)]
pub(crate) struct Memory {
    held: RefCell<BTreeMap<i32, usize>>,
}

impl Memory {
    /// Resolves when all together hold too much and this one holds the most; answers how much it holds.
    pub(crate) async fn exceeded_by(&self, pid: i32) -> usize {
        let share = Share { memory: self, pid };
        loop {
            tokio::time::sleep(GLANCE).await;
            let held = share.renew();
            if self.is_exceeded_by(held) {
                return held;
            }
        }
    }

    fn is_exceeded_by(&self, held: usize) -> bool {
        let all = self.held.borrow();
        all.values().sum::<usize>() > MOST && all.values().all(|other| *other <= held)
    }
}

/// One supervisor's part, for as long as it is looked at.
struct Share<'a> {
    memory: &'a Memory,
    pid: i32,
}

impl Share<'_> {
    fn renew(&self) -> usize {
        let held = private_memory(self.pid).unwrap_or_default();
        self.memory.held.borrow_mut().insert(self.pid, held);
        held
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.memory.held.borrow_mut().remove(&self.pid);
    }
}

/// What a process has in memory and shares with nobody, in bytes.
pub(crate) fn private_memory(pid: i32) -> Option<usize> {
    let pages = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut pages = pages.split(' ').skip(1).map(|number| number.parse::<usize>().ok());
    let (resident, shared) = (pages.next()??, pages.next()??);
    Some(resident.saturating_sub(shared) * rustix::param::page_size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_the_most_ends_when_all_hold_too_much() {
        let memory = Memory::default();
        memory.held.borrow_mut().extend([(1, MOST / 2), (2, MOST / 4)]);
        assert!(!memory.is_exceeded_by(MOST / 2));
        memory.held.borrow_mut().insert(3, MOST / 3);
        assert!(memory.is_exceeded_by(MOST / 2) && !memory.is_exceeded_by(MOST / 3));
    }

    #[test]
    fn this_process_has_memory_of_its_own() {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        assert!(private_memory(pid).unwrap() > 1 << 16);
        assert_eq!(private_memory(-1), None);
    }
}
