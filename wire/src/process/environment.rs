//! The environment that a plugin is given: the host's own, less what is none of its business.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Prefixes of the variables that configure a host or invite a plugin: they are never passed on.
const OURS: [&[u8]; 2] = [b"PACKER_PLUGIN_", b"PACKER_LOG"];

/// The host's own environment less `PACKER_PLUGIN_*`, `PACKER_LOG*` and the variables of these names
/// (those that a template calls sensitive).
pub fn inherited_environment<N: AsRef<OsStr>>(withheld: &[N]) -> Vec<(OsString, OsString)> {
    passed_on(env::vars_os(), withheld)
}

/// As [`inherited_environment`], of these variables instead of the host's own.
pub fn passed_on<N: AsRef<OsStr>>(
    variables: impl Iterator<Item = (OsString, OsString)>,
    withheld: &[N],
) -> Vec<(OsString, OsString)> {
    let ours = |name: &OsStr| OURS.iter().any(|prefix| name.as_bytes().starts_with(prefix));
    let named = |name: &OsStr| withheld.iter().any(|one| one.as_ref() == name);
    variables.filter(|(name, _)| !ours(name) && !named(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(names: &[&str], withheld: &[&str]) -> Vec<String> {
        let variables = names.iter().map(|&name| (name.into(), "value".into()));
        passed_on(variables, withheld).into_iter().map(|(name, _)| name.into_string().unwrap()).collect()
    }

    #[test]
    fn the_variables_of_hosts_and_invitations_stay_behind() {
        let names = [
            "PATH",
            "PACKER_PLUGIN_TOKEN",
            "PACKER_PLUGIN_MIN_PORT",
            "PACKER_LOG",
            "PACKER_LOG_PATH",
            "PACKER_CONFIG",
        ];
        assert_eq!(kept(&names, &[]), ["PATH", "PACKER_CONFIG"]);
    }

    #[test]
    fn withheld_names_are_matched_whole() {
        assert_eq!(kept(&["SECRET", "SECRETS", "secret"], &["SECRET"]), ["SECRETS", "secret"]);
    }

    #[test]
    fn names_and_values_need_not_be_utf8() {
        let odd = (OsString::from("ODD"), OsStr::from_bytes(b"\xff").to_owned());
        assert_eq!(passed_on::<&str>([odd.clone()].into_iter(), &[]), [odd]);
    }
}
