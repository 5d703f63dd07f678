//! The kinds that are prepared, each with its own capability.

use packwire_wire::{
    Broken, Context, Prepared, RemoteBuild, RemoteCapability, RemotePostProcess, RemoteProvision, RemoteQuery,
};

/// A component that is prepared and called in one way.
pub trait Preparable: Sized + Clone + Send + Sync + 'static {
    /// Asks the capability, which must be of the right kind.
    fn prepare(
        capability: &RemoteCapability,
        config: String,
        context: Context,
    ) -> impl Future<Output = Option<Result<Prepared<Self>, Broken>>> + Send;

    /// Says that it will not be run, or not be asked again.
    fn close(&self) -> impl Future<Output = Result<(), Broken>> + Send;
}

impl Preparable for RemoteBuild {
    async fn prepare(
        capability: &RemoteCapability,
        config: String,
        context: Context,
    ) -> Option<Result<Prepared<Self>, Broken>> {
        let RemoteCapability::Builder(builder) = capability else { return None };
        Some(builder.prepare(config, context).await)
    }

    async fn close(&self) -> Result<(), Broken> {
        Self::close(self).await
    }
}

impl Preparable for RemoteProvision {
    async fn prepare(
        capability: &RemoteCapability,
        config: String,
        context: Context,
    ) -> Option<Result<Prepared<Self>, Broken>> {
        let RemoteCapability::Provisioner(provisioner) = capability else { return None };
        Some(provisioner.prepare(config, context).await)
    }

    async fn close(&self) -> Result<(), Broken> {
        Self::close(self).await
    }
}

impl Preparable for RemotePostProcess {
    async fn prepare(
        capability: &RemoteCapability,
        config: String,
        context: Context,
    ) -> Option<Result<Prepared<Self>, Broken>> {
        let RemoteCapability::PostProcessor(post_processor) = capability else { return None };
        Some(post_processor.prepare(config, context).await)
    }

    async fn close(&self) -> Result<(), Broken> {
        Self::close(self).await
    }
}

impl Preparable for RemoteQuery {
    async fn prepare(
        capability: &RemoteCapability,
        config: String,
        context: Context,
    ) -> Option<Result<Prepared<Self>, Broken>> {
        let RemoteCapability::DataSource(source) = capability else { return None };
        Some(source.prepare(config, context).await)
    }

    async fn close(&self) -> Result<(), Broken> {
        Self::close(self).await
    }
}
