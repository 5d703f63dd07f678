//! A builder whose machine is nothing but a word, and a provisioner that works on it.

use std::path::PathBuf;

use packwire_plugin::{
    Build, BuildRun, Builder, Built, Context, Diagnostic, Provision, ProvisionRun, Provisioner, Stop,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::lent;
use crate::thing::Thing;

/// The builder.
pub(crate) struct Stage;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scene {
    /// The file to make; none: nothing is made.
    target: Option<String>,
    /// What is in it.
    #[serde(default)]
    content: String,
    /// What else it generates.
    #[serde(default)]
    generated: Map<String, Value>,
    /// Whether it uses one of each thing that the host lends.
    #[serde(default)]
    uses_lent: bool,
    /// How often it has its machine provisioned.
    #[serde(default = "once")]
    provisions: u32,
    /// Whether it goes on when provisioning has failed.
    #[serde(default)]
    careless: bool,
    /// What it says in the end that it has generated, if that is something else.
    claims: Option<Value>,
    /// Why there is no machine, if there is none.
    fail: Option<String>,
    /// Whether it waits, before there is a machine, to be cancelled.
    #[serde(default)]
    waits: bool,
    /// What it reads to the end before it notes in `cleaned` that it has cleaned up, where it waits.
    cleans_up_after: Option<PathBuf>,
    #[serde(skip)]
    directory: PathBuf,
    #[serde(skip)]
    stays: bool,
}

impl Builder for Stage {
    type Config = Scene;
    type Build = Scene;

    const SUMMARY: &'static str = "Makes a file";

    fn prepare(&self, scene: Scene, context: &Context) -> Result<Scene, Vec<Diagnostic>> {
        let stays = context.on_error == packwire_plugin::OnError::Abort;
        Ok(Scene { directory: context.working_dir.clone().into(), stays, ..scene })
    }

    fn output_schema() -> String {
        json!({"properties": {"Password": {"writeOnly": true}}, "additionalProperties": true}).to_string()
    }
}

impl Build for Scene {
    async fn run(self, run: BuildRun) -> Result<Built, Stop> {
        if self.uses_lent {
            lent::each(&run.ui, &run.environment).await?;
        }
        if self.waits {
            run.ui.say("Waiting for a machine").await?;
            run.cancellation.cancelled().await;
            return Err(self.cleaned_up());
        }
        if let Some(why) = self.fail {
            return Err(Stop::failed(why));
        }
        let mut generated = self.generated;
        generated.insert("ID".to_owned(), json!("scene-1"));
        let generated = Value::Object(generated);
        let mut provisioned = Ok(());
        for _ in 0..self.provisions {
            provisioned = run.provision(None, &generated).await;
        }
        run.ui
            .say(if provisioned.is_err() && self.stays { "The stage stays" } else { "The stage goes" })
            .await?;
        if !self.careless {
            provisioned?;
        }
        let generated = self.claims.unwrap_or(generated);
        let Some(target) = self.target else { return Ok(Built::nothing().with_generated_data(generated)) };
        let thing = Thing::make(&self.directory, target, &self.content)?;
        Ok(Built::artifact(thing).with_generated_data(generated))
    }
}

impl Scene {
    /// Deaf to everything else until it has cleaned up.
    fn cleaned_up(&self) -> Stop {
        let Some(after) = &self.cleans_up_after else { return Stop::Cancelled };
        match std::fs::read(after).and_then(|_| std::fs::write(self.directory.join("cleaned"), "all of it")) {
            Ok(()) => Stop::Cancelled,
            Err(error) => Stop::failed(format!("{}: {error}", after.display())),
        }
    }
}

/// The provisioner.
pub(crate) struct Step;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    /// What it says.
    #[serde(default)]
    say: Vec<String>,
    /// How often.
    #[serde(default = "once")]
    times: u32,
    /// What it hides.
    #[schemars(extend("writeOnly" = true))]
    password: Option<String>,
    /// The communicator that it asks the host for.
    open: Option<String>,
    /// Why it fails, if it does.
    fail: Option<String>,
    /// Whether it waits to be cancelled.
    #[serde(default)]
    waits: bool,
}

fn once() -> u32 {
    1
}

impl Provisioner for Step {
    type Config = Words;
    type Provision = Words;

    const SUMMARY: &'static str = "Says something";
    const NEEDS_COMMUNICATOR: bool = false;

    fn prepare(&self, words: Words, _: &Context) -> Result<Words, Vec<Diagnostic>> {
        if words.say.iter().any(|word| word.contains("unspeakable")) {
            return Err(vec![Diagnostic::error("there is an unspeakable word").at("/say")]);
        }
        Ok(words)
    }
}

impl Provision for Words {
    async fn run(self, run: ProvisionRun) -> Result<(), Stop> {
        for _ in 0..self.times {
            for word in &self.say {
                run.ui.say(word.as_str()).await?;
            }
        }
        if let Some(password) = &self.password {
            run.ui.message(format!("the password is {password}")).await?;
        }
        if let (Some(kind), Some(environment)) = (&self.open, &run.environment) {
            let communicator = environment.communicator(kind.as_str(), "{}").await??;
            run.ui.message(format!("opened {}", communicator.info().await?.kind)).await?;
        }
        if self.waits {
            run.cancellation.cancelled().await;
            return Err(Stop::Cancelled);
        }
        self.fail.map_or(Ok(()), |why| Err(Stop::failed(why)))
    }
}
