//! PACKER_PLUGIN_PROTOCOL: the versions that the host offers, and the one that is taken.
use crate::{fault::Fault, manner::Manner};

/// The one version that this plugin speaks.
const SPOKEN: u16 = 1;

/// No version of the offer is spoken here. Its text is the line that SPEC.md's grammar prescribes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("packwire: no common protocol version; plugin speaks {SPOKEN}; host offers {offer}")]
pub(crate) struct Refusal {
    offer: String,
}

/// What the host offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    text: String,
    versions: Vec<u16>,
}

impl Offer {
    /// Reads decimal numbers without sign and leading zeros, separated by single commas: `version.bad-offer`.
    pub(crate) fn parse(text: &str, manner: Manner) -> Option<Self> {
        let versions = match (text.split(',').map(number).collect(), manner.fault()) {
            (None, Some(Fault::DefaultVersionOnGarbage)) => Some(vec![SPOKEN]),
            (read, _) => read,
        };
        Some(Self { text: text.to_owned(), versions: versions? })
    }
}

/// Takes a version from the offer.
///
/// # Errors
/// It holds nothing that is spoken here: `version.refusal-is-final`.
pub(crate) fn choose(offer: &Offer, manner: Manner) -> Result<u16, Refusal> {
    let Offer { text, versions } = offer;
    let common = match manner.fault() {
        Some(Fault::AttachesWithUnofferedVersion) => true,
        Some(Fault::ExactMatchOnly) => *text == SPOKEN.to_string(),
        Some(Fault::StringCompareVersion) => versions.iter().max_by_key(|v| v.to_string()) == Some(&SPOKEN),
        _ => versions.contains(&SPOKEN),
    };
    if common { Ok(SPOKEN) } else { Err(Refusal { offer: text.clone() }) }
}

fn number(digits: &str) -> Option<u16> {
    if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(offer: &str) -> Option<Result<u16, Refusal>> {
        Some(super::choose(&Offer::parse(offer, Manner::Green)?, Manner::Green))
    }

    #[test]
    fn the_spoken_version_is_found_among_others() {
        for offer in ["1", "1,2", "2,9,10,1", "65535,1"] {
            assert_eq!(choose(offer), Some(Ok(SPOKEN)), "{offer}");
        }
    }

    #[test]
    fn a_refusal_names_both_sides() {
        let refusal = choose("2,3").expect("an offer").expect_err("nothing is common").to_string();
        assert_eq!(refusal, "packwire: no common protocol version; plugin speaks 1; host offers 2,3");
    }

    #[test]
    fn what_is_no_offer_is_not_guessed() {
        for offer in ["", ",", "1,", "one", "01", "0", "+1", "1 ,2", "1.0", "65536"] {
            assert_eq!(choose(offer), None, "{offer}");
        }
    }
}
