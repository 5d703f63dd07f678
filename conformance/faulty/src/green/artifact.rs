//! What a build may leave: a name, and no file.
use std::rc::Rc;

use packwire_schema::artifact_capnp::artifact;

/// An artifact that exists in this process only.
pub(super) struct Artifact {
    pub(super) name: String,
}

impl artifact::Server for Artifact {
    async fn describe(
        self: Rc<Self>,
        _params: artifact::DescribeParams,
        mut results: artifact::DescribeResults,
    ) -> Result<(), capnp::Error> {
        let mut info = results.get().init_info();
        info.set_builder_id("org.example.green");
        info.set_id(&self.name);
        info.set_description("something green");
        Ok(())
    }

    async fn state(
        self: Rc<Self>,
        _params: artifact::StateParams,
        _results: artifact::StateResults,
    ) -> Result<(), capnp::Error> {
        Ok(())
    }

    async fn destroy(
        self: Rc<Self>,
        _params: artifact::DestroyParams,
        mut results: artifact::DestroyResults,
    ) -> Result<(), capnp::Error> {
        results.get().init_outcome().set_done(());
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
