//! What a build may leave: a name, and maybe a file.
use std::{cell::Cell, path::PathBuf, rc::Rc, time::Duration};

use packwire_schema::artifact_capnp::artifact;
use serde_json::json;

use super::{
    Green,
    config::{Config, Problem},
};
use crate::{dialect::Dialect, fault::Fault};

/// How long it takes where it is slow.
const SLOWLY: Duration = Duration::from_secs(11);

/// An artifact that this process knows.
pub(super) struct Artifact {
    green: Green,
    name: String,
    file: Option<PathBuf>,
    asked: Cell<usize>,
    destroyed: Cell<bool>,
}

impl Artifact {
    pub(super) fn of(green: Green, config: &Config) -> Self {
        let file = config.file.as_ref().map(PathBuf::from);
        Self { green, name: config.name.clone(), file, asked: Cell::default(), destroyed: Cell::default() }
    }
}

impl artifact::Server for Artifact {
    async fn describe(
        self: Rc<Self>,
        _params: artifact::DescribeParams,
        mut results: artifact::DescribeResults,
    ) -> Result<(), capnp::Error> {
        let asked = self.asked.replace(self.asked.get() + 1);
        if self.green.manner.commits(Fault::ArtifactDiesWithBuild) {
            return Err(capnp::Error::failed("the build is over".to_owned()));
        }
        let mut info = results.get().init_info();
        info.set_builder_id("org.example.green");
        match self.green.manner.fault() {
            Some(Fault::ArtifactIdChanges) => info.set_id(format!("{}-{asked}", self.name)),
            _ => info.set_id(&self.name),
        }
        info.set_description("something green");
        if self.green.manner.commits(Fault::ArtifactExtensionsChange) {
            info.set_extensions(json!({ "org.example.green": { "asked": asked } }).to_string());
        }
        if let Some(file) = &self.file {
            info.init_files(1).set(0, file.display().to_string());
        }
        Ok(())
    }

    async fn state(
        self: Rc<Self>,
        params: artifact::StateParams,
        mut results: artifact::StateResults,
    ) -> Result<(), capnp::Error> {
        let is_known = params.get()?.get_name()? == "name";
        match self.green.manner.fault() {
            Some(Fault::StateNotJson) if is_known => results.get().set_value(&self.name),
            Some(Fault::UnknownStateIsNull) if !is_known => results.get().set_value("null"),
            _ if is_known => results.get().set_value(json!(self.name).to_string()),
            _ => {}
        }
        Ok(())
    }

    async fn destroy(
        self: Rc<Self>,
        _params: artifact::DestroyParams,
        mut results: artifact::DestroyResults,
    ) -> Result<(), capnp::Error> {
        if self.green.manner.speaks(Dialect::SlowDestroy) {
            tokio::time::sleep(SLOWLY).await;
        }
        let again = self.destroyed.replace(true);
        if let Some(file) = &self.file
            && !self.green.manner.commits(Fault::DestroyLies)
        {
            drop(std::fs::remove_file(file));
        }
        let mut outcome = results.get().init_outcome();
        if again && self.green.manner.commits(Fault::DestroyNotIdempotent) {
            Problem::at("", "it is destroyed already").write(outcome.init_failed(1).get(0));
        } else {
            outcome.set_done(());
        }
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _params: artifact::CloseParams,
        _results: artifact::CloseResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }
}
