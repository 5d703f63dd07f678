//! The artifact that goes into a post-processor.

use std::rc::Rc;

use packwire_schema::artifact_capnp::artifact;

use super::{Stage, open};
use crate::components::text;
use crate::scenario::Input;

struct Artifact {
    stage: Rc<Stage>,
    lane: usize,
    input: Input,
    files: Vec<String>,
}

impl Stage {
    /// Makes the files and lends the artifact.
    pub(super) fn lend_artifact(self: &Rc<Self>) -> std::io::Result<artifact::Client> {
        let input = self.part.input.clone().unwrap_or_else(Input::plain);
        self.lay(&input.files)?;
        let files = input.files.keys().map(|name| self.directory.join(name).display().to_string()).collect();
        Ok(capnp_rpc::new_client(Artifact { stage: self.clone(), lane: self.lane(), input, files }))
    }

    /// The files of the artifact that went in, with what stands in them now.
    pub(crate) fn input_files(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let input = self.part.input.iter().flat_map(|input| input.files.keys());
        input.map(|name| (name.clone(), std::fs::read(self.directory.join(name)).ok())).collect()
    }
}

impl artifact::Server for Artifact {
    async fn describe(
        self: Rc<Self>,
        _: artifact::DescribeParams,
        mut results: artifact::DescribeResults,
    ) -> capnp::Result<()> {
        self.stage.act(self.lane, "Artifact.describe", String::new(), &open()).await?;
        let mut info = results.get().init_info();
        info.set_builder_id(&self.input.builder_id);
        info.set_id(self.stage.filled_text(&self.input.id));
        info.set_description("an artifact of the suite");
        let mut files = info.init_files(u32::try_from(self.files.len()).unwrap_or_default());
        for (at, file) in (0..).zip(&self.files) {
            files.set(at, file);
        }
        Ok(())
    }

    async fn state(
        self: Rc<Self>,
        params: artifact::StateParams,
        _: artifact::StateResults,
    ) -> capnp::Result<()> {
        self.stage.act(self.lane, "Artifact.state", text(params.get()?.get_name())?, &open()).await
    }

    async fn destroy(
        self: Rc<Self>,
        _: artifact::DestroyParams,
        mut results: artifact::DestroyResults,
    ) -> capnp::Result<()> {
        self.stage.act(self.lane, "Artifact.destroy", String::new(), &open()).await?;
        let mut diagnostic = results.get().init_outcome().init_failed(1).get(0);
        diagnostic.set_severity(packwire_schema::work_capnp::diagnostic::Severity::Error);
        diagnostic.set_summary("only the host destroys");
        Ok(())
    }

    async fn close(self: Rc<Self>, _: artifact::CloseParams, _: artifact::CloseResults) -> capnp::Result<()> {
        self.stage.act(self.lane, "Artifact.close", String::new(), &open()).await
    }
}
