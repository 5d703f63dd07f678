//! What a plugin reads from its environment before it does anything else: who invited it, if anybody.

use std::ffi::OsString;
use std::fmt;

use super::{Address, Offer, Token};

/// The variable with the host's [`Address`].
pub const ADDRESS: &str = "PACKER_PLUGIN_ADDRESS";
/// The variable with the [`Token`].
pub const TOKEN: &str = "PACKER_PLUGIN_TOKEN";
/// The variable with the host's [`Offer`] of versions.
pub const PROTOCOL: &str = "PACKER_PLUGIN_PROTOCOL";

/// A host's three variables, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Where to dial.
    pub address: Address,
    /// What to show there.
    pub token: Token,
    /// The versions that the host speaks.
    pub offer: Offer,
}

/// Why there is no [`Invitation`]. The plugin says so on stderr and exits with 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoInvitation {
    /// None of the three variables is set: a person started the plugin (`launch.not-a-host`).
    NotInvited,
    /// Some of the variables are missing or cannot be used: all of these (`launch.bad-address`,
    /// `version.bad-offer`).
    Unusable(Vec<Flaw>),
}

/// What is wrong with one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The name of the variable.
    pub variable: &'static str,
    /// What is wrong with its value, as the rest of a sentence; never the value of a token.
    pub reason: String,
}

impl Invitation {
    /// Reads the three variables through `lookup`, usually [`std::env::var_os`].
    ///
    /// # Errors
    /// [`NoInvitation::NotInvited`] when all three are missing, else every one that cannot be used.
    pub fn from_environment(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, NoInvitation> {
        let (address, token, offer) = (lookup(ADDRESS), lookup(TOKEN), lookup(PROTOCOL));
        if address.is_none() && token.is_none() && offer.is_none() {
            return Err(NoInvitation::NotInvited);
        }
        let address = read(ADDRESS, address, |value| Address::parse(&value).map_err(|e| e.to_string()));
        let token = read(TOKEN, token, parsed::<Token>);
        let offer = read(PROTOCOL, offer, parsed::<Offer>);
        match (address, token, offer) {
            (Ok(address), Ok(token), Ok(offer)) => Ok(Self { address, token, offer }),
            (address, token, offer) => {
                let flaws = [address.err(), token.err(), offer.err()];
                Err(NoInvitation::Unusable(flaws.into_iter().flatten().collect()))
            }
        }
    }

    /// The variables for the plugin's environment, from which [`Invitation::from_environment`] reads the
    /// same again.
    pub fn variables(&self) -> [(OsString, OsString); 3] {
        let Self { address, token, offer } = self;
        [
            (ADDRESS.into(), address.to_os_string()),
            (TOKEN.into(), token.reveal().into()),
            (PROTOCOL.into(), offer.to_string().into()),
        ]
    }
}

impl NoInvitation {
    /// The lines for stderr, from a plugin of this name; without the last line's end.
    pub fn explain(&self, plugin: &str) -> String {
        match self {
            Self::NotInvited => format!("this is a Packwire plugin {plugin}; a host starts it"),
            Self::Unusable(flaws) => {
                let lines: Vec<String> = flaws.iter().map(|flaw| format!("{plugin}: {flaw}")).collect();
                lines.join("\n")
            }
        }
    }
}

impl std::error::Error for NoInvitation {}

impl fmt::Display for NoInvitation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInvited => out.write_str("no host started the plugin"),
            Self::Unusable(flaws) => {
                let flaws: Vec<String> = flaws.iter().map(Flaw::to_string).collect();
                out.write_str(&flaws.join(", "))
            }
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, reason } = self;
        write!(out, "{variable} {reason}")
    }
}

fn read<T>(
    variable: &'static str,
    value: Option<OsString>,
    parse: impl FnOnce(OsString) -> Result<T, String>,
) -> Result<T, Flaw> {
    let value = value.ok_or_else(|| "is not set".to_owned());
    value.and_then(parse).map_err(|reason| Flaw { variable, reason })
}

fn parsed<T: std::str::FromStr<Err: fmt::Display>>(value: OsString) -> Result<T, String> {
    let text = value.into_string().map_err(|_| "is not UTF-8")?;
    text.parse().map_err(|error: T::Err| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    const DIGITS: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    const GOOD: [(&str, &str); 3] = [(ADDRESS, "unix:/run/x y"), (TOKEN, DIGITS), (PROTOCOL, "1,2")];

    fn invited(variables: &[(&str, &str)]) -> Result<Invitation, NoInvitation> {
        Invitation::from_environment(|name| {
            let (_, value) = variables.iter().find(|(one, _)| *one == name)?;
            Some(value.into())
        })
    }

    fn explained(variables: &[(&str, &str)]) -> String {
        invited(variables).unwrap_err().explain("packer-builder-x")
    }

    #[test]
    fn three_good_variables_are_an_invitation() {
        let invitation = invited(&GOOD).unwrap();
        assert_eq!(invitation.address, Address::Unix("/run/x y".into()));
        assert_eq!(invitation.offer.versions(), [1, 2]);
        assert!(invitation.token.is(DIGITS));
        assert_eq!(invitation.variables(), GOOD.map(|(name, value)| (name.into(), value.into())));
    }

    #[test]
    fn nobody_invited_a_plugin_without_variables() {
        assert_eq!(invited(&[]), Err(NoInvitation::NotInvited));
        insta::assert_snapshot!(explained(&[]), @"this is a Packwire plugin packer-builder-x; a host starts it");
    }

    #[test]
    fn every_missing_variable_is_named() {
        for (name, value) in GOOD {
            let said = invited(&[(name, value)]).unwrap_err().to_string();
            let missing = [ADDRESS, TOKEN, PROTOCOL].into_iter().filter(|&other| other != name);
            let missing: Vec<String> = missing.map(|name| format!("{name} is not set")).collect();
            assert_eq!(said, missing.join(", "));
        }
    }

    #[test]
    fn every_unusable_variable_is_named_with_its_flaw() {
        insta::assert_snapshot!(explained(&[(ADDRESS, "http://x"), (TOKEN, ""), (PROTOCOL, "1, 2")]), @r#"
        packer-builder-x: PACKER_PLUGIN_ADDRESS begins with neither `unix:` nor `tcp:`
        packer-builder-x: PACKER_PLUGIN_TOKEN is empty
        packer-builder-x: PACKER_PLUGIN_PROTOCOL has " 2" where a version from 1 to 65535 belongs
        "#);
        insta::assert_snapshot!(explained(&[(ADDRESS, "unix:/x"), (TOKEN, DIGITS), (PROTOCOL, "")]), @"packer-builder-x: PACKER_PLUGIN_PROTOCOL is empty");
    }

    #[test]
    fn a_token_that_is_no_text_is_unusable() {
        let said = Invitation::from_environment(|name| match name {
            TOKEN => Some(OsString::from_vec(vec![0xff; 64])),
            ADDRESS => Some("tcp:127.0.0.1:1".into()),
            _ => Some("1".into()),
        });
        assert_eq!(said.unwrap_err().to_string(), "PACKER_PLUGIN_TOKEN is not UTF-8");
    }
}
