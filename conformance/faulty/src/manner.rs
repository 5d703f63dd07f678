//! What the plugin was asked to be: green, or green but for one thing.
use std::str::FromStr;

use clap::ValueEnum;

use crate::{
    dialect::{Dialect, Null},
    fault::Fault,
    hurt::Hurt,
};

/// How this run of the plugin behaves. At most one thing differs from green.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Every rule is kept.
    Green,
    /// One rule is broken.
    Fault(Fault),
    /// Every rule is kept, unusually.
    Dialect(Dialect),
    /// Nothing useful is done.
    Null(Null),
    /// More is done than anybody can bear.
    Hurt(Hurt),
}

impl Manner {
    /// The one fault, where there is one: what the arms that differ match on.
    pub(crate) fn fault(self) -> Option<Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Green | Self::Dialect(_) | Self::Null(_) | Self::Hurt(_) => None,
        }
    }

    /// Whether it commits this fault.
    pub(crate) fn commits(self, fault: Fault) -> bool {
        self == Self::Fault(fault)
    }

    /// Whether it hurts in this way.
    pub(crate) fn hurts(self, hurt: Hurt) -> bool {
        self == Self::Hurt(hurt)
    }

    /// Whether it speaks this dialect.
    pub(crate) fn speaks(self, dialect: Dialect) -> bool {
        self == Self::Dialect(dialect)
    }
}

impl FromStr for Manner {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "green" {
            return Ok(Self::Green);
        }
        let fault = Fault::from_str(name, false).map(Self::Fault);
        let dialect = || Dialect::from_str(name, false).map(Self::Dialect);
        let null = || Null::from_str(name, false).map(Self::Null);
        let hurt = || Hurt::from_str(name, false).map(Self::Hurt);
        let manner = fault.or_else(|_| dialect()).or_else(|_| null()).or_else(|_| hurt());
        manner.map_err(|_| "see `faulty list`".to_owned())
    }
}
