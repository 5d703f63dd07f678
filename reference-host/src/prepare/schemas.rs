//! What the components of a plan say of their configurations and of what they yield.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::{NotReady, Remark};
use crate::catalog::Kind;
use crate::plan::{Plan, PlannedComponent, SchemaTexts};
use crate::plugins::{Plugin, PluginFailure, Plugins};

/// The schemas of a plan's components, as their plugins gave them when they attached.
#[derive(Debug, Default)]
pub struct Schemas(BTreeMap<(Kind, String, usize), Texts>);

#[derive(Debug)]
struct Texts {
    config: String,
    output: String,
}

impl Schemas {
    /// Attaches every plugin of the plan and asks for what it offers.
    ///
    /// # Errors
    /// Every plugin that does not attach, and every component that its plugin does not offer.
    pub async fn of(plan: &Plan, plugins: &Plugins) -> Result<Self, NotReady> {
        start_all(plan, plugins).await;
        let (mut schemas, mut remarks) = (Self::default(), Vec::new());
        let of_builds = plan
            .builds
            .iter()
            .flat_map(|build| build.components().map(|component| (Some(build.name.as_str()), component)));
        let data = plan.data.iter().map(|source| (None, &source.component));
        for (build, component) in data.chain(of_builds) {
            let plugin = plugins.plugin(&plan.plugins[component.plugin]);
            match texts(&plugin, component).await {
                Ok(texts) => drop(schemas.0.insert(key(component), texts)),
                Err(failure) => remarks.push(Remark::new(build, component, failure.into())),
            }
        }
        if remarks.is_empty() { Ok(schemas) } else { Err(NotReady { text: plan.source.clone(), remarks }) }
    }

    /// The schemas of one component of the plan.
    #[must_use]
    pub fn of_component(&self, component: &PlannedComponent) -> SchemaTexts<'_> {
        let texts = self.0.get(&key(component));
        texts.map(|Texts { config, output }| SchemaTexts { config, output }).unwrap_or_default()
    }
}

/// Starts the processes side by side; who fails is asked again when it is used, and tells then.
async fn start_all(plan: &Plan, plugins: &Plugins) {
    let mut starting = JoinSet::new();
    for command in &plan.plugins {
        let plugin = plugins.plugin(command);
        let _handle = starting.spawn(async move { plugin.running().await.is_ok() });
    }
    drop(starting.join_all().await);
}

fn key(component: &PlannedComponent) -> (Kind, String, usize) {
    (component.kind, component.name.text.clone(), component.plugin)
}

async fn texts(plugin: &Plugin, component: &PlannedComponent) -> Result<Texts, PluginFailure> {
    let running = plugin.running().await?;
    let offered = running.component(component.kind, &component.name.text)?;
    Ok(Texts { config: offered.config_schema.clone(), output: offered.output_schema.clone() })
}
