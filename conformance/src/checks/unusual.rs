//! Unusual input: what no ordinary host sends, or not every day.

mod numbers;

use std::fmt::Write;
use std::time::Duration;

use super::prepare::schema_of;
use crate::check::{Budget, Check, Checked, Class, Level};
use crate::rig::{Attached, Manners, Rig};
use crate::talk::prepare::{PREPARE, timed};
use crate::talk::{Preparer, preparers};

const MOMENT: Duration = Duration::from_millis(200);
const LEVELS: usize = 10_000;
const MEMBERS: usize = 10_000;
/// One that is everywhere, one in which `I` and `i` are different letters, and one that is nowhere.
const LOCALES: [&str; 3] = ["C", "tr_TR.UTF-8", "xx_XX"];
/// As POSIX writes zones, so that no list of them is needed: no offset, and the furthest in both directions.
const ZONES: [&str; 3] = ["UTC0", "XXX-14", "YYY+12"];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "robust.deep-nesting",
        level: Level::Must,
        class: Class::Declared,
        title: "bears deep nesting",
        why: "A recursive reader without a bound overflows its stack, and no language catches that.",
        seen: "prepare is called with lists, and with objects, in each other 10,000 times.",
        budgets: &[],
        mutants: &["recursion-overflow"],
        lasts: MOMENT,
        run: |rig| Box::pin(deep_nesting(rig)),
    },
    Check {
        id: "limits.config-1mib",
        level: Level::Must,
        class: Class::Declared,
        title: "bears a large configuration",
        why: "Generated templates grow, and a host refuses only what is beyond the limits.",
        seen: "prepare is called with an object of 10,000 members and 1 MiB.",
        budgets: &[Budget { what: "the answer to prepare", limit: PREPARE }],
        mutants: &["small-buffer"],
        lasts: Duration::from_millis(500),
        run: |rig| Box::pin(large(rig)),
    },
    Check {
        id: "limits.numbers",
        level: Level::Must,
        class: Class::Scenario,
        title: "keeps numbers as they are",
        why: "A size or an id that went through a floating-point number is another one, or another text.",
        seen: "Large, small and long numbers in every member of a configuration; a run whose configuration holds an integer that has to come out with the same digits.",
        budgets: &[],
        mutants: &["float-everything", "panics-on-huge-number"],
        lasts: MOMENT,
        run: |rig| Box::pin(numbers::exact(rig)),
    },
    Check {
        id: "text.locale",
        level: Level::Must,
        class: Class::Declared,
        title: "is the same in every locale",
        why: "A template means the same everywhere; lower case and decimal commas of the user's language change it.",
        seen: "The plugin is started with three values of LC_ALL and LANG, and all answers are compared.",
        budgets: &[],
        mutants: &["locale-lowercase"],
        lasts: Duration::from_millis(500),
        run: |rig| Box::pin(alike(rig, &["LC_ALL", "LANG"], LOCALES)),
    },
    Check {
        id: "text.timezone",
        level: Level::Should,
        class: Class::Declared,
        title: "is the same in every time zone",
        why: "A template that is right in one office is right in the other.",
        seen: "The plugin is started with three values of TZ, and all answers are compared.",
        budgets: &[],
        mutants: &["tz-dependent-result"],
        lasts: Duration::from_millis(500),
        run: |rig| Box::pin(alike(rig, &["TZ"], ZONES)),
    },
    Check {
        id: "text.invalid-utf8",
        level: Level::Must,
        class: Class::Declared,
        title: "bears bytes that are no text",
        why: "Some libraries hand the bytes over unchecked, and the first use of them as a text crashes.",
        seen: "prepare is called with a configuration in Latin-1, and then with a good one.",
        budgets: &[],
        mutants: &["panics-on-bad-utf8"],
        lasts: MOMENT,
        run: |rig| Box::pin(invalid_utf8(rig)),
    },
];

async fn deep_nesting(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let lists = format!("{{\"a\":{}{}}}", "[".repeat(LEVELS), "]".repeat(LEVELS));
    let objects = format!("{}1{}", "{\"a\":".repeat(LEVELS), "}".repeat(LEVELS));
    for component in preparers(&session)? {
        for (what, config) in [("lists", &lists), ("objects", &objects)] {
            let answer = component.prepare(rig, config.as_bytes()).await;
            let is_given = answer.given().is_some();
            let observed = session.plugin.end_or(is_given, answer.told()).await;
            let expected = format!("the {} answers {LEVELS} {what} in each other", component.title);
            session.plugin.saw(expected, is_given, observed);
        }
    }
    Ok(())
}

async fn large(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let mut config = "{".to_owned();
    for member in 0..MEMBERS {
        let comma = if member == 0 { "" } else { "," };
        // Writing into a string cannot fail.
        let _ = write!(config, "{comma}\"member-{member:06}\":\"{}\"", "x".repeat(86));
    }
    config.push('}');
    for component in preparers(&session)? {
        let (answer, took) = timed(component.prepare(rig, config.as_bytes())).await;
        let expected =
            format!("the {} answers {} KiB with {MEMBERS} members", component.title, config.len() >> 10);
        session.plugin.saw_in(expected, answer.given().is_some(), answer.told(), PREPARE, took);
    }
    Ok(())
}

/// Starts the plugin with each of these values of some variables, and compares its answers.
async fn alike(rig: &Rig, names: &[&str], values: [&str; 3]) -> Checked {
    let mut first: Option<Vec<String>> = None;
    for value in values {
        let host = rig.listen(Manners::default())?;
        let launch = names.iter().fold(host.launch(), |launch, name| launch.with(name, value));
        let session = rig.launch_for(&host, &launch)?.attached().await?;
        let mut told = Vec::new();
        for component in preparers(&session)? {
            told.extend(answers(rig, &component).await);
        }
        match &first {
            None => first = Some(told),
            Some(first) => same_as(&session, (names[0], values[0], value), first, &told),
        }
        session.host.answer(crate::rig::Answer::Leave);
    }
    Ok(())
}

async fn answers(rig: &Rig, component: &Preparer) -> Vec<String> {
    let mut texts: Vec<String> =
        schema_of(component).samples(rig.seed()).into_iter().map(|one| one.text).collect();
    // In Turkish the small letter of `I` is another one than `i`.
    texts.extend(["{\"WITH_AN_I\": 1.5}".to_owned(), "{\"N\": 1,5}".to_owned()]);
    let answers = component.prepare_all(rig, texts.iter().map(String::as_bytes)).await;
    texts.iter().zip(answers).map(|(text, answer)| format!("{text}: {}", answer.essence())).collect()
}

fn same_as(session: &Attached, (name, usual, value): (&str, &str, &str), first: &[String], told: &[String]) {
    let differences: Vec<String> = first
        .iter()
        .zip(told)
        .filter(|(first, other)| first != other)
        .map(|(first, other)| format!("with {usual}: {first}; with {value}: {other}"))
        .collect();
    let expected = format!("its answers with {name}={value} are the same");
    session.plugin.saw_of_all(expected, told.len(), differences);
}

async fn invalid_utf8(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    for component in preparers(&session)? {
        let before = component.prepare(rig, b"{}").await;
        let answer = component.prepare(rig, b"{\"name\": \"d\xe9marr\xe9\"}").await;
        let expected = format!("the {} answers or throws", component.title);
        let silent = matches!(answer, crate::talk::Answer::Silent);
        session.plugin.saw(expected, !silent && session.plugin.ended().is_none(), answer.told());
        let after = component.prepare(rig, b"{}").await;
        let observed = session.plugin.end_or(after.given().is_some(), after.told()).await;
        let expected = format!("the {} goes on afterwards", component.title);
        session.plugin.saw(
            expected,
            after.essence() == before.essence() && after.given().is_some(),
            observed,
        );
    }
    Ok(())
}
