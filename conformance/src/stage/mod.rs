//! The stage of a run: everything that a host lends, played by the suite, which writes down what is done with it.

mod artifact;
mod borrowed;
mod cast;
mod diary;
mod environment;
mod hook;
mod machine;
mod opened;
mod outcome;
mod probed;
mod received;
mod run;
mod server;
mod stream;
mod ui;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::check::Stop;
use crate::rig::Rig;
use crate::scenario::Part;
use crate::talk::Setting;
use received::Received;

pub(crate) use borrowed::{RAN, Use};
pub(crate) use cast::{Actor, Cast, Offer};
pub(crate) use diary::{Act, Diary, Gate, Reply};
pub(crate) use environment::{Services, refusal};
pub(crate) use hook::HookAnswer;
pub(crate) use machine::Ending;
pub(crate) use opened::Opened;
pub(crate) use outcome::{Ended, Outcome, read_outcome};
pub(crate) use run::{Lent, Running, start_command, start_hook, start_recovery};
pub(crate) use stream::{Sink, pour, pour_at_once, write};

/// A text that is hard to keep intact: beyond ASCII, beyond 16 bits, combining, of two directions, with quotes.
pub(crate) const TEXT: &str = "Grüße 緑 🌿 e\u{301} ﬁ שלום I\u{307}";
/// How long `info` of a communicator may take.
pub(crate) const INFO: Duration = Duration::from_secs(10);
/// A text that must not be seen.
pub(crate) const SECRET: &str = "kAn4r1eNv0g3l-packwire";

/// Whether the work is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Cancelled,
    /// It has answered.
    Revoked,
}

/// What is lent in one run, and how it behaves.
pub(crate) struct Stage {
    pub(crate) diary: Diary,
    /// How calls of the Ui are answered.
    pub(crate) ui: Gate,
    /// How the hook answers.
    pub(crate) hook: Gate,
    /// How commands end.
    pub(crate) commands: Gate,
    /// How writes into our streams are answered.
    pub(crate) writes: Gate,
    /// How `remember` is answered.
    pub(crate) remembering: Gate,
    /// What the hook answers to `packer_provision`.
    pub(crate) provisioning: Cell<HookAnswer>,
    /// What the hook does with the communicator that it is lent.
    pub(crate) machine_use: Cell<Use>,
    /// How commands on the machine end, if not as the scenario says.
    pub(crate) ending: Cell<Ending>,
    /// Whether questions are answered, and streams and downloads end, with a member that nobody knows.
    pub(crate) foreign_replies: Cell<bool>,
    pub(crate) foreign_transfers: Cell<bool>,
    /// The same of tunnels, and of the kind of each component that a command asks for.
    pub(crate) foreign_tunnels: Cell<bool>,
    pub(crate) foreign_components: Cell<bool>,
    /// What the environment gives.
    pub(crate) services: Cell<Services>,
    /// Which call of the machine throws, counted from 0.
    pub(crate) breaks_at: Cell<Option<usize>>,
    /// Which write into our streams throws, counted from 0.
    pub(crate) write_fails_at: Cell<Option<usize>>,
    /// The files on the machine.
    pub(crate) files: RefCell<BTreeMap<String, Vec<u8>>>,
    /// Everything that was written into our streams, one after another.
    pub(crate) received: RefCell<Received>,
    /// A fresh directory of this run.
    pub(crate) directory: PathBuf,
    /// Whether what is there may be replaced.
    pub(crate) force: Cell<bool>,
    /// The directory of the template, where it is another one.
    pub(crate) template: OnceCell<PathBuf>,
    pub(crate) part: Part,
    /// How long a communicator of the plugin's may take to tell about itself.
    info_within: Duration,
    /// Communicators that are in use as long as the stage is.
    kept: RefCell<Vec<Opened>>,
    steps: Cell<usize>,
    writes_seen: Cell<usize>,
    lanes: Cell<usize>,
    state: watch::Sender<State>,
    addresses: (String, String),
    /// What the suite's own environment has for the programs that it starts: PATH, before all.
    variables: Vec<(OsString, OsString)>,
}

impl Stage {
    /// A stage for one run of a component; servers are started if its configurations speak of them.
    pub(crate) fn set(rig: &Rig, part: &Part) -> Result<Rc<Self>, Stop> {
        let directory = rig.fresh_directory();
        Self::set_in(rig, part, directory.map_err(|error| Stop::rig("a stage cannot be set", error))?)
    }

    /// The same in a directory that is there.
    pub(crate) fn set_in(rig: &Rig, part: &Part, directory: PathBuf) -> Result<Rc<Self>, Stop> {
        let failed = |error: std::io::Error| Stop::rig("a stage cannot be set", error);
        let serve = rig.scenario().map(|scenario| scenario.serve.clone()).unwrap_or_default();
        let serve = serve.into_iter().map(|(path, text)| (path, text.replace("${text}", TEXT))).collect();
        let addresses = server::start(rig, serve).map_err(failed)?;
        let files = part.files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect();
        Ok(Rc::new(Self {
            diary: Diary::default(),
            ui: Gate::default(),
            hook: Gate::default(),
            commands: Gate::default(),
            writes: Gate::default(),
            remembering: Gate::default(),
            provisioning: Cell::default(),
            machine_use: Cell::default(),
            ending: Cell::default(),
            foreign_replies: Cell::default(),
            foreign_transfers: Cell::default(),
            foreign_tunnels: Cell::default(),
            foreign_components: Cell::default(),
            services: Cell::default(),
            breaks_at: Cell::default(),
            write_fails_at: Cell::default(),
            files: RefCell::new(files),
            received: RefCell::default(),
            directory,
            force: Cell::default(),
            template: OnceCell::new(),
            part: part.clone(),
            info_within: rig.stretch(info_within(part)),
            kept: RefCell::default(),
            steps: Cell::default(),
            writes_seen: Cell::default(),
            lanes: Cell::default(),
            state: watch::Sender::new(State::Running),
            addresses,
            variables: rig.subject().environment(),
        }))
    }

    /// A value of the scenario with its placeholders filled.
    pub(crate) fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.filled_text(text)),
            Value::Array(all) => all.iter().map(|one| self.filled(one)).collect(),
            Value::Object(all) => all.iter().map(|(key, one)| (key.clone(), self.filled(one))).collect(),
            other => other.clone(),
        }
    }

    /// The same for a text.
    pub(crate) fn filled_text(&self, text: &str) -> String {
        text.replace("${work}", &self.directory.display().to_string())
            .replace("${text}", TEXT)
            .replace("${secret}", SECRET)
            .replace("${server}", &self.addresses.0)
            .replace("${deaf}", &self.addresses.1)
    }

    /// Where and how the component is used.
    pub(crate) fn setting(&self) -> Setting<'_> {
        let template = self.template.get().unwrap_or(&self.directory);
        Setting { directory: &self.directory, template, force: self.force.get() }
    }

    /// Makes files in its directory: names and texts.
    pub(crate) fn lay(&self, files: &BTreeMap<String, String>) -> std::io::Result<()> {
        for (name, text) in files {
            let path = self.directory.join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(&self.directory))?;
            std::fs::write(&path, self.filled_text(text))?;
        }
        Ok(())
    }

    /// Asks the work to stop.
    pub(crate) fn cancel(&self) {
        if *self.state.borrow() == State::Running {
            self.state.send_replace(State::Cancelled);
        }
    }

    /// Takes back what was lent.
    pub(crate) fn revoke(&self) {
        self.state.send_replace(State::Revoked);
    }

    /// Everything that was said to the user, one after another; of very much, a line stands in for the rest.
    pub(crate) fn said(&self) -> String {
        let words = ["Ui.say", "Ui.message", "Ui.error"];
        let acts = self.diary.acts();
        let said =
            acts.iter().filter(|act| words.contains(&act.name)).map(|act| act.text.trim_end_matches('\n'));
        let lost = Some(self.diary.lost()).filter(|lost| *lost > 0);
        let lost = lost.map(|lost| format!("[{lost} calls are not kept]"));
        said.chain(lost.as_deref()).collect::<Vec<_>>().join("\n")
    }

    /// Everything that came of a run: words, calls, bytes, files, the outcome and what it holds.
    pub(crate) async fn traces(&self, ended: &Ended) -> String {
        let mut traces: Vec<String> = self.diary.acts().into_iter().map(|act| act.text).collect();
        traces.push(String::from_utf8_lossy(self.received.borrow().kept()).into_owned());
        traces.push(ended.generated.clone());
        if let Outcome::Value(value) = &ended.outcome {
            // Texts in JSON may be escaped.
            let value: Value = serde_json::from_str(value).unwrap_or_default();
            traces.push(value.to_string());
        }
        if let Some(artifact) = ended.outcome.artifact()
            && let Ok(answer) = artifact.describe_request().send().promise.await
            && let Ok(info) = answer.get().and_then(|answer| answer.get_info())
        {
            traces.extend(
                [info.get_id(), info.get_description()]
                    .map(|one| crate::components::text(one).unwrap_or_default()),
            );
        }
        for path in self.files_made() {
            traces.push(path.display().to_string());
            traces.push(String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned());
        }
        traces.join("\n")
    }

    /// The files below the directory of the run.
    pub(crate) fn files_made(&self) -> Vec<PathBuf> {
        let (mut found, mut waiting) = (Vec::new(), vec![self.directory.clone()]);
        while let Some(directory) = waiting.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                    _ => found.push(entry.path()),
                }
            }
        }
        found
    }

    /// How many writes came, those that failed included.
    pub(crate) fn writes_seen(&self) -> usize {
        self.writes_seen.get()
    }

    fn is_revoked(&self) -> bool {
        *self.state.borrow() == State::Revoked
    }

    fn lane(&self) -> usize {
        self.lanes.replace(self.lanes.get() + 1)
    }

    /// Writes a call down and lets it pass its gate.
    async fn act(&self, lane: usize, name: &'static str, text: String, gate: &Gate) -> capnp::Result<()> {
        self.act_with_bytes(lane, name, text, 0, gate).await
    }

    async fn act_with_bytes(
        &self,
        lane: usize,
        name: &'static str,
        text: String,
        bytes: usize,
        gate: &Gate,
    ) -> capnp::Result<()> {
        let number = self.diary.begin(lane, name, text, bytes);
        if self.is_revoked() {
            return Err(revoked());
        }
        let passed = gate.pass().await;
        self.diary.end(number);
        passed
    }
}

/// As long as the limits say, and short enough for the run to end in its time, where that is short.
fn info_within(part: &Part) -> Duration {
    part.within.map_or(INFO, |within| INFO.min(Duration::from_secs_f64(within / 4.0)))
}

fn revoked() -> capnp::Error {
    capnp::Error::failed("revoked".to_owned())
}

/// A gate that is always open.
fn open() -> Gate {
    Gate::default()
}
