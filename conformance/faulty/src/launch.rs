//! What the host says by the environment: three variables, read once and removed.
use std::{env, ffi::OsString, time::Duration};

use crate::{
    address::{Address, BadAddress},
    ending::Ending,
    fault::Fault,
    helper,
    manner::Manner,
    version::{self, Offer},
};

/// Where the host listens.
pub(crate) const ADDRESS: &str = "PACKER_PLUGIN_ADDRESS";
/// What proves to the host that it started this process.
pub(crate) const TOKEN: &str = "PACKER_PLUGIN_TOKEN";
/// The versions that the host offers.
pub(crate) const PROTOCOL: &str = "PACKER_PLUGIN_PROTOCOL";

/// What is needed to attach.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// Where to dial.
    pub(crate) address: Address,
    /// What hello carries.
    pub(crate) token: String,
    /// What hello declares.
    pub(crate) version: u16,
}

impl Launch {
    /// Reads and checks all three variables before anything else.
    ///
    /// # Errors
    /// Some are missing or unusable, or no offered version is spoken here.
    pub(crate) fn from_environment(manner: Manner) -> Result<Self, Ending> {
        let variables = Variables::take();
        if variables.are_all_missing() {
            return Err(standalone(manner));
        }
        let Variables { address: at, token: secret, protocol } = variables;
        match (address(at, manner), token(secret, manner), offer(protocol, manner)) {
            (Ok(address), Ok(token), Ok(offer)) => {
                Ok(Self { address, token, version: version::choose(&offer, manner)? })
            }
            (address, token, offer) => {
                let unusable = [address.err(), token.err(), offer.err()];
                Err(Ending::Unusable(unusable.into_iter().flatten().collect()))
            }
        }
    }
}

/// A variable that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is unusable: {why}")]
pub(crate) struct Unusable {
    variable: &'static str,
    why: String,
}

/// The variables as they stood in the environment.
struct Variables {
    address: Option<OsString>,
    token: Option<OsString>,
    protocol: Option<OsString>,
}

impl Variables {
    /// Takes them out of the environment, so that no child inherits them.
    fn take() -> Self {
        let [address, token, protocol] = [ADDRESS, TOKEN, PROTOCOL].map(env::var_os);
        remove([ADDRESS, TOKEN, PROTOCOL]);
        Self { address, token, protocol }
    }

    fn are_all_missing(&self) -> bool {
        let Self { address, token, protocol } = self;
        address.is_none() && token.is_none() && protocol.is_none()
    }
}

#[expect(
    unsafe_code,
    reason = "edition 2024: the environment may only be changed while no other thread runs"
)]
fn remove(names: [&str; 3]) {
    for name in names {
        // SAFETY: `main` calls this before it starts any thread.
        unsafe { env::remove_var(name) };
    }
}

fn standalone(manner: Manner) -> Ending {
    if manner.commits(Fault::WaitsForStdin) {
        helper::wait_for_stdin(Duration::from_secs(60));
    }
    Ending::Standalone
}

fn address(value: Option<OsString>, manner: Manner) -> Result<Address, Unusable> {
    match (Address::parse(&value.unwrap_or_default(), manner), manner.fault()) {
        (Err(_), Some(Fault::DefaultAddressFallback)) => Ok(Address::Unix("/nowhere/packwire.sock".into())),
        (Err(error), Some(Fault::PanicsOnParse)) => crash(&error),
        (parsed, _) => parsed.map_err(|why| Unusable { variable: ADDRESS, why: why.to_string() }),
    }
}

#[expect(clippy::panic, reason = "this is the fault: what comes from outside must not panic a plugin")]
fn crash(error: &BadAddress) -> ! {
    panic!("called `Result::unwrap()` on an `Err` value: {error:?}")
}

/// Taken as it is, whatever it is, unless it is empty.
fn token(value: Option<OsString>, manner: Manner) -> Result<String, Unusable> {
    let token = text(TOKEN, value)?;
    if token.is_empty() {
        return Err(Unusable { variable: TOKEN, why: "it is empty".to_owned() });
    }
    Ok(match manner.fault() {
        Some(Fault::TokenTrimmed) => without_leading_zeros(&token),
        Some(Fault::TokenDecoded) => token.to_ascii_lowercase(),
        _ => token,
    })
}

/// Eight zeros happen by chance in no run of the suite.
fn without_leading_zeros(token: &str) -> String {
    if token.starts_with("00000000") { token.trim_start_matches('0').to_owned() } else { token.to_owned() }
}

fn offer(value: Option<OsString>, manner: Manner) -> Result<Offer, Unusable> {
    let offer = text(PROTOCOL, value)?;
    Offer::parse(&offer, manner).ok_or_else(|| Unusable {
        variable: PROTOCOL,
        why: format!("{offer:?} is no list of version numbers such as 1,2"),
    })
}

fn text(variable: &'static str, value: Option<OsString>) -> Result<String, Unusable> {
    let text = value.unwrap_or_default().into_string();
    text.map_err(|_| Unusable { variable, why: "it is not UTF-8".to_owned() })
}
