//! Prepare.

mod pure;
mod relative;
mod told;
mod twice;

use std::time::Duration;

use crate::check::{Check, Checked, Class, Level, Stop};
use crate::rig::{Attached, Manners, Rig};
use crate::scenario::Told;
use crate::talk::config::{INVENTED, invented_path};
use crate::talk::diagnostic::{is_at_or_below, points_into};
use crate::talk::{Answer, Preparer, Sample, Schema, preparers};

const MOMENT: Duration = Duration::from_millis(200);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "prepare.answers",
        level: Level::Must,
        class: Class::Declared,
        title: "answers every configuration",
        why: "What a user wrote into a template is never a bug of the plugin, however wrong it is.",
        seen: "prepare is called with texts that are no JSON object, with the examples of the schema, and with systematic and seeded changes of them.",
        budgets: &[],
        mutants: &["panics-on-null", "exception-for-bad-config"],
        lasts: MOMENT,
        run: |rig| Box::pin(answers(rig)),
    },
    Check {
        id: "prepare.errors-xor-object",
        level: Level::Must,
        class: Class::Declared,
        title: "gives an object or an error, never both",
        why: "A host decides by the one or the other whether a build can begin.",
        seen: "The same configurations; in each answer the errors are counted and the object looked for.",
        budgets: &[],
        mutants: &["build-despite-error", "silent-no-build"],
        lasts: MOMENT,
        run: |rig| Box::pin(errors_xor_object(rig)),
    },
    Check {
        id: "prepare.pure",
        level: Level::Must,
        class: Class::Declared,
        title: "does nothing but answer",
        why: "A host prepares to validate, also what is never run.",
        seen: "Files, children and sockets are listed before and after all these calls.",
        budgets: &[],
        mutants: &["prepare-creates-files", "prepare-dials-cloud"],
        lasts: MOMENT,
        run: |rig| Box::pin(pure::pure(rig)),
    },
    Check {
        id: "prepare.repeatable",
        level: Level::Must,
        class: Class::Declared,
        title: "answers the same again",
        why: "What was validated is prepared again before it runs, maybe after others.",
        seen: "The same configurations three times, in two orders; the answers are compared.",
        budgets: &[],
        mutants: &["prepare-accumulates"],
        lasts: MOMENT,
        run: |rig| Box::pin(repeatable(rig)),
    },
    Check {
        id: "prepare.schema-agrees",
        level: Level::Must,
        class: Class::Declared,
        title: "agrees with its own schema",
        why: "Hosts and editors read the schema; a plugin that thinks otherwise makes liars of them.",
        seen: "Each configuration is validated by the suite against the declared schema, too.",
        budgets: &[],
        mutants: &["schema-stricter-than-code", "example-refused"],
        lasts: MOMENT,
        run: |rig| Box::pin(schema_agrees(rig)),
    },
    Check {
        id: "prepare.unknown-key",
        level: Level::Must,
        class: Class::Declared,
        title: "names a key that it does not know",
        why: "A misspelt option that is silently ignored is found in production.",
        seen: "One invented key is added to every example; another is an option in capital letters.",
        budgets: &[],
        mutants: &["ignores-unknown-keys"],
        lasts: MOMENT,
        run: |rig| Box::pin(unknown_key(rig)),
    },
    Check {
        id: "prepare.duplicate-key",
        level: Level::Must,
        class: Class::Declared,
        title: "refuses a key that is there twice",
        why: "Of a key that is there twice one decoder takes the first, another the last, a third both of two cases: what a host checked is not what runs.",
        seen: "Configurations that are taken, with one key a second time and the same value: at the top, written with escapes, in an object below, and in capital letters.",
        budgets: &[],
        mutants: &["last-key-wins", "compares-keys-as-written", "folds-case"],
        lasts: MOMENT,
        run: |rig| Box::pin(twice::duplicate_key(rig)),
    },
    Check {
        id: "prepare.all-problems",
        level: Level::Should,
        class: Class::Declared,
        title: "tells all problems together",
        why: "Whoever learns of one mistake at a time starts the host once for each.",
        seen: "An example is made wrong in several places at once, each of which the schema refuses for itself; an author's scenario may name more.",
        budgets: &[],
        mutants: &["first-error-only"],
        lasts: MOMENT,
        run: |rig| Box::pin(told::all_problems(rig)),
    },
    Check {
        id: "prepare.diagnostic-paths",
        level: Level::Must,
        class: Class::Declared,
        title: "says where in the configuration",
        why: "A host shows the line of the template that a path leads to.",
        seen: "Every path is resolved in the configuration that was given; where the schema finds one member wrong, a path has to lead there.",
        budgets: &[],
        mutants: &["empty-paths", "go-field-name-paths"],
        lasts: MOMENT,
        run: |rig| Box::pin(diagnostic_paths(rig)),
    },
    Check {
        id: "prepare.warnings-not-fatal",
        level: Level::Must,
        class: Class::Scenario,
        title: "warns, and works all the same",
        why: "A user who cannot build because of a remark turns remarks off.",
        seen: "Configurations of which the scenario says that they are taken with a warning.",
        budgets: &[],
        mutants: &["warning-is-error"],
        lasts: MOMENT,
        run: |rig| Box::pin(told::warnings_not_fatal(rig)),
    },
    Check {
        id: "prepare.relative-paths",
        level: Level::Must,
        class: Class::Scenario,
        title: "takes relative paths from the host's directory",
        why: "A plugin is started anywhere; what a user calls `out.img` is meant from where the host was called.",
        seen: "The configuration of which the scenario says that its paths are relative is run with a `workingDir` that is neither the plugin's own directory nor the template's: what is to be read lies there, and what is made is looked for in all three.",
        budgets: &[],
        mutants: &["relative-to-its-cwd", "relative-to-the-template"],
        lasts: MOMENT,
        run: |rig| Box::pin(relative::relative_paths(rig)),
    },
];

/// A component with everything that its `prepare` was asked and answered.
pub(super) struct Tried {
    pub(super) component: Preparer,
    pub(super) samples: Vec<Sample>,
    pub(super) answers: Vec<Answer>,
}

impl Tried {
    /// Asks every component of a session everything.
    pub(super) async fn all(rig: &Rig, session: &Attached) -> Result<Vec<Self>, Stop> {
        let mut tried = Vec::new();
        for component in preparers(session)? {
            let schema = schema_of(&component);
            let samples = schema.samples(rig.seed());
            let answers = component.prepare_all(rig, samples.iter().map(|one| one.text.as_bytes())).await;
            tried.push(Self { component, samples, answers });
        }
        Ok(tried)
    }

    fn pairs(&self) -> impl Iterator<Item = (&Sample, &Answer)> {
        self.samples.iter().zip(&self.answers)
    }

    /// Records whether a promise holds for all pairs; a pair that breaks it is told.
    pub(super) fn record(
        &self,
        session: &Attached,
        promise: &str,
        broken: impl Fn(&Sample, &Answer) -> Option<String>,
    ) {
        let Self { component, samples, .. } = self;
        let failures = self
            .pairs()
            .filter_map(|(sample, answer)| Some(format!("{}: {}", sample.told(), broken(sample, answer)?)));
        let expected = format!("the {} {promise}", component.title);
        session.plugin.saw_of_all(expected, samples.len(), failures.collect());
    }
}

/// The schema of a component, or one that allows everything where the declared one is none.
pub(super) fn schema_of(component: &Preparer) -> Schema {
    Schema::of(&component.schema).unwrap_or_else(Schema::anything)
}

async fn answers(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    for tried in Tried::all(rig, &session).await? {
        tried.record(&session, "answers, with an error where there is no JSON object", |sample, answer| {
            let accepted = sample.value.is_none() && !answer.refuses();
            (answer.given().is_none() || accepted).then(|| answer.told())
        });
    }
    let observed = session.plugin.ended().map_or_else(|| "it runs".to_owned(), |end| format!("it {end}"));
    session.plugin.saw("the plugin goes on afterwards", session.plugin.ended().is_none(), observed);
    Ok(())
}

async fn errors_xor_object(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    for tried in Tried::all(rig, &session).await? {
        tried.record(&session, "answers an object if and only if there is no error", |_, answer| {
            let prepared = answer.given()?;
            (prepared.object.is_some() == answer.refuses()).then(|| answer.told())
        });
    }
    Ok(())
}

async fn repeatable(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    for tried in Tried::all(rig, &session).await? {
        let texts: Vec<&[u8]> = tried.samples.iter().map(|one| one.text.as_bytes()).collect();
        let mut backwards = tried.component.prepare_all(rig, texts.iter().rev().copied()).await;
        backwards.reverse();
        let again = tried.component.prepare_all(rig, texts.iter().copied()).await;
        let differs = |at: usize| {
            let first = tried.answers[at].essence();
            let other = [&backwards[at], &again[at]].into_iter().find(|other| other.essence() != first)?;
            Some(format!("first {}, then {}", tried.answers[at].told(), other.told()))
        };
        let mut at = 0..;
        let differences: Vec<String> = tried
            .samples
            .iter()
            .filter_map(|sample| Some(format!("{}: {}", sample.told(), differs(at.next()?)?)))
            .collect();
        let expected = format!("the {} gives the same answer three times", tried.component.title);
        session.plugin.saw_of_all(expected, tried.samples.len(), differences);
    }
    Ok(())
}

async fn schema_agrees(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    for tried in Tried::all(rig, &session).await? {
        tried.record(
            &session,
            "refuses what its schema refuses, and accepts its examples",
            |sample, answer| {
                let refused = answer.given().map(|_| answer.refuses())?;
                let wrong = if sample.refused { !refused } else { sample.example && refused };
                wrong.then(|| answer.told())
            },
        );
    }
    Ok(())
}

async fn unknown_key(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let mut open = Vec::new();
    for component in preparers(&session)? {
        let schema = schema_of(&component);
        if schema.is_open() {
            open.push(component.title);
            continue;
        }
        names_the_key(rig, &session, &component, &schema).await;
    }
    match session.plugin.has_observations() {
        true => Ok(()),
        false => Err(Stop::NotApplicable(format!("the {} takes any key", open.join(" and the ")))),
    }
}

async fn names_the_key(rig: &Rig, session: &Attached, component: &Preparer, schema: &Schema) {
    let mut failures = Vec::new();
    let bases = schema.bases();
    for base in &bases {
        let mut with_invented = base.clone();
        with_invented.insert(INVENTED.to_owned(), true.into());
        let text = serde_json::Value::Object(with_invented).to_string();
        let answer = component.prepare(rig, text.as_bytes()).await;
        let named = |one: &crate::talk::Diagnostic| one.is_error() && one.path == invented_path();
        if !answer.diagnostics().iter().any(named) {
            failures.push(format!("{text}: {}", answer.told()));
        }
    }
    let expected = format!("the {} names `{INVENTED}` as an error", component.title);
    session.plugin.saw_of_all(expected, bases.len(), failures);
    let in_capitals = |key: &String| (key.to_uppercase() != *key).then(|| key.to_uppercase());
    let known = schema.keys();
    let capital = known.iter().filter_map(in_capitals).find(|key| !known.contains(key));
    if let (Some(capital), Some(base)) = (capital, bases.first()) {
        let mut other = base.clone();
        other.insert(capital.clone(), true.into());
        let answer = component.prepare(rig, serde_json::Value::Object(other).to_string().as_bytes()).await;
        let expected = format!("the {} refuses `{capital}`, which is another key", component.title);
        session.plugin.saw(expected, answer.refuses(), answer.told());
    }
}

async fn diagnostic_paths(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    for tried in Tried::all(rig, &session).await? {
        tried.record(&session, "gives paths that lead into the configuration", |sample, answer| {
            let value = sample.value.as_ref()?;
            let astray = answer.diagnostics().iter().find(|one| !points_into(&one.path, value))?;
            Some(astray.told())
        });
        tried.record(&session, "points at the member that is wrong", |sample, answer| {
            let place = sample.wrong_at.as_ref().filter(|_| answer.refuses())?;
            let there = answer.diagnostics().iter().any(|one| is_at_or_below(&one.path, place));
            (!there).then(|| format!("nothing at {place}, but {}", answer.told()))
        });
        points_as_the_scenario_says(rig, &session, &tried.component).await;
    }
    Ok(())
}

/// What the author says is wrong with some configurations.
async fn points_as_the_scenario_says(rig: &Rig, session: &Attached, component: &Preparer) {
    let part = rig.scenario().and_then(|scenario| scenario.part(component.kind, &component.name));
    let invalid = part.map(|part| part.invalid.clone()).unwrap_or_default();
    for Told { config, path, also: _ } in invalid {
        let answer = component.prepare(rig, config.to_string().as_bytes()).await;
        let there = |one: &crate::talk::Diagnostic| one.is_error() && is_at_or_below(&one.path, &path);
        let expected = format!("the {} finds what is wrong at {path} with {config}", component.title);
        session.plugin.saw(expected, answer.diagnostics().iter().any(there), answer.told());
    }
}
