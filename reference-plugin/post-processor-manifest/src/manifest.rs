//! The post-processor: adds one entry, while nobody else adds any.
use std::{
    fs,
    io::{self, Write},
};

use packwire_plugin::{
    Context, Diagnostic, PostProcess, PostProcessRun, PostProcessed, PostProcessor, Stop, draft,
};

use crate::{
    config::{Config, Order},
    list::{self, Entry},
};

/// Lists what was built.
pub(crate) struct Manifest;

impl PostProcessor for Manifest {
    type Config = Config;
    type PostProcess = Order;

    const SUMMARY: &'static str = "Lists in a JSON file what was built";
    const DOCUMENTATION: &'static str = "Adds the build to the list in `output`: its name, its files with \
        their sizes, the artifact's id, the run, and `custom_data`. Builds that run at the same time may share a \
        list. A forced run begins a new one. The artifact is handed on as it came.";

    fn prepare(&self, config: Config, context: &Context) -> Result<Order, Vec<Diagnostic>> {
        Order::of(config, context)
    }
}

impl PostProcess for Order {
    async fn run(self, run: PostProcessRun) -> Result<PostProcessed, Stop> {
        let info = run.artifact.describe().await?;
        let entry = Entry::of(&self, &info);
        run.ui.say(format!("Adding the build to {}", self.output.display())).await?;
        self.add(entry, &run).await?;
        Ok(PostProcessed::unchanged(info))
    }
}

impl Order {
    async fn add(&self, entry: Entry, run: &PostProcessRun) -> Result<(), Stop> {
        let targets = [self.output.clone()];
        let held = draft::write(&targets, &run.environment, |drafts| async {
            let held = draft::hold(&targets, &run.cancellation).await?;
            let list = self.list_with(entry)?;
            let written = drafts.into_iter().try_for_each(|mut draft| draft.write_all(list.as_bytes()));
            written.map_err(|error| self.unusable("written", &error.to_string()))?;
            Ok(held)
        });
        // Let go when the list is in its place.
        drop(held.await?);
        Ok(())
    }

    fn list_with(&self, entry: Entry) -> Result<String, Stop> {
        let there = match fs::read_to_string(&self.output) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            there => there.map_err(|error| self.unusable("read", &error.to_string())),
        };
        list::with(&there?, entry, self.context.force).map_err(|why| {
            let what = format!("{} is there, and is no list of builds: {why}", self.output.display());
            Diagnostic::error(what).at("/output").with_detail("Nothing in it was changed.").into()
        })
    }

    fn unusable(&self, verb: &str, why: &str) -> Stop {
        Diagnostic::error(format!("{} cannot be {verb}: {why}", self.output.display())).at("/output").into()
    }
}

#[cfg(test)]
mod tests;
