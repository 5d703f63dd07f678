//! Who plays: the components of a plugin of which a scenario says something.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use packwire_schema::component_capnp::{command, component};
use packwire_schema::hook_capnp::hook;
use serde_json::Value;

use super::run::{Lent, start_command, start_hook};
use super::{Ended, Outcome, Running, Stage};
use crate::check::{Checked, Stop};
use crate::components::{Kind, offered};
use crate::rig::{Attached, ChildWatch, Manners, Rig};
use crate::scenario::{Input, Key, Part};
use crate::talk::{Object, Preparer, Schema};

/// How long a run may take that nobody keeps waiting, if the scenario does not say.
const RUN: f64 = 60.0;
/// How long a cancelled run may take, if the scenario does not say.
const GRACE: f64 = 60.0;

/// A session, and the components in it that can be run.
pub(crate) struct Cast {
    pub(crate) session: Attached,
    pub(crate) actors: Vec<Actor>,
    /// Components of the kinds that were asked for, of which no scenario says anything.
    missing: Vec<String>,
    /// What components do not have, so that there is nothing to try.
    untried: RefCell<Vec<String>>,
    /// Keys that the scenario neither gives nor says to be without, each with a component.
    unsaid: RefCell<Vec<(String, String)>>,
    /// What the scenario says and cannot be so.
    doubts: RefCell<Vec<String>>,
    /// Runs of examples that did not come to what a rule is about: nobody has said that they would.
    unfit: RefCell<Vec<String>>,
}

/// A component that can be run.
pub(crate) struct Actor {
    /// ``builder `custom-cloud` ``.
    pub(crate) title: String,
    pub(crate) kind: Kind,
    pub(crate) part: Part,
    /// Whether a run ends with an artifact; nothing is known of an example that the schema calls safe to run.
    pub(crate) artifact: Option<bool>,
    pub(crate) offer: Offer,
}

/// Its capability.
pub(crate) enum Offer {
    Prepares(Preparer),
    Hook(hook::Client),
    Command(command::Client),
}

impl Cast {
    /// Attaches, and finds the components of these kinds.
    pub(crate) async fn assemble(rig: &Rig, kinds: &[Kind]) -> Result<Self, Stop> {
        if !rig.offers_one_of(kinds) {
            let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
            return Err(Stop::NotApplicable(format!("it offers no {}", words.join(", no "))));
        }
        Self::in_session(rig, kinds, rig.attach(Manners::default()).await?)
    }

    /// Finds the components of these kinds in a session.
    pub(crate) fn in_session(rig: &Rig, kinds: &[Kind], session: Attached) -> Result<Self, Stop> {
        let (mut actors, mut missing) = (Vec::new(), Vec::new());
        let components =
            session.plugin.read("the list of components", session.hello.read().and_then(offered))?;
        for one in &components {
            let Some(kind) = one.kind.filter(|kind| kinds.contains(kind)) else { continue };
            let offer = match one.reader.which() {
                Ok(component::Hook(Ok(client))) => Some(Offer::Hook(client)),
                Ok(component::Command(Ok(client))) => Some(Offer::Command(client)),
                _ => Preparer::of(one).map(Offer::Prepares),
            };
            let Some(offer) = offer else { continue };
            match part_of(rig, kind, &one.name, &offer) {
                Some((part, artifact)) => {
                    actors.push(Actor { title: one.title.clone(), kind, part, artifact, offer });
                }
                None => missing.push(one.title.clone()),
            }
        }
        match (actors.is_empty(), missing.is_empty()) {
            (true, true) => {
                let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
                Err(Stop::NotApplicable(format!("it offers no {}", words.join(", no "))))
            }
            (true, false) => Err(needs_scenario(&missing)),
            (false, _) => Ok(Self {
                session,
                actors,
                missing,
                untried: RefCell::default(),
                unsaid: RefCell::default(),
                doubts: RefCell::default(),
                unfit: RefCell::default(),
            }),
        }
    }

    /// Records what a component promises.
    pub(crate) fn saw(&self, actor: &Actor, promise: &str, held: bool, observed: String) -> bool {
        self.session.plugin.saw(format!("the {} {promise}", actor.title), held, observed)
    }

    /// Looks at the children of the plugin from now on.
    pub(crate) fn watch_children(&self, rig: &Rig) -> ChildWatch {
        ChildWatch::begin(rig, &self.session.plugin)
    }

    /// A component does nothing that the rule is about, whatever its scenario says.
    pub(crate) fn lacks(&self, actor: &Actor, what: &str) {
        self.untried.borrow_mut().push(format!("the scenario has no {what} for the {}", actor.title));
    }

    /// A component does without what it may leave out, and the rule is about that.
    pub(crate) fn offers_no(&self, actor: &Actor, what: &str) {
        self.untried.borrow_mut().push(format!("the {} has no {what}", actor.title));
    }

    /// A key that the rule needs is not in a component's part of the scenario.
    pub(crate) fn needs(&self, actor: &Actor, key: Key) {
        let (asked, title) = (key.asked_of(actor.kind), &actor.title);
        if actor.part.without.contains(&key) {
            self.untried.borrow_mut().push(format!("the scenario says that the {title} has no {asked}"));
        } else if key.fits(actor.kind) {
            self.unsaid.borrow_mut().push((asked, title.clone()));
        }
    }

    /// The scenario says what cannot be so: what was seen with its help proves nothing.
    pub(crate) fn doubts(&self, problem: String) {
        self.doubts.borrow_mut().push(problem);
    }

    /// Whether a run that nothing disturbs ended well, as its scenario says. A rule about such runs could not be tried
    /// where it did not, which is recorded.
    pub(crate) fn is_well(&self, actor: &Actor, outcome: &Outcome) -> bool {
        outcome.is_good() || self.misses(actor, "ends well", outcome.told())
    }

    /// Records that a run did not come to what the rule is about; false.
    pub(crate) fn misses(&self, actor: &Actor, what: &str, observed: String) -> bool {
        let expected = format!("a run of the {} {what}, so that the rule can be tried", actor.title);
        if actor.is_example() {
            self.unfit.borrow_mut().push(format!("{expected} – {observed}"));
        } else {
            drop(self.session.plugin.lacks::<()>(expected, observed));
        }
        false
    }

    /// A whole run of the good configuration that nothing disturbs; that it ends well is a prerequisite.
    pub(crate) async fn runs_well(&self, rig: &Rig, actor: &Actor, stage: &Rc<Stage>) -> Result<Ended, Stop> {
        let ended = actor.runs(rig, &self.session, stage).await?;
        self.is_well(actor, &ended.outcome);
        Ok(ended)
    }

    /// The end of a check: what was missing is said.
    pub(crate) fn over(&self) -> Checked {
        if !self.missing.is_empty() {
            return Err(needs_scenario(&self.missing));
        }
        if !self.doubts.borrow().is_empty() {
            return Err(Stop::NotExercised(self.doubts.borrow().join("; ")));
        }
        let unfit = self.unfit.borrow();
        if !unfit.is_empty() {
            let why = format!("the examples are safe to run, and no more is said: {}", unfit.join("; "));
            return Err(Stop::NotExercised(why));
        }
        if !self.unsaid.borrow().is_empty() {
            return Err(needs_keys(&self.unsaid.borrow()));
        }
        if self.session.plugin.has_observations() {
            return Ok(());
        }
        let untried = self.untried.borrow().join("; ");
        if untried.is_empty() {
            let titles: Vec<&str> = self.actors.iter().map(|actor| actor.title.as_str()).collect();
            return Err(Stop::NotApplicable(format!(
                "it is about nothing that the {} does",
                titles.join(", the ")
            )));
        }
        Err(Stop::NotApplicable(untried))
    }
}

fn needs_scenario(missing: &[String]) -> Stop {
    Stop::NotExercised(format!("no --scenario says how to run the {}", missing.join(", the ")))
}

fn needs_keys(unsaid: &[(String, String)]) -> Stop {
    let mut keys: Vec<(&str, Vec<&str>)> = Vec::new();
    for (key, title) in unsaid {
        match keys.iter_mut().find(|(known, _)| known == key) {
            Some((_, titles)) if titles.contains(&title.as_str()) => {}
            Some((_, titles)) => titles.push(title),
            None => keys.push((key, vec![title])),
        }
    }
    let told = keys.iter().map(|(key, titles)| format!("no {key} for the {}", titles.join(", the ")));
    let told = told.collect::<Vec<_>>().join(", and ");
    Stop::NotExercised(format!("the scenario has {told}; `without` says where there is none"))
}

/// What the scenario says, or the schema's word that its examples are safe to run; and whether a run ends with an
/// artifact.
fn part_of(rig: &Rig, kind: Kind, name: &str, offer: &Offer) -> Option<(Part, Option<bool>)> {
    if let Some(said) = rig.scenario().and_then(|scenario| scenario.part(kind, name)) {
        return Some((said.clone(), Some(said.artifact.unwrap_or(true))));
    }
    let Offer::Prepares(preparer) = offer else { return None };
    let schema = Schema::of(&preparer.schema).filter(Schema::is_safe_to_run)?;
    let example = schema.examples().into_iter().next().map(Value::Object)?;
    let input = (kind == Kind::PostProcessor).then(Input::plain);
    Some((Part { run: Some(example), input, ..Part::default() }, None))
}

impl Actor {
    /// Whether it is a provisioner that needs a machine.
    pub(crate) fn needs_communicator(&self) -> bool {
        matches!(&self.offer, Offer::Prepares(preparer) if preparer.needs_communicator)
    }

    /// Whether its runs are there to make something outside of a machine that is lent.
    pub(crate) fn is_maker(&self) -> bool {
        matches!(self.kind, Kind::Builder | Kind::PostProcessor)
    }

    /// Whether what goes into it besides a configuration holds the text that is hard to keep.
    pub(crate) fn speaks_text(&self) -> bool {
        let data = self.part.data.iter().map(Value::to_string);
        data.chain(self.part.arguments.iter().flatten().cloned()).any(|one| one.contains("${text}"))
    }

    /// Whether all that is known of its run is that the schema calls its examples safe.
    pub(crate) fn is_example(&self) -> bool {
        self.artifact.is_none()
    }

    /// How long a cancelled run may take.
    pub(crate) fn grace(&self) -> Duration {
        Duration::from_secs_f64(self.part.grace.unwrap_or(GRACE))
    }

    /// How long a run may take that nobody keeps waiting.
    pub(crate) fn within(&self) -> Duration {
        Duration::from_secs_f64(self.part.within.unwrap_or(RUN))
    }

    /// A new stage for it.
    pub(crate) fn stage(&self, rig: &Rig) -> Result<Rc<Stage>, Stop> {
        Stage::set(rig, &self.part)
    }

    /// The configuration of a run that ends well; nothing for kinds without a configuration.
    pub(crate) fn good(&self) -> Value {
        self.part.run.clone().unwrap_or_default()
    }

    /// Prepares a configuration of the scenario, which has to be accepted.
    pub(crate) async fn prepare(
        &self,
        rig: &Rig,
        session: &Attached,
        stage: &Stage,
        config: &Value,
    ) -> Result<Option<Object>, Stop> {
        match &self.offer {
            Offer::Prepares(preparer) => {
                let config = stage.filled(config);
                preparer.prepared(rig, session, &config, stage.setting()).await.map(Some)
            }
            Offer::Hook(_) | Offer::Command(_) => Ok(None),
        }
    }

    /// Whether it refuses a configuration, with an error.
    pub(crate) async fn refuses(&self, rig: &Rig, stage: &Stage, config: &Value) -> bool {
        match &self.offer {
            Offer::Prepares(preparer) => {
                let config = stage.filled(config).to_string();
                preparer.prepare(rig, config.as_bytes()).await.refuses()
            }
            Offer::Hook(_) | Offer::Command(_) => false,
        }
    }

    /// Prepares, where the kind does that, and begins a run. For hooks the configuration stands for other data than
    /// usual, unless it is null.
    pub(crate) async fn start(
        &self,
        rig: &Rig,
        session: &Attached,
        stage: &Rc<Stage>,
        config: &Value,
    ) -> Result<Running, Stop> {
        self.start_with(rig, session, stage, config, Lent::Everything).await
    }

    /// The same with less than everything lent.
    pub(crate) async fn start_with(
        &self,
        rig: &Rig,
        session: &Attached,
        stage: &Rc<Stage>,
        config: &Value,
        lent: Lent,
    ) -> Result<Running, Stop> {
        let failed = |error| Stop::rig("a run cannot begin", error);
        match &self.offer {
            Offer::Prepares(_) => {
                let object = self.prepare(rig, session, stage, config).await?;
                let Some(object) = object else { return Err(Stop::Prerequisite) };
                object.start_with(rig, stage, lent).map_err(failed)
            }
            Offer::Hook(client) => {
                let given = Some(config).filter(|config| !config.is_null()).or(self.part.data.as_ref());
                let data = given.map_or_else(|| "{}".to_owned(), Value::to_string);
                let event = self.part.event.clone().unwrap_or_default();
                Ok(start_hook(rig, client, stage, (&event, &stage.filled_text(&data)), lent))
            }
            Offer::Command(client) => {
                let arguments = self.part.arguments.clone().unwrap_or_default();
                let arguments: Vec<String> = arguments.iter().map(|one| stage.filled_text(one)).collect();
                Ok(start_command(rig, client, stage, &arguments, lent))
            }
        }
    }

    /// A whole run of the good configuration that nothing disturbs; that it ends is a prerequisite.
    pub(crate) async fn runs(&self, rig: &Rig, session: &Attached, stage: &Rc<Stage>) -> Result<Ended, Stop> {
        let running = self.start(rig, session, stage, &self.good()).await?;
        self.ends(rig, session, &running).await
    }

    /// The configuration of a run with much output, if the scenario has one.
    pub(crate) fn much(&self) -> Value {
        self.part.much.clone().unwrap_or_else(|| self.good())
    }

    /// The end of a run that nothing keeps waiting; without it the check ends.
    pub(crate) async fn ends(&self, rig: &Rig, session: &Attached, running: &Running) -> Result<Ended, Stop> {
        self.ends_or(rig, session, running, "it did not end").await
    }

    /// The same of a run with much output, where it may be the scenario that asks for too much.
    pub(crate) async fn ends_much(
        &self,
        rig: &Rig,
        session: &Attached,
        running: &Running,
    ) -> Result<Ended, Stop> {
        let observed = match &self.part.much {
            Some(_) => {
                "it did not end; more than 64 texts, or more than 1 MiB, is much, and no more is needed: if the run is \
                 only slow, ask for less in the scenario's `much`, or give it a longer `within`"
            }
            None => "it did not end",
        };
        self.ends_or(rig, session, running, observed).await
    }

    async fn ends_or(
        &self,
        rig: &Rig,
        session: &Attached,
        running: &Running,
        observed: &str,
    ) -> Result<Ended, Stop> {
        let within = self.within();
        match running.end(rig, within).await {
            Some(ended) => Ok(ended),
            None => session.plugin.lacks(
                format!(
                    "a run of the {} ends within {} s, so that the rule can be tried",
                    self.title,
                    within.as_secs_f64()
                ),
                observed,
            ),
        }
    }
}
