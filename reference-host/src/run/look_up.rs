//! Data sources: they run before the builds begin, side by side unless one asks for what another yields.

use std::sync::Arc;

use packwire_wire::{QueryLent, QueryOutcome};
use serde_json::Value;
use tokio::task::JoinSet;

use super::Run;
use crate::catalog::Kind;
use crate::failure::Failure;
use crate::plan::{check_config, secrets_of};
use crate::prepare::{ReadyData, Taken};
use crate::template::{Data, Learned, Source, Word, read_json};
use crate::ui::BuildUi;

/// What was looked for in vain.
#[derive(Debug)]
pub struct NotFound {
    /// The data source's type, as the template says it.
    pub component: Word,
    /// Why there is no value.
    pub failure: Failure,
}

/// Runs every data source whose value is asked for.
///
/// # Errors
/// Each that failed; what asks for its value has not run.
pub async fn look_up(sources: Vec<ReadyData>, run: &Run) -> Result<Data, Vec<NotFound>> {
    let mut waiting: Vec<ReadyData> = sources.into_iter().filter(|source| source.is_asked_for).collect();
    let mut found = Data::new();
    while !waiting.is_empty() {
        let known = Arc::new(found.clone());
        let mut looking = JoinSet::new();
        for source in waiting.extract_if(.., |source| is_answered(source, &known)) {
            let (run, known) = (run.clone(), known.clone());
            let _handle = looking.spawn(async move { run.query(source, &known).await });
        }
        let mut failed = Vec::new();
        for looked in looking.join_all().await {
            match looked {
                Ok((name, value)) => drop(found.insert(name, value)),
                Err(not_found) => failed.push(not_found),
            }
        }
        if !failed.is_empty() {
            // As they stand in the template, whichever failed first.
            failed.sort_by_key(|not_found| not_found.component.span.start);
            return Err(failed);
        }
    }
    Ok(found)
}

fn is_answered(source: &ReadyData, known: &Data) -> bool {
    source.component.config.asks_data().iter().all(|name| known.contains_key(*name))
}

impl Run {
    async fn query(&self, source: ReadyData, known: &Data) -> Result<(String, Value), NotFound> {
        let value = self.value(&source, known).await;
        let value =
            value.map_err(|failure| NotFound { component: source.component.name.clone(), failure })?;
        Ok((source.name, value))
    }

    async fn value(&self, source: &ReadyData, known: &Data) -> Result<Value, Failure> {
        let ReadyData { name, component, .. } = source;
        let who = format!("data source {name} ({})", component.name.text);
        let ui = BuildUi::new(self.terminal.clone(), &format!("data.{name}"), 0);
        let stop = self.cancelled.child_token();
        let learned = Learned { data: Some(known), generated: None };
        let taken = component.take(learned, &ui).await;
        let Taken { running, prepared: query, user } =
            taken.map_err(|refusal| Failure::refused(&who, refusal))?;
        let services = self.services(&ui, self.context.clone(), stop.clone());
        let services = services.of_others(component.grants, stop.clone());
        services.used_by(user);
        let lent = QueryLent {
            ui: ui.lend(stop.clone()),
            environment: services.offer(),
            cancellation: stop.clone(),
        };
        let ran = running.run_until(Kind::DataSource, query.run(lent), &stop, ui.heard()).await;
        services.close().await;
        let outcome = match ran {
            None => return Err(Failure::Stuck { who, grace: running.grace(Kind::DataSource).as_secs() }),
            Some(Ok(outcome)) => outcome,
            Some(Err(broken)) => {
                drop(query.close().await);
                return Err(Failure::Broken { who, why: running.explain(broken).await });
            }
        };
        drop(query.close().await);
        match outcome {
            QueryOutcome::Value(text) => {
                let schema = running.component(component.kind(), &component.name.text);
                let schema = schema.map(|offered| offered.output_schema.clone()).unwrap_or_default();
                // Before anything is said of the value.
                ui.mask(
                    serde_json::from_str(&text).map(|value| secrets_of(&schema, &value)).unwrap_or_default(),
                    &who,
                );
                read(&schema, &text).map_err(|why| Failure::bug(&who, &why))
            }
            QueryOutcome::Failed(diagnostics) => Err(Failure::said(&who, diagnostics)),
            QueryOutcome::Cancelled => Err(Failure::Cancelled),
        }
    }
}

/// The value, which is I-JSON and fits its schema.
fn read(schema: &str, text: &str) -> Result<Value, String> {
    let unusable = |why: &dyn std::fmt::Display| format!("what it yields is no usable JSON: {why}");
    if let Err(problems) = read_json(&Source::new("value", text)) {
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        return Err(unusable(&told.join("; ")));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| unusable(&error))?;
    let problems =
        check_config(schema, &value).map_err(|error| format!("its output schema: {}", error.why))?;
    if problems.is_empty() {
        return Ok(value);
    }
    let told = problems.iter().map(|problem| {
        let place = if problem.pointer.is_empty() { "as a whole" } else { problem.pointer.as_str() };
        format!("{place}: {}", problem.message)
    });
    Err(format!("what it yields does not fit its own output schema: {}", told.collect::<Vec<_>>().join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"properties": {"version": {"type": "string"}}, "required": ["version"]}"#;

    fn refused(text: &str) -> String {
        read(SCHEMA, text).unwrap_err()
    }

    #[test]
    fn a_value_is_what_its_schema_says_or_refused() {
        assert_eq!(read(SCHEMA, r#"{"version": "1"}"#), Ok(serde_json::json!({"version": "1"})));
        assert_eq!(read("", "7"), Ok(serde_json::json!(7)));
        insta::assert_snapshot!(refused("{}"), @"what it yields does not fit its own output schema: as a whole: `version` is missing");
        insta::assert_snapshot!(refused(r#"{"version": 1}"#), @r#"what it yields does not fit its own output schema: /version: 1 is not of type "string""#);
        insta::assert_snapshot!(refused(""), @"what it yields is no usable JSON: this is not JSON: EOF while parsing a value");
        insta::assert_snapshot!(refused(r#"{"version": "1", "version": "2"}"#), @"what it yields is no usable JSON: key `version` is there twice");
    }
}
