//! Launch and environment.

use std::time::Duration;

use crate::check::{Budget, Check, Checked, Class, Level};
use crate::rig::{Launch, Rig, Stdin};

/// How soon a plugin gives up that finds its variables missing or unusable.
const UNUSABLE: Duration = Duration::from_secs(2);

pub(super) const CHECKS: &[Check] = &[Check {
    id: "launch.not-a-host",
    level: Level::Must,
    class: Class::Any,
    title: "says what it is when it is started by hand",
    why: "People type the names of executables; a plugin that hangs, or ends in silence, looks broken.",
    seen: "The program is started without the three variables, its standard input a pipe that is never closed; its exit status and stderr are looked at.",
    budgets: &[Budget { what: "from the start to the exit", limit: UNUSABLE }],
    mutants: &["waits-for-stdin", "exit-0-standalone"],
    lasts: Duration::from_millis(50),
    run: |rig| Box::pin(not_a_host(rig)),
}];

async fn not_a_host(rig: &Rig) -> Checked {
    let launch = Launch::bare().stdin(Stdin::Holding(b"anybody there?\n".to_vec()));
    let plugin = rig.launch(&launch)?;
    plugin.exits_with(2, UNUSABLE).await;
    let said = plugin.stderr();
    plugin.saw("it says on stderr what it is", !said.trim().is_empty(), format!("it said {said:?}"));
    Ok(())
}
