//! A plugin and its host in one process.
use packwire_wire::{
    Attachment, Guest, RemoteCapability, Room, attach, memory,
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

    /// Ends the session as a host does that says `leave`.
    pub(super) async fn leave(self) {
        let Self { guest, attachment, room, opened } = self;
        let link = guest.dismiss();
        session::leave(attachment, &room, &opened).await;
        drop(link);
    }
}
