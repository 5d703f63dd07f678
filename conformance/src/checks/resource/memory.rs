//! Memory that is never given back.

use std::time::{Duration, Instant};

use super::{SETTLING, cycle, example};
use crate::check::Checked;
use crate::rig::{Attached, Manners, Rig};
use crate::talk::{Preparer, preparers};

/// How many objects are prepared before the memory is read, and in all.
const FIRST: usize = 100;
const ALL: usize = 1000;
/// How many of one component follow each other.
const IN_A_ROW: usize = 10;
/// Slow plugins are not kept busy for longer; they make fewer objects, and may grow as much.
const LONGEST_FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(2);
/// Allocators and collectors keep some.
const GROWTH: usize = 8 << 20;

pub(super) async fn steady(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let components = preparers(&session)?;
    let configs: Vec<String> = components.iter().map(example).collect();
    let mut turns = components.iter().zip(&configs).cycle();
    let first = make(rig, &mut turns, FIRST, LONGEST_FIRST).await;
    let before = memory(rig, &session).await;
    let all = first + make(rig, &mut turns, ALL - first, LONGEST).await;
    let after = memory(rig, &session).await;
    let observed = format!("{} KiB after {first}, {} KiB after {all}", before >> 10, after >> 10);
    let expected = format!("holds at most 8 MiB more after {ALL} objects than after {FIRST}");
    session.plugin.saw(expected, after <= before + GROWTH, observed);
    Ok(())
}

/// Prepares, closes and releases objects of all components in turn; answers how many.
async fn make<'a>(
    rig: &Rig,
    turns: &mut impl Iterator<Item = (&'a Preparer, &'a String)>,
    wanted: usize,
    within: Duration,
) -> usize {
    let (began, mut made) = (Instant::now(), 0);
    while made < wanted && began.elapsed() < within {
        let Some((component, config)) = turns.next() else { break };
        cycle(rig, component, config, IN_A_ROW).await;
        made += IN_A_ROW;
    }
    made
}

async fn memory(rig: &Rig, session: &Attached) -> usize {
    rig.sleep(SETTLING).await;
    session.plugin.memory()
}
