//! A data source that finds what it is told to find.

use packwire_plugin::{Context, DataSource, Diagnostic, Query, QueryRun, Stop};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The data source.
pub(crate) struct Stage;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// What it finds.
    #[serde(default)]
    text: String,
    /// Too many are against its own output schema.
    #[serde(default)]
    number: u32,
    #[serde(default)]
    list: Vec<String>,
    #[serde(default)]
    password: String,
    /// What it says.
    say: Option<String>,
    /// Why it finds nothing, if it does not.
    fail: Option<String>,
    /// Whether it waits to be cancelled.
    #[serde(default)]
    waits: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Found {
    text: String,
    #[schemars(range(max = 10))]
    number: u32,
    list: Vec<String>,
    #[schemars(extend("writeOnly" = true))]
    password: String,
}

impl DataSource for Stage {
    type Config = Wanted;
    type Query = Wanted;

    const SUMMARY: &'static str = "Finds what it is told to find";

    fn prepare(&self, wanted: Wanted, context: &Context) -> Result<Wanted, Vec<Diagnostic>> {
        match wanted.text.as_str() {
            "unthinkable" => Err(vec![Diagnostic::error("this is unthinkable").at("/text")]),
            "whereabouts" => Err(vec![Diagnostic::error(whereabouts(context)).at("/text")]),
            _ => Ok(wanted),
        }
    }
}

/// What it learns of the place where it is used.
fn whereabouts(context: &Context) -> String {
    let Context { run_id, build_name, component_type, host_name, template_dir, working_dir, .. } = context;
    let run = if run_id.is_empty() { "no run" } else { "a run" };
    let is_here = !working_dir.is_empty() && working_dir == template_dir;
    format!("{run}, build {build_name:?}, as {component_type} for {host_name}, here: {is_here}")
}

impl Query for Wanted {
    type Output = Found;

    async fn run(self, run: QueryRun) -> Result<Found, Stop> {
        if let Some(text) = &self.say {
            run.ui.say(text.as_str()).await?;
        }
        if self.waits {
            run.cancellation.cancelled().await;
            return Err(Stop::Cancelled);
        }
        let Self { text, number, list, password, .. } = self;
        self.fail.map_or(Ok(Found { text, number, list, password }), |why| Err(Stop::failed(why)))
    }
}
