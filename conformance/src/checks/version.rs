//! Version: what a plugin makes of the offer.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;

use super::launch;
use crate::check::{Budget, Check, Checked, Class, Level};
use crate::rig::{Attached, Manners, Rig, Trial};

/// How soon a plugin gives up that speaks none of the versions offered.
const REFUSAL: Duration = Duration::from_secs(5);
/// The variable under test.
const PROTOCOL: &str = "PACKER_PLUGIN_PROTOCOL";
/// A version that no plugin speaks: the highest, and an experiment.
const UNKNOWN: &str = "65535";
/// What a refusal line begins with.
const REFUSES: &str = "packwire: no common protocol version; plugin speaks ";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "version.refusal-is-final",
        level: Level::Must,
        class: Class::Any,
        title: "says which versions it speaks, and does not dial",
        why: "Hosts read the line and tell the user which side is older and what to upgrade.",
        seen: "The program is offered a version that nobody speaks; its exit status, the form of the line on stderr \
               and the host's connections are looked at.",
        budgets: &[Budget { what: "from the start to the exit", limit: REFUSAL }],
        mutants: &["attaches-with-unoffered-version", "silent-refusal"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(refusal_is_final(rig)),
    },
    Check {
        id: "version.newer-host",
        level: Level::Must,
        class: Class::Any,
        title: "chooses the highest version that it speaks",
        why: "Hosts offer more versions as they grow older, in any order; compared as texts, 9 is above 10.",
        seen: "The versions 1, 2, 9 and 10 are offered one by one, which tells which of them the plugin speaks, and \
               then together in three orders.",
        budgets: &[],
        mutants: &["exact-match-only", "string-compare-version"],
        lasts: Duration::from_millis(300),
        run: |rig| Box::pin(newer_host(rig)),
    },
    Check {
        id: "version.declared",
        level: Level::Must,
        class: Class::Any,
        title: "declares a version that was offered",
        why: "It decides how both sides read everything that follows.",
        seen: "`protocolVersion` of the hello is looked at, for two offers.",
        budgets: &[],
        mutants: &["version-zero"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(declared(rig)),
    },
    Check {
        id: "version.bad-offer",
        level: Level::Must,
        class: Class::Any,
        title: "refuses an offer that it cannot use, by name",
        why: "A plugin that guesses a version attaches to a host that speaks another.",
        seen: "The program is started with offers that are no lists of versions, and with none; its exit status is \
               looked at, and stderr for the name of the variable.",
        budgets: &[Budget { what: "from the start to the exit", limit: launch::UNUSABLE }],
        mutants: &["default-version-on-garbage"],
        lasts: Duration::from_millis(400),
        run: |rig| Box::pin(bad_offer(rig)),
    },
];

fn offering(offer: &str) -> Manners {
    Manners { offer: offer.to_owned(), ..Manners::default() }
}

async fn refusal_is_final(rig: &Rig) -> Checked {
    let Trial { host, plugin } = rig.meet(offering(UNKNOWN))?;
    plugin.exits_with(3, REFUSAL).await;
    let said = plugin.stderr();
    let line = said.lines().find(|line| is_refusal(line, UNKNOWN));
    let observed = line.map_or_else(|| format!("no such line in {:?}", said.trim()), str::to_owned);
    plugin.saw(
        format!("prints the line `{REFUSES}VERSIONS; host offers {UNKNOWN}`"),
        line.is_some(),
        observed,
    );
    let dials = host.connections().len();
    plugin.saw("does not dial", dials == 0, format!("{dials} connections"));
    Ok(())
}

/// The grammar of a refusal line; the versions that the plugin speaks are ascending.
fn is_refusal(line: &str, offer: &str) -> bool {
    let versions =
        line.strip_prefix(REFUSES).and_then(|rest| rest.strip_suffix(&format!("; host offers {offer}")));
    let versions: Option<Vec<u16>> = versions.and_then(|versions| versions.split(',').map(version).collect());
    versions.is_some_and(|versions| !versions.is_empty() && versions.is_sorted_by(|a, b| a < b))
}

/// A version as the grammar writes it: no sign, no leading zero.
fn version(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

async fn newer_host(rig: &Rig) -> Checked {
    let alone = join_all([1, 2, 9, 10].map(|version| speaks(rig, version))).await;
    let spoken: BTreeSet<u16> =
        alone.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let Some(highest) = spoken.last().copied() else {
        rig.saw("speaks a version that was offered alone", false, "none of 1, 2, 9 and 10");
        return Ok(());
    };
    let orders = ["1,2,9,10", "10,9,2,1", "9,1,10,2"];
    join_all(orders.map(|offer| chooses(rig, offer, highest))).await.into_iter().collect()
}

/// The version, if the plugin attaches when it is offered alone.
async fn speaks(rig: &Rig, version: u16) -> Result<Option<u16>, crate::check::Stop> {
    let Trial { host, plugin } = rig.meet(offering(&version.to_string()))?;
    tokio::select! {
        _ = host.attached(rig.patience()) => {}
        _ = plugin.exit(rig.patience()) => {}
    }
    Ok((!host.hellos().is_empty()).then_some(version))
}

async fn chooses(rig: &Rig, offer: &str, highest: u16) -> Checked {
    let trial = rig.meet(offering(offer))?;
    let expected = format!("attaches with version {highest} when {offer} is offered");
    let Some(Attached { plugin, hello, .. }) =
        trial.attaches(format!("attaches when {offer} is offered")).await
    else {
        return Ok(());
    };
    let chosen = plugin.read("the hello", hello.read())?.get_protocol_version();
    plugin.saw(expected, chosen == highest, format!("with version {chosen}"));
    Ok(())
}

async fn declared(rig: &Rig) -> Checked {
    for offer in ["1", "1,2"] {
        let Attached { plugin, hello, .. } = rig.attach(offering(offer)).await?;
        let declared = plugin.read("the hello", hello.read())?.get_protocol_version();
        let offered = offer.split(',').any(|version| version == declared.to_string());
        plugin.saw(format!("declares one of {offer}"), offered, format!("it declares {declared}"));
    }
    Ok(())
}

/// Values that the grammar of an offer does not give; `None` is a variable that is not set.
const BAD_OFFERS: [Option<&str>; 9] = [
    None,
    Some(""),
    Some("one"),
    Some("1,"),
    Some("1;2"),
    Some("1, 2"),
    Some("0"),
    Some("-1"),
    Some("1,65536"),
];

async fn bad_offer(rig: &Rig) -> Checked {
    let good = rig.listen(Manners::default())?.launch();
    launch::each_unusable(rig, &good, PROTOCOL, &BAD_OFFERS).await
}

#[cfg(test)]
mod tests {
    use super::is_refusal;

    #[test]
    fn a_refusal_line_has_one_form() {
        assert!(is_refusal(
            "packwire: no common protocol version; plugin speaks 1,2; host offers 999",
            "999"
        ));
        for wrong in ["1; host offers 9", "2,1; host offers 999", "; host offers 999", "01; host offers 999"]
        {
            assert!(!is_refusal(&format!("{}{wrong}", super::REFUSES), "999"), "{wrong}");
        }
        assert!(!is_refusal(
            "[ERROR] packwire: no common protocol version; plugin speaks 1; host offers 999",
            "999"
        ));
    }
}
