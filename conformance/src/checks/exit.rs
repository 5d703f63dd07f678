//! Session lifecycle.

mod crash;
mod running;

use std::time::Duration;

use rustix::process::Signal;

use crate::check::{Budget, Check, Checked, Class, Level};
use crate::rig::{Answer, Attached, Manners, Rig};

/// How soon an idle plugin is gone, whatever ends its session.
const GONE: Duration = Duration::from_secs(5);
/// How soon a process is gone that has crashed.
const CRASH: Duration = Duration::from_secs(5);
/// How long the host goes on listening for a plugin that comes back.
const LISTENING: Duration = Duration::from_secs(3);
/// Long enough for a plugin to begin to end.
const MOMENT: Duration = Duration::from_millis(300);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "exit.leave",
        level: Level::Must,
        class: Class::Any,
        title: "exits 0 when the session is over",
        why: "A host that is done waits for its plugins; one that lingers, or that reports a failure, turns a good build into a bad one.",
        seen: "The host answers `attach` with `leave` and a stopwatch runs until the process has exited.",
        budgets: &[Budget { what: "from `leave` to the exit", limit: GONE }],
        mutants: &["lives-after-leave", "exit-1-on-leave"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(leave(rig)),
    },
    Check {
        id: "exit.leave-while-running",
        level: Level::Must,
        class: Class::Scenario,
        title: "cleans up when it is told to leave in a run",
        why: "A host that is interrupted says leave; what runs then is cancelled, not abandoned.",
        seen: "The host answers `attach` with `leave` while a run is open; files, processes and the exit status are looked at.",
        budgets: &[],
        mutants: &["leave-leaks"],
        lasts: MOMENT,
        run: |rig| Box::pin(running::ends_while_running(rig, running::How::Leave)),
    },
    Check {
        id: "exit.disconnect-idle",
        level: Level::Must,
        class: Class::Any,
        title: "exits 4 when the link is lost",
        why: "A plugin without a host has nobody to work for and nobody to end it.",
        seen: "The host closes the connection both ways.",
        budgets: &[Budget { what: "from the close to the exit", limit: GONE }],
        mutants: &["lives-after-disconnect", "exit-0-on-disconnect"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(disconnect_idle(rig)),
    },
    Check {
        id: "exit.disconnect-running",
        level: Level::Must,
        class: Class::Scenario,
        title: "cleans up when the link is lost in a run",
        why: "The host has crashed, and nobody else knows what the run has made.",
        seen: "The host closes the connection while a run is open; files, processes and the exit status are looked at.",
        budgets: &[],
        mutants: &["disconnect-leaks"],
        lasts: MOMENT,
        run: |rig| Box::pin(running::ends_while_running(rig, running::How::Disconnect)),
    },
    Check {
        id: "exit.half-close",
        level: Level::Must,
        class: Class::Any,
        title: "takes the end of its input for the end of the link",
        why: "Some hosts shut down one direction first and wait for the plugin to follow.",
        seen: "The host shuts down its sending side and goes on reading.",
        budgets: &[Budget { what: "from the half-close to the exit", limit: GONE }],
        mutants: &["ignores-half-close"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(half_close(rig)),
    },
    Check {
        id: "exit.host-killed",
        level: Level::Must,
        class: Class::Any,
        title: "is gone soon after its host was killed",
        why: "Nobody is left then to end it; this keeps machines free of orphans.",
        seen: "A host in a process of its own is killed by SIGKILL in mid-session; what falls to the suite is watched.",
        budgets: &[Budget { what: "from the host's death to the exit", limit: GONE }],
        mutants: &["orphan"],
        lasts: Duration::from_millis(100),
        run: |rig| Box::pin(host_killed(rig)),
    },
    Check {
        id: "exit.no-descendants",
        level: Level::Must,
        class: Class::Scenario,
        title: "is outlived by nothing",
        why: "A process that left the plugin's session cannot be ended by a host.",
        seen: "All components run, the plugin leaves, and the suite, to whom all orphans fall, counts.",
        budgets: &[],
        mutants: &["daemonises"],
        lasts: Duration::from_millis(900),
        run: |rig| Box::pin(running::no_descendants(rig)),
    },
    Check {
        id: "exit.no-redial",
        level: Level::Must,
        class: Class::Any,
        title: "does not come back",
        why: "The token worked once; whoever listens at the address later may be somebody else.",
        seen: "The host breaks the connection and goes on listening for three seconds.",
        budgets: &[Budget { what: "how long the host goes on listening", limit: LISTENING }],
        mutants: &["reconnects"],
        lasts: LISTENING,
        run: |rig| Box::pin(no_redial(rig)),
    },
    Check {
        id: "exit.terminate-signal",
        level: Level::Should,
        class: Class::Any,
        title: "exits 4 on SIGTERM",
        why: "SIGTERM is the last word before SIGKILL, which leaves no time to clean up.",
        seen: "SIGTERM is sent to the idle process.",
        budgets: &[Budget { what: "from SIGTERM to the exit", limit: GONE }],
        mutants: &["ignores-sigterm"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(terminate_signal(rig)),
    },
    Check {
        id: "exit.terminate-running",
        level: Level::Should,
        class: Class::Scenario,
        title: "cleans up when SIGTERM comes in a run",
        why: "Whoever stops a machine, or a service, sends SIGTERM first; what a run has made goes with it, or nobody knows of it.",
        seen: "SIGTERM is sent while a run is open; files, processes and the exit status are looked at.",
        budgets: &[],
        mutants: &["terminate-leaks", "sigterm-awaits-runs"],
        lasts: MOMENT,
        run: |rig| Box::pin(running::ends_while_running(rig, running::How::Terminate)),
    },
    Check {
        id: "exit.crash-visible",
        level: Level::Must,
        class: Class::Scenario,
        title: "shows that it crashed",
        why: "A crash that nobody sees is a build that never ends.",
        seen: "A run of which the scenario says that it crashes the process; its log and its end are awaited.",
        budgets: &[Budget { what: "from the call to the end", limit: CRASH }],
        mutants: &["panics-but-hangs"],
        lasts: MOMENT,
        run: |rig| Box::pin(crash::visible(rig)),
    },
];

async fn leave(rig: &Rig) -> Checked {
    let Attached { host, plugin, .. } = rig.attach(Manners::default()).await?;
    host.answer(Answer::Leave);
    plugin.exits_with(0, GONE).await;
    Ok(())
}

async fn disconnect_idle(rig: &Rig) -> Checked {
    let Attached { host, plugin, .. } = rig.attach(Manners::default()).await?;
    host.stop_listening();
    host.disconnect();
    plugin.exits_with(4, GONE).await;
    Ok(())
}

async fn half_close(rig: &Rig) -> Checked {
    let Attached { host, plugin, .. } = rig.attach(Manners::default()).await?;
    host.stop_listening();
    host.half_close();
    plugin.exits_with(4, GONE).await;
    Ok(())
}

async fn host_killed(rig: &Rig) -> Checked {
    let doomed = rig.attach_to_doomed_host().await?;
    doomed.kill_host();
    doomed.plugin.exits_with(4, GONE).await;
    let left: Vec<String> = rig.left_behind().await.into_iter().map(|relative| relative.command).collect();
    let observed =
        if left.is_empty() { "none is left".to_owned() } else { format!("left is `{}`", left.join("`, `")) };
    doomed.plugin.saw("no process of the plugin outlives it", left.is_empty(), observed);
    Ok(())
}

async fn no_redial(rig: &Rig) -> Checked {
    let Attached { host, plugin, .. } = rig.attach(Manners::default()).await?;
    let before = host.connections().len();
    host.disconnect();
    rig.sleep(LISTENING).await;
    let again = host.connections().len() - before;
    plugin.saw("nobody connects after the link was lost", again == 0, format!("{again} connections came"));
    Ok(())
}

async fn terminate_signal(rig: &Rig) -> Checked {
    let Attached { plugin, .. } = rig.attach(Manners::default()).await?;
    plugin.signal(Signal::TERM);
    plugin.exits_with(4, GONE).await;
    Ok(())
}
