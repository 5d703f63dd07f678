//! All that a command may use of other plugins: what the catalogue finds, attached when it is asked for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use packwire_wire::{Component, Components, Kind, OfferedCapability, RemoteCapability};
use tokio::task::JoinSet;

use crate::catalog::{Candidate, Catalog, Naming};
use crate::plugins::{PluginFailure, Plugins, Running};
use crate::ui::{Paint, Terminal};

/// The components of all plugins. A plugin that cannot be used offers nothing; the user is told which, and why.
#[derive(Clone)]
pub(super) struct Found {
    catalog: Arc<Catalog>,
    plugins: Arc<Plugins>,
    user: Arc<Terminal>,
    /// The plugins that the user was told of.
    told: Arc<Mutex<BTreeSet<String>>>,
}

impl Components for Found {
    /// Attaches every plugin.
    async fn list(&self) -> Vec<Component<OfferedCapability>> {
        let mut asking = JoinSet::new();
        for (index, candidate) in self.catalog.candidates.iter().enumerate() {
            let (found, candidate) = (self.clone(), candidate.clone());
            let _handle = asking.spawn(async move { (index, found.offered(&candidate).await) });
        }
        let mut offered = asking.join_all().await;
        offered.sort_by_key(|(index, _)| *index);
        let usable = offered.into_iter().filter_map(|(_, components)| self.usable(components));
        usable.flatten().map(Into::into).collect()
    }

    async fn find(&self, kind: Kind, name: String) -> Option<Component<OfferedCapability>> {
        let candidate = self.catalog.plugin(kind, &name).ok()?;
        let running = self.usable(self.plugins.plugin(&candidate.command).running().await)?;
        let component = self.usable(running.component(kind, &name))?.clone();
        // Templates and commands call it so, whatever it calls itself.
        Some(Component { name, ..component }.into())
    }
}

impl Found {
    /// What the catalogue has; `user` is where the plugins are told of that cannot be used.
    pub(super) fn new(catalog: Arc<Catalog>, plugins: Arc<Plugins>, user: Arc<Terminal>) -> Self {
        Self { catalog, plugins, user, told: Arc::default() }
    }

    /// `None` for a failure, which the user is told of once for each plugin.
    fn usable<T>(&self, asked: Result<T, PluginFailure>) -> Option<T> {
        let failure = match asked {
            Ok(usable) => return Some(usable),
            Err(failure) => failure,
        };
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(failure.plugin.clone()) {
            self.user.print("warning: ", &failure.to_string(), Paint::Plain);
        }
        None
    }

    async fn offered(
        &self,
        candidate: &Candidate,
    ) -> Result<Vec<Component<RemoteCapability>>, PluginFailure> {
        let running = self.plugins.plugin(&candidate.command).running().await?;
        Ok(match &candidate.naming {
            Naming::Single { kind, name } => {
                let component = running.component(*kind, name)?.clone();
                vec![Component { name: name.clone(), ..component }]
            }
            Naming::Family { .. } => self.of_family(candidate, &running),
        })
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
