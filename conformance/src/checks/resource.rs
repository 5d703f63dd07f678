//! Release and leaks.

mod memory;
mod runs;

use std::time::Duration;

use futures::future::join_all;

use super::prepare::schema_of;
use crate::check::{Check, Checked, Class, Level};
use crate::rig::{Attached, Manners, Rig};
use crate::talk::{Preparer, preparers};

/// How many objects are prepared before the descriptors are counted, and in all.
const FIRST: usize = 10;
const ALL: usize = 100;
/// How many are prepared at once.
const AT_ONCE: usize = 10;
/// How long releases may take to arrive.
const SETTLING: Duration = Duration::from_millis(300);

pub(super) const CHECKS: &[Check] = &[
    FDS_STEADY,
    Check {
        id: "resource.memory-steady",
        level: Level::Should,
        class: Class::Declared,
        title: "leaks no memory",
        why: "A host validates for hours in an editor, at every key that is pressed.",
        seen: "Examples are prepared, closed and released a hundred times and then a thousand times, or for two \
               seconds, and the memory that only the plugin uses is read.",
        budgets: &[],
        mutants: &["memory-leak"],
        lasts: Duration::from_millis(900),
        run: |rig| Box::pin(memory::steady(rig)),
    },
    Check {
        id: "resource.revoked",
        level: Level::Must,
        class: Class::Scenario,
        title: "uses nothing that was taken back",
        why: "After the answer, what was lent belongs to nobody; a late call is lost, or hits somebody else.",
        seen: "For two seconds after a run has answered, calls on what was lent are counted.",
        budgets: &[],
        mutants: &["keeps-ui"],
        lasts: WATCHED,
        run: |rig| Box::pin(runs::revoked(rig)),
    },
    Check {
        id: "resource.children-reaped",
        level: Level::Must,
        class: Class::Scenario,
        title: "leaves no process after a run",
        why: "A build that leaves processes behind blocks the next one, or the machine.",
        seen: "After a run that ended well the children of the plugin are counted, dead ones too.",
        budgets: &[],
        mutants: &["zombie-child", "background-child"],
        lasts: Duration::from_millis(300),
        run: |rig| Box::pin(runs::children_reaped(rig)),
    },
    Check {
        id: "resource.socket-private",
        level: Level::Must,
        class: Class::Scenario,
        title: "keeps the link to itself",
        why: "A child that holds the socket keeps the link open when the plugin is gone.",
        seen: "The descriptors of every child that is seen during a run.",
        budgets: &[],
        mutants: &["socket-inherited"],
        lasts: Duration::from_millis(300),
        run: |rig| Box::pin(runs::socket_private(rig)),
    },
    Check {
        id: "resource.temp-clean",
        level: Level::Must,
        class: Class::Scenario,
        title: "leaves nothing in TMPDIR",
        why: "Temporary files of a thousand builds fill a disk.",
        seen: "TMPDIR is listed after a run, a cancelled run, and a clean end.",
        budgets: &[],
        mutants: &["temp-left-behind"],
        lasts: Duration::from_millis(300),
        run: |rig| Box::pin(runs::temp_clean(rig)),
    },
];

/// How long a plugin is watched that should do nothing.
const WATCHED: Duration = Duration::from_secs(2);

const FDS_STEADY: Check = Check {
    id: "resource.fds-steady",
    level: Level::Must,
    class: Class::Declared,
    title: "leaks no descriptors",
    why: "A host validates for hours in an editor; every leak ends at the limit of open files.",
    seen: "An example is prepared, closed and released a hundred times, and the open descriptors are counted.",
    budgets: &[],
    mutants: &["fd-leak"],
    lasts: Duration::from_millis(900),
    run: |rig| Box::pin(fds_steady(rig)),
};

async fn fds_steady(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    for component in preparers(&session)? {
        let config = example(&component);
        cycle(rig, &component, &config, FIRST).await;
        let before = descriptors(rig, &session).await;
        cycle(rig, &component, &config, ALL - FIRST).await;
        let after = descriptors(rig, &session).await;
        let expected =
            format!("the {} holds as many descriptors after {ALL} as after {FIRST}", component.title);
        session.plugin.saw(expected, after <= before, format!("{before} after {FIRST}, {after} after {ALL}"));
    }
    Ok(())
}

/// A configuration that is right, as its schema has it.
fn example(component: &Preparer) -> String {
    let first = schema_of(component).bases().into_iter().next().map(serde_json::Value::Object);
    first.unwrap_or_default().to_string()
}

async fn cycle(rig: &Rig, component: &Preparer, config: &str, times: usize) {
    for _ in 0..times.div_ceil(AT_ONCE) {
        let one = || async {
            let answer = component.prepare(rig, config.as_bytes()).await;
            if let Some(object) = answer.given().and_then(|prepared| prepared.object.as_ref()) {
                object.close(rig).await;
            }
        };
        join_all((0..AT_ONCE).map(|_| one())).await;
    }
}

async fn descriptors(rig: &Rig, session: &Attached) -> usize {
    rig.sleep(SETTLING).await;
    session.plugin.descriptors()
}
