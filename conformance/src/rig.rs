//! One isolated run of the program under test: fresh directories, hosts, processes, a record, and watchers at the end.

mod captured;
mod carried;
mod children;
mod doomed;
mod family;
mod host;
mod inbox;
mod launch;
mod listener;
mod manners;
mod methods;
mod plugin;
mod record;
mod room;
mod sockets;
mod tap;
mod terminal;
mod transcript;
mod watch;
mod words;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check::{Outcome, Stop};
use crate::components::Kind;
use crate::scenario::Scenario;
use crate::subject::Subject;

pub use doomed::Doomed;
pub use family::Relative;
pub use host::{Hello, Host};
pub use launch::{Launch, Places, Stderr, Stdin};
pub use manners::{Answer, Listens, Manners};
pub use methods::{Half, MethodId, carried, method_name};
pub use plugin::{End, Plugin};
pub use sockets::Socket;
pub use terminal::Terminal;
pub use transcript::{Entry, Frames, Message, Sender};

pub(crate) use children::{Child, ChildWatch};
pub(crate) use family::{become_subreaper, end_descendants, ended, reap, reap_all, signal};
pub(crate) use room::{Program, Started, probe};

use record::Record;

/// How long processes may outlive what ended them: to end is no single moment.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// What a check works with.
pub struct Rig {
    job: RigJob,
    places: Places,
    record: Rc<Record>,
    hosts: Cell<usize>,
    started: RefCell<Vec<Start>>,
}

/// What a rig is made for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RigJob {
    pub(crate) subject: Subject,
    /// The factor by which every budget is stretched.
    pub(crate) slow: f64,
    /// How long a check waits for an attach that it builds on, before `slow` stretches it.
    pub(crate) patience: Duration,
    /// The seed of everything that is made by chance.
    pub(crate) seed: u64,
    /// What the author of the plugin says of its work.
    pub(crate) scenario: Option<Scenario>,
    /// What the plugin offered at its first meeting, as `builder custom-cloud`.
    pub(crate) offered: Vec<String>,
    /// Whether the evidence is kept for a file of transcripts, and not only its end for a report.
    pub(crate) whole: bool,
}

impl RigJob {
    /// A job that is no check's: nothing is stretched, nothing was declared.
    pub(crate) fn by_hand(subject: Subject) -> Self {
        let patience = Duration::from_secs(10);
        Self { subject, slow: 1.0, patience, seed: 1, scenario: None, offered: Vec::new(), whole: false }
    }
}

/// A process, and the host that it was started for, if any.
type Start = (Rc<Plugin>, Option<Rc<Host>>);

/// A host and the process that was started for it.
#[derive(Clone)]
pub struct Trial {
    /// The host that the plugin was told of.
    pub host: Rc<Host>,
    /// The process.
    pub plugin: Rc<Plugin>,
}

/// A host and a plugin in session.
#[derive(Clone)]
pub struct Attached {
    /// The host.
    pub host: Rc<Host>,
    /// The process.
    pub plugin: Rc<Plugin>,
    /// What the plugin said of itself.
    pub hello: Rc<Hello>,
    /// The time from the start of the process to the attach.
    pub took: Duration,
}

impl Rig {
    /// A rig whose directories are made below `root`.
    pub(crate) fn new(job: RigJob, root: &Path) -> std::io::Result<Self> {
        let (places, record) = (Places::below(root)?, Rc::new(Record::new(job.slow, job.patience)));
        Ok(Self { job, places, record, hosts: Cell::default(), started: RefCell::default() })
    }

    /// What the author of the plugin says of its work.
    pub(crate) fn scenario(&self) -> Option<&Scenario> {
        self.job.scenario.as_ref()
    }

    /// Whether the plugin offered a component of one of these kinds when it was met first.
    pub(crate) fn offers_one_of(&self, kinds: &[Kind]) -> bool {
        let is_of = |one: &String, kind: &Kind| one.split(' ').next() == Some(kind.word());
        self.job.offered.iter().any(|one| kinds.iter().any(|kind| is_of(one, kind)))
    }

    /// A directory of its own for one run; what is left there is no litter.
    pub(crate) fn fresh_directory(&self) -> std::io::Result<PathBuf> {
        let number = self.hosts.replace(self.hosts.get() + 1);
        let path = self.places.sockets.join(format!("run-{number}"));
        std::fs::create_dir(&path).map(|()| path)
    }

    /// Runs a task for as long as the rig lasts.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.record.spawn(task);
    }

    /// The seed of everything that is made by chance.
    pub fn seed(&self) -> u64 {
        self.job.seed
    }

    /// The program under test.
    pub fn subject(&self) -> &Subject {
        &self.job.subject
    }

    /// The fresh directories of this run.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// How long an attach is waited for, before `--slow` stretches it: longer for a plugin whose first one took long.
    pub fn patience(&self) -> Duration {
        self.record.patience()
    }

    /// A host that listens; nothing is started for it yet.
    pub fn listen(&self, manners: Manners) -> Result<Rc<Host>, Stop> {
        let number = self.hosts.replace(self.hosts.get() + 1);
        let host = Host::listen(manners, self.places.sockets.clone(), number, self.record.clone());
        host.map(Rc::new).map_err(|error| Stop::rig("a host cannot listen", error))
    }

    /// A process that no host of ours belongs to.
    pub fn launch(&self, launch: &Launch) -> Result<Rc<Plugin>, Stop> {
        self.start(launch, None)
    }

    /// A process for a host that listens, started as `launch` says (`host.launch()` is the usual way).
    pub fn launch_for(&self, host: &Rc<Host>, launch: &Launch) -> Result<Trial, Stop> {
        Ok(Trial { host: host.clone(), plugin: self.start(launch, Some(host.clone()))? })
    }

    /// A host and a process for it; nothing is awaited.
    pub fn meet(&self, manners: Manners) -> Result<Trial, Stop> {
        let host = self.listen(manners)?;
        let launch = host.launch();
        self.launch_for(&host, &launch)
    }

    /// A session that is held open. That the plugin attaches at all is a prerequisite, not what the check is about.
    pub async fn attach(&self, manners: Manners) -> Result<Attached, Stop> {
        self.meet(manners)?.attached().await
    }

    /// Waits; stretched by `--slow`.
    pub async fn sleep(&self, time: Duration) {
        tokio::time::sleep(self.record.stretch(time)).await;
    }

    /// What is still below one process a moment after it should have ended, itself left out.
    pub(crate) async fn left_of(&self, plugin: &Plugin) -> Vec<String> {
        let others: Vec<i32> = {
            let started = self.started.borrow();
            let others = started.iter().filter(|(other, _)| other.pid() != plugin.pid());
            others.flat_map(|(other, _)| other.household()).collect()
        };
        let left = self.left_behind_but(&others).await;
        left.into_iter()
            .filter(|relative| relative.pid != plugin.pid())
            .map(|relative| relative.command)
            .collect()
    }

    /// The processes that are still below this rig, a moment after they should have ended.
    pub async fn left_behind(&self) -> Vec<Relative> {
        self.left_behind_but(&[]).await
    }

    async fn left_behind_but(&self, others: &[i32]) -> Vec<Relative> {
        let deadline = self.record.began.elapsed() + LEFT_BEHIND;
        loop {
            let mut left = family::descendants(own_pid());
            left.retain(|relative| !others.contains(&relative.pid));
            if left.is_empty() || self.record.began.elapsed() > deadline {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A time as `--slow` stretches it.
    pub fn stretch(&self, time: Duration) -> Duration {
        self.record.stretch(time)
    }

    /// Records something that was looked at on no process in particular; answers whether it held.
    pub fn saw(&self, expected: impl Into<String>, held: bool, observed: impl Into<String>) -> bool {
        self.record.saw(None, expected.into(), held, observed.into())
    }

    fn start(&self, launch: &Launch, host: Option<Rc<Host>>) -> Result<Rc<Plugin>, Stop> {
        let failed = |error| {
            Stop::rig(format_args!("{} cannot be started", self.job.subject.program.display()), error)
        };
        let (started, stdin) = launch.start(&self.job.subject, &self.places).map_err(failed)?;
        let index = self.started.borrow().len();
        let plugin = Plugin::new(started, stdin, launch.stderr, (index, self.record.clone()));
        let plugin = Rc::new(plugin.map_err(failed)?);
        self.started.borrow_mut().push((plugin.clone(), host));
        Ok(plugin)
    }

    /// Why a check ends that takes too long. Where something is broken already, the plugin kept it waiting; where
    /// nothing is, the check may be wrong itself.
    pub(crate) fn overran(&self, limit: Duration) -> Stop {
        let seconds = limit.as_secs();
        let broken = self.record.observations().iter().any(|seen| !seen.held);
        if !broken {
            return Stop::Rig(format!(
                "the check overran its {seconds} s and was ended; --slow 3 gives it more"
            ));
        }
        let expected = format!("everything can be tried within {seconds} s");
        let observed = "it was ended then: what is told beside kept it waiting, and the rest was not tried";
        self.record.saw(None, expected, false, observed.to_owned());
        Stop::Prerequisite
    }

    /// Ends everything, and tells what was seen.
    pub(crate) async fn finish(self, stop: Option<Stop>) -> Outcome {
        watch::wind_down(&self).await;
        let sightings = watch::sightings(&self);
        family::end_descendants(own_pid(), &[]);
        family::reap_all();
        let evidence = self
            .started
            .borrow()
            .iter()
            .map(|(plugin, host)| watch::evidence(plugin, host.as_deref(), self.job.whole))
            .collect();
        self.record.close();
        let took_ms = u64::try_from(self.record.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Outcome { observations: self.record.observations(), sightings, evidence, stop, took_ms }
    }
}

impl Trial {
    /// Waits for the attach; without it the check ends here.
    pub async fn attached(&self) -> Result<Attached, Stop> {
        match self.await_attach().await {
            Ok(attached) => Ok(attached),
            Err(observed) => {
                let patience = self.plugin.record.patience();
                match self.plugin.ended() {
                    Some(_) => self.plugin.lacks(attaches_in(patience), observed),
                    None => self.plugin.lacks_in_time(attaches_in(patience), observed, patience),
                }
            }
        }
    }

    /// Waits for the attach where that is what the rule is about, and records whether it came.
    pub async fn attaches(&self, expected: impl Into<String>) -> Option<Attached> {
        let attached = self.await_attach().await;
        let observed =
            attached.as_ref().map(|attached| format!("it attached after {} ms", attached.took.as_millis()));
        let observed = observed.unwrap_or_else(Clone::clone);
        self.plugin.saw(expected, attached.is_ok(), observed);
        attached.ok()
    }

    async fn await_attach(&self) -> Result<Attached, String> {
        let Self { host, plugin } = self.clone();
        let patience = plugin.record.patience();
        let hello = tokio::select! {
            hello = host.attached(patience) => hello,
            _ = plugin.exit(patience) => host.hellos().first().cloned(),
        };
        match (hello, plugin.ended()) {
            (Some(hello), _) => Ok(Attached { host, took: plugin.age(), plugin, hello }),
            (None, Some(end)) => Err(format!("it {end} before it attached")),
            (None, None) => {
                Err(format!("no attach, and it still ran; {} connections came", host.connections().len()))
            }
        }
    }
}

fn attaches_in(patience: Duration) -> String {
    format!("the plugin attaches within {:.1} s, so that the rule can be tried", patience.as_secs_f64())
}

pub(crate) fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}
