//! What a host tells of a build.
use serde::Deserialize;

/// A point of a build that counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Started,
    PartStarted(Kind),
    PartFinished(Kind),
    Finished,
}

/// What a part of a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Provisioner,
    PostProcessor,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Provisioner => "provisioner",
            Self::PostProcessor => "post-processor",
        }
    }
}

impl Point {
    /// What an event stands for; none for events of others.
    pub(crate) fn of(event: &str) -> Option<Self> {
        Some(match event {
            "packwire_build_started" => Self::Started,
            "packwire_provisioner_started" => Self::PartStarted(Kind::Provisioner),
            "packwire_provisioner_finished" => Self::PartFinished(Kind::Provisioner),
            "packwire_post_processor_started" => Self::PartStarted(Kind::PostProcessor),
            "packwire_post_processor_finished" => Self::PartFinished(Kind::PostProcessor),
            "packwire_build_finished" => Self::Finished,
            _ => return None,
        })
    }
}

/// The data of an event, as far as it counts here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Data {
    pub(crate) build_name: String,
    #[serde(rename = "PackerRunUUID")]
    pub(crate) run: String,
    pub(crate) builder_type: String,
    pub(crate) component: String,
    pub(crate) index: u64,
    pub(crate) outcome: String,
}
