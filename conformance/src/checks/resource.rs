//! Release and leaks.

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

pub(super) const CHECKS: &[Check] = &[Check {
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
}];

async fn fds_steady(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    for component in preparers(&session)? {
        let config = schema_of(&component).bases().into_iter().next().map(serde_json::Value::Object);
        let config = config.unwrap_or_default().to_string();
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
