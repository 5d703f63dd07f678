//! All that a command may use of other plugins: what the catalogue finds, attached when it is asked for.

use std::sync::Arc;

use packwire_wire::{Component, Components, Kind, OfferedCapability, RemoteCapability};
use tokio::task::JoinSet;

use crate::catalog::{Candidate, Catalog, Naming};
use crate::plugins::{Plugins, Running};

/// The components of all plugins.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) catalog: Arc<Catalog>,
    pub(super) plugins: Arc<Plugins>,
}

impl Components for Found {
    /// Attaches every plugin; one that cannot be used offers nothing.
    async fn list(&self) -> Vec<Component<OfferedCapability>> {
        let mut asking = JoinSet::new();
        for (index, candidate) in self.catalog.candidates.iter().enumerate() {
            let (found, candidate) = (self.clone(), candidate.clone());
            let _handle = asking.spawn(async move { (index, found.offered(&candidate).await) });
        }
        let mut offered = asking.join_all().await;
        offered.sort_by_key(|(index, _)| *index);
        offered.into_iter().flat_map(|(_, components)| components).map(Into::into).collect()
    }

    async fn find(&self, kind: Kind, name: String) -> Option<Component<OfferedCapability>> {
        let candidate = self.catalog.plugin(kind, &name).ok()?;
        let running = self.plugins.plugin(&candidate.command).running().await.ok()?;
        let component = running.component(kind, &name).ok()?.clone();
        // Templates and commands call it so, whatever it calls itself.
        Some(Component { name, ..component }.into())
    }
}

impl Found {
    async fn offered(&self, candidate: &Candidate) -> Vec<Component<RemoteCapability>> {
        let Ok(running) = self.plugins.plugin(&candidate.command).running().await else { return Vec::new() };
        match &candidate.naming {
            Naming::Single { kind, name } => {
                let component = running.component(*kind, name).ok().cloned();
                component.map(|component| Component { name: name.clone(), ..component }).into_iter().collect()
            }
            Naming::Family { .. } => self.of_family(candidate, &running),
        }
    }

    /// What a template would get from this plugin, and not from another that goes before it.
    fn of_family(&self, candidate: &Candidate, running: &Running) -> Vec<Component<RemoteCapability>> {
        let is_its = |component: &&Component<RemoteCapability>| {
            let first = self.catalog.plugin(component.kind(), &component.name);
            first.is_ok_and(|first| first.command == candidate.command)
        };
        running.hello().components.iter().filter(is_its).cloned().collect()
    }
}
