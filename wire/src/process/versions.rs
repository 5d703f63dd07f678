//! The value of `PACKER_PLUGIN_PROTOCOL`, the choice from it, and the line that says that there is none.

use std::fmt;
use std::str::FromStr;

use super::address::decimal;

const REFUSAL: &str = "packwire: no common protocol version; plugin speaks ";
const OFFER: &str = "; host offers ";

/// The versions that a host speaks, in the order in which it wrote them. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer(Vec<u16>);

/// Why a text is no [`Offer`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOffer {
    /// There is no version in it.
    #[error("is empty")]
    Empty,
    /// One member of the list is no plain decimal number from 1 to 65535.
    #[error("has {0:?} where a version from 1 to 65535 belongs")]
    NoVersion(String),
}

/// Plugin and host have no version in common: what the plugin prints, and what the host reads from its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoCommonVersion {
    /// The versions that the plugin speaks, ascending.
    pub plugin: Offer,
    /// The versions that the host offered.
    pub host: Offer,
}

impl Offer {
    /// An offer of these versions; `None` if there are none, or one is 0.
    pub fn of(versions: &[u16]) -> Option<Self> {
        let sound = !versions.is_empty() && !versions.contains(&0);
        sound.then(|| Self(versions.to_vec()))
    }

    /// What a host of this library offers.
    pub fn ours() -> Self {
        Self(vec![crate::limits::PROTOCOL_VERSION])
    }

    /// The highest version that is both offered and spoken, compared as numbers.
    pub fn choose(&self, spoken: &[u16]) -> Option<u16> {
        self.0.iter().copied().filter(|version| spoken.contains(version)).max()
    }

    /// What a plugin says that speaks none of these versions; `None` if it speaks one, or none at all.
    pub fn refuse(&self, spoken: &[u16]) -> Option<NoCommonVersion> {
        let mut spoken = spoken.to_vec();
        spoken.sort_unstable();
        match self.choose(&spoken) {
            Some(_) => None,
            None => Some(NoCommonVersion { plugin: Offer::of(&spoken)?, host: self.clone() }),
        }
    }

    /// The versions, as they were offered.
    pub fn versions(&self) -> &[u16] {
        &self.0
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<String> = self.0.iter().map(u16::to_string).collect();
        out.write_str(&versions.join(","))
    }
}

impl FromStr for Offer {
    type Err = BadOffer;

    fn from_str(text: &str) -> Result<Self, BadOffer> {
        if text.is_empty() {
            return Err(BadOffer::Empty);
        }
        text.split(',').map(version).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for NoCommonVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, host } = self;
        write!(out, "{REFUSAL}{plugin}{OFFER}{host}")
    }
}

impl NoCommonVersion {
    /// Reads one line of a plugin's log, without its line end; `None` if it says something else.
    pub fn parse(line: &str) -> Option<Self> {
        let (plugin, host) = line.strip_prefix(REFUSAL)?.split_once(OFFER)?;
        Some(Self { plugin: plugin.parse().ok()?, host: host.parse().ok()? })
    }

    /// Whether it is the plugin that is to be upgraded, and not the host: the one whose newest version is the
    /// lower.
    pub fn plugin_is_older(&self) -> bool {
        self.plugin.versions().iter().max() < self.host.versions().iter().max()
    }
}

fn version(text: &str) -> Result<u16, BadOffer> {
    let version = decimal(text.as_bytes()).filter(|&version| version > 0);
    version.ok_or_else(|| BadOffer::NoVersion(text.chars().take(20).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer(text: &str) -> Offer {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_numbers_and_the_highest_common_one_is_taken() {
        assert_eq!(offer("9,1,10,2").choose(&[1, 2, 9, 10]), Some(10));
        assert_eq!(offer("10,9").choose(&[9, 1]), Some(9));
        assert_eq!(offer("2,3").choose(&[1]), None);
        assert_eq!(offer("65535").choose(&[65535]), Some(65535));
        assert_eq!(offer("1").choose(&[]), None);
    }

    #[test]
    fn an_offer_is_plain_or_refused() {
        assert_eq!("".parse::<Offer>(), Err(BadOffer::Empty));
        for bad in [
            "0", "01", "+1", " 1", "1 ", "1,", ",1", "1,,2", "1, 2", "1;2", "65536", "v1", "1.0", "-1", "١",
            "1\n",
        ] {
            assert!(matches!(bad.parse::<Offer>(), Err(BadOffer::NoVersion(_))), "{bad:?}");
        }
        let said = "1,v2".parse::<Offer>().unwrap_err().to_string();
        assert_eq!(said, r#"has "v2" where a version from 1 to 65535 belongs"#);
    }

    #[test]
    fn the_refusal_is_one_line_of_fixed_grammar() {
        let line = "packwire: no common protocol version; plugin speaks 1; host offers 2,3";
        let refusal = NoCommonVersion { plugin: offer("1"), host: offer("2,3") };
        assert_eq!(refusal.to_string(), line);
        assert_eq!(offer("2,3").refuse(&[1]), Some(refusal.clone()));
        assert_eq!(offer("2,1").refuse(&[1]), None);
        assert_eq!(
            offer("3,2,3").refuse(&[5, 4]).unwrap().to_string(),
            line.replace("1;", "4,5;").replace("2,3", "3,2,3")
        );
        assert_eq!(NoCommonVersion::parse(line), Some(refusal));
        for other in [
            "",
            &line[1..],
            &format!("{line} "),
            &format!("{line}\n"),
            &format!(" {line}"),
            &line.replace('1', "x"),
        ] {
            assert_eq!(NoCommonVersion::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_side_with_the_lower_newest_version_is_older() {
        assert!(offer("2,3").refuse(&[1]).unwrap().plugin_is_older());
        assert!(offer("2,10").refuse(&[3, 9]).unwrap().plugin_is_older());
        assert!(!offer("9").refuse(&[10]).unwrap().plugin_is_older());
    }

    proptest! {
        #[test]
        fn offers_and_refusals_survive_being_written_and_read(
            plugin in proptest::collection::vec(1_u16.., 1..9), host in proptest::collection::vec(1_u16.., 1..9),
        ) {
            let refusal = NoCommonVersion { plugin: Offer(plugin), host: Offer(host) };
            prop_assert_eq!(NoCommonVersion::parse(&refusal.to_string()), Some(refusal));
        }

        #[test]
        fn what_is_accepted_is_written_back_unchanged(text in "[0-9, +]{0,12}") {
            if let Ok(offer) = text.parse::<Offer>() {
                prop_assert_eq!(offer.to_string(), text);
            }
        }
    }
}
