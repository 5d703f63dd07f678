//! Bytes that are no message.

use std::time::Duration;

use futures::future::try_join_all;

use super::{ENDS, MORE_MEMORY};
use crate::check::Checked;
use crate::raw::{Meeting, Session};
use crate::rig::{Plugin, Rig};
use crate::talk::random::Random;

/// How often the memory of a process is looked at.
const GLANCE: Duration = Duration::from_millis(5);
/// A frame has at most 512 segments; every library refuses more.
const MOST_SEGMENTS: u32 = 512;

/// What is sent in place of a message.
#[derive(Clone, Copy)]
enum Garbage {
    Random,
    HalfAMessage,
    EightGibibytes,
    ManySegments,
}

impl Garbage {
    const ALL: [Self; 4] = [Self::Random, Self::HalfAMessage, Self::EightGibibytes, Self::ManySegments];

    fn told(self) -> &'static str {
        match self {
            Self::Random => "after random bytes it ",
            Self::HalfAMessage => "after half a message and the end of the link it ",
            Self::EightGibibytes => "after the header of a message of 8 GiB it ",
            Self::ManySegments => "after the header of a message of 2^32 segments it ",
        }
    }

    fn bytes(self, seed: u64, session: &Session<'_>) -> Vec<u8> {
        match self {
            Self::Random => random(seed),
            Self::HalfAMessage => {
                let whole = session.call(session.question());
                whole[..whole.len() / 2].to_vec()
            }
            Self::EightGibibytes => [[0; 4], (1_u32 << 30).to_le_bytes()].concat(),
            Self::ManySegments => vec![0xff; 64],
        }
    }
}

pub(super) async fn garbage(rig: &Rig) -> Checked {
    tokio::try_join!(before_attach(rig), try_join_all(Garbage::ALL.map(|one| in_session(rig, one))))?;
    Ok(())
}

async fn before_attach(rig: &Rig) -> Checked {
    let meeting = Meeting::begin(rig).await?;
    meeting.link.write(&random(rig.seed())).await;
    ends(&meeting.plugin, "after random bytes in place of the bootstrap capability it ").await;
    Ok(())
}

async fn in_session(rig: &Rig, garbage: Garbage) -> Checked {
    let session = Session::begin(rig).await?;
    session.link.write(&garbage.bytes(rig.seed(), &session)).await;
    if matches!(garbage, Garbage::HalfAMessage) {
        session.host.disconnect();
    }
    ends(&session.plugin, garbage.told()).await;
    Ok(())
}

/// Bytes by chance, but for the first four: as the number of segments they are too many.
fn random(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = random.bytes(256);
    while u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) <= MOST_SEGMENTS {
        bytes = random.bytes(256);
    }
    bytes
}

/// Watches the end of a process, and the memory that it takes on the way.
async fn ends(plugin: &Plugin, case: &str) {
    let before = plugin.peak_memory();
    let mut peak = before;
    let watched = async {
        loop {
            peak = peak.max(plugin.peak_memory());
            tokio::time::sleep(GLANCE).await;
        }
    };
    tokio::select! {
        _ = plugin.exits_as(case, 4, ENDS) => {}
        () = watched => {}
    }
    let more = peak.saturating_sub(before);
    let expected = format!("{case}takes less than {} MiB more memory", MORE_MEMORY >> 20);
    plugin.saw(expected, more < MORE_MEMORY, format!("it took {} MiB more", more >> 20));
}
