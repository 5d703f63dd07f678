//! A plugin and its host in one process.
use packwire_wire::{
    Attachment, Guest, RemoteCapability, RemoteRecovery, Room, attach, memory,
    process::{Offer, Token},
    receive,
};
use tokio::runtime::Handle;

use crate::{Plugin, Stop, opened::Opened, session};

/// A session in memory. Dropping it breaks the link.
#[derive(Debug)]
pub(super) struct Session {
    guest: Guest,
    attachment: Attachment,
    room: Room,
    opened: Opened,
}

impl Session {
    pub(super) async fn of(plugin: Plugin) -> Result<Self, Stop> {
        let impossible = |error: std::io::Error| Stop::failed(format!("no session can be made: {error}"));
        let (host_end, plugin_end) = memory();
        let host_room = Room::open(Handle::current()).map_err(impossible)?;
        let room = Room::open(Handle::current()).map_err(impossible)?;
        let token = Token::fresh().map_err(impossible)?;
        let version = packwire_wire::limits::PROTOCOL_VERSION;
        let offer = Offer::of(&[version]).ok_or_else(|| Stop::failed("there is no version"))?;
        let opened = plugin.opened.clone();
        let (guest, attachment) = tokio::join!(
            receive(&host_room, host_end, token.clone(), offer),
            attach(&room, plugin_end, token.clone(), session::hello(plugin, version)),
        );
        Ok(Self { guest: guest.map_err(Stop::failed)?, attachment, room, opened })
    }

    /// The one component.
    pub(super) fn component(&self) -> Result<&RemoteCapability, Stop> {
        let first = self.guest.hello().components.first();
        first.map(|component| &component.capability).ok_or_else(|| Stop::failed("there is no component"))
    }

    /// What deals with what crashes of the one component left.
    pub(super) fn recovery(&self) -> Option<&RemoteRecovery> {
        self.guest.hello().components.first()?.recovery.as_ref()
    }

    /// Ends the session as a host does that says `leave`.
    pub(super) async fn leave(self) {
        let Self { guest, attachment, room, opened } = self;
        let link = guest.dismiss();
        session::leave(attachment, &room, &opened).await;
        drop(link);
    }
}

#[cfg(test)]
mod tests {
    use packwire_wire::{Context, HookLent, Kind, OfferedCancellation, Outcome, Prepared, RemoteCapability};
    use schemars::JsonSchema;
    use serde::Deserialize;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{Diagnostic, Hook, HookRun, Provision, ProvisionRun, Provisioner};

    #[derive(Deserialize, JsonSchema)]
    struct Nothing {}

    struct Idle;

    impl Provisioner for Idle {
        type Config = Nothing;
        type Provision = Idle;
        const SUMMARY: &'static str = "Does nothing";

        fn prepare(&self, _: Nothing, _: &Context) -> Result<Idle, Vec<Diagnostic>> {
            Ok(Idle)
        }
    }

    impl Provision for Idle {
        async fn run(self, _: ProvisionRun) -> Result<(), Stop> {
            Ok(())
        }
    }

    struct Echo;

    impl Hook for Echo {
        async fn run(&self, run: HookRun) -> Outcome {
            Outcome::failed(run.event)
        }
    }

    #[tokio::test]
    async fn a_plugin_with_several_components_serves_each() {
        let plugin = Plugin::new("packer-plugin-acme", "1.2.3")
            .provisioner("acme", Idle)
            .provisioner("acme-quiet", Idle)
            .hook("acme", "Says what happens", Echo);
        let session = Session::of(plugin).await.unwrap();
        let offered = session.guest.hello().components.clone();
        let names: Vec<_> = offered.iter().map(|one| (one.kind(), one.name.as_str())).collect();
        assert_eq!(
            names,
            [(Kind::Provisioner, "acme"), (Kind::Provisioner, "acme-quiet"), (Kind::Hook, "acme")]
        );
        for component in &offered[..2] {
            let RemoteCapability::Provisioner(provisioner) = &component.capability else {
                panic!("{component:?}")
            };
            let prepared = provisioner.prepare("{}".to_owned(), Context::default()).await.unwrap();
            assert!(matches!(prepared, Prepared { object: Some(_), .. }));
        }
        let RemoteCapability::Hook(hook) = &offered[2].capability else { panic!("{:?}", offered[2]) };
        let lent = HookLent {
            ui: None,
            communicator: None,
            data: "{}".to_owned(),
            environment: None,
            cancellation: OfferedCancellation::from(CancellationToken::new()),
        };
        assert_eq!(hook.run("acme_event", lent).await.unwrap(), Outcome::failed("acme_event"));
        session.leave().await;
    }
}
