//! What a check has seen so far, and the clock that it sees it by.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::check::{Measured, Observation, Stop};

/// More than this is counted, not told one by one.
const OBSERVATIONS: usize = 400;
/// The longest text of an observation, in bytes.
const TEXT: usize = 2000;

/// What was seen beyond what is told.
#[derive(Clone, Copy, Default)]
struct Uncounted {
    all: usize,
    broken: usize,
}

/// Cuts a text off that a plugin made too long for a report.
fn shorten(text: &mut String) {
    if text.len() > TEXT {
        let end = text.floor_char_boundary(TEXT);
        let more = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("… ({more} bytes more)"));
    }
}

/// The record of one run of a check; every process and host of the rig writes into it.
pub(super) struct Record {
    pub(super) began: Instant,
    slow: f64,
    patience: Duration,
    observations: RefCell<Vec<Observation>>,
    uncounted: Cell<Uncounted>,
    tasks: RefCell<JoinSet<()>>,
}

impl Record {
    pub(super) fn new(slow: f64, patience: Duration) -> Self {
        Self {
            began: Instant::now(),
            slow,
            patience,
            observations: RefCell::default(),
            uncounted: Cell::default(),
            tasks: RefCell::default(),
        }
    }

    /// How long an attach is waited for, before `--slow` stretches it.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// A time as the user's `--slow` stretches it.
    pub(super) fn stretch(&self, time: Duration) -> Duration {
        time.mul_f64(self.slow)
    }

    /// Runs a task until the record is closed.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.tasks.borrow_mut().spawn_local(task);
    }

    /// Ends all tasks; they hold what holds the record.
    pub(super) fn close(&self) {
        self.tasks.borrow_mut().abort_all();
    }

    /// What was seen; of very much, the last tells how much more there was.
    pub(super) fn observations(&self) -> Vec<Observation> {
        let mut observations = self.observations.borrow().clone();
        let Uncounted { all, broken } = self.uncounted.get();
        if all > 0 {
            observations.push(Observation {
                expected: format!("{all} more observations hold"),
                observed: format!("{broken} of them do not; they are not told one by one"),
                held: broken == 0,
                measured: None,
                prerequisite: false,
                process: None,
            });
        }
        observations
    }

    pub(super) fn saw(&self, process: Option<usize>, expected: String, held: bool, observed: String) -> bool {
        self.push(Observation { expected, observed, held, measured: None, prerequisite: false, process })
    }

    pub(super) fn timed(
        &self,
        process: Option<usize>,
        expected: String,
        held: bool,
        observed: String,
        limit: Duration,
        took: Duration,
    ) -> bool {
        let measured = Some(self.measured(limit, took));
        self.push(Observation { expected, observed, held, measured, prerequisite: false, process })
    }

    pub(super) fn lacks<T>(
        &self,
        process: Option<usize>,
        expected: String,
        observed: String,
    ) -> Result<T, Stop> {
        self.missing(process, expected, observed, None)
    }

    /// The same where what is missing did not come in time.
    pub(super) fn lacks_in_time<T>(
        &self,
        process: Option<usize>,
        expected: String,
        observed: String,
        limit: Duration,
    ) -> Result<T, Stop> {
        let measured = self.measured(limit, self.stretch(limit));
        self.missing(process, expected, observed, Some(measured))
    }

    fn missing<T>(
        &self,
        process: Option<usize>,
        expected: String,
        observed: String,
        measured: Option<Measured>,
    ) -> Result<T, Stop> {
        self.push(Observation { expected, observed, held: false, measured, prerequisite: true, process });
        Err(Stop::Prerequisite)
    }

    fn measured(&self, limit: Duration, took: Duration) -> Measured {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Measured { limit_ms: millis(self.stretch(limit)), took_ms: millis(took) }
    }

    fn push(&self, mut observation: Observation) -> bool {
        let held = observation.held;
        let mut observations = self.observations.borrow_mut();
        if observations.len() >= OBSERVATIONS {
            let Uncounted { all, broken } = self.uncounted.get();
            self.uncounted.set(Uncounted { all: all + 1, broken: broken + usize::from(!held) });
            return held;
        }
        [&mut observation.expected, &mut observation.observed].into_iter().for_each(shorten);
        observations.push(observation);
        held
    }
}
