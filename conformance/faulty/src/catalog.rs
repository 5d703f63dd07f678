//! `faulty list`: what this plugin can be.
use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::{
    dialect::{Dialect, Null},
    fault::Fault,
    hurt::Hurt,
};

/// One line of the list.
struct Entry {
    name: String,
    kind: &'static str,
    requirement: Option<&'static str>,
    description: String,
}

impl Entry {
    fn of<T: ValueEnum>(value: &T, kind: &'static str, requirement: Option<&'static str>) -> Self {
        let shown = value.to_possible_value();
        let name = shown.as_ref().map(|shown| shown.get_name().to_owned()).unwrap_or_default();
        let description =
            shown.and_then(|shown| shown.get_help().map(ToString::to_string)).unwrap_or_default();
        Self { name, kind, requirement, description }
    }

    fn text(&self) -> String {
        let Self { name, kind, requirement, description } = self;
        format!("{name:32} {:30} {description}", requirement.unwrap_or(kind))
    }

    fn json(&self) -> Value {
        let Self { name, kind, requirement, description } = self;
        json!({ "name": name, "kind": kind, "requirement": requirement, "description": description })
    }
}

/// Prints the list, one entry a line or as a JSON array.
pub(crate) fn print(as_json: bool) -> ExitCode {
    let entries = entries();
    let text = if as_json {
        format!("{:#}\n", Value::Array(entries.iter().map(Entry::json).collect()))
    } else {
        entries.iter().map(|entry| entry.text() + "\n").collect()
    };
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn entries() -> Vec<Entry> {
    let faults =
        Fault::value_variants().iter().map(|fault| Entry::of(fault, "fault", Some(fault.requirement())));
    let dialects = Dialect::value_variants().iter().map(|dialect| Entry::of(dialect, "dialect", None));
    let nulls = Null::value_variants().iter().map(|null| Entry::of(null, "null", None));
    let hurts = Hurt::value_variants().iter().map(|hurt| Entry::of(hurt, "hurt", None));
    faults.chain(dialects).chain(nulls).chain(hurts).collect()
}
