//! The plugin's life, from its start to its exit code.
use std::process::ExitCode;

use tokio::task::LocalSet;

use crate::{
    dialect::Null, ending::Ending, fault::Fault, green, launch::Launch, log, manner::Manner, session,
    signals::Signals, stray,
};

/// Lives the whole life of a plugin.
pub(crate) fn play(manner: Manner, arguments: &[String]) -> ExitCode {
    if manner == Manner::Null(Null::Exits) {
        return ExitCode::SUCCESS;
    }
    live(manner, arguments).unwrap_or_else(|ending| ending).report(manner)
}

fn live(manner: Manner, arguments: &[String]) -> Result<Ending, Ending> {
    if manner.commits(Fault::LogsEnvironment) {
        std::env::vars_os().for_each(|(name, value)| log::line(manner, &format!("{name:?}={value:?}")));
    }
    if manner.commits(Fault::NeedsArgvStart) && !arguments.iter().any(|argument| argument == "start") {
        return Err(Ending::Picky("the argument `start` is missing".to_owned()));
    }
    let launch = Launch::from_environment(manner)?;
    let strays = stray::before_dialling(manner)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ending = runtime.block_on(LocalSet::new().run_until(attend(&launch, manner)));
    drop(strays);
    ending
}

/// Attends the host until there is a reason to end.
async fn attend(launch: &Launch, manner: Manner) -> Result<Ending, Ending> {
    let mut signals = Signals::install(manner)?;
    tokio::select! {
        ending = session::attend(launch, manner) => Ok(ending),
        () = terminated(&mut signals, manner) => Ok(Ending::Terminated),
    }
}

/// Answers when SIGTERM has come and what runs have made is gone, while these are there to be cleaned up.
async fn terminated(signals: &mut Signals, manner: Manner) {
    signals.terminated(manner).await;
    if manner.commits(Fault::SigtermAwaitsRuns) {
        green::all_builds_are_over().await;
    }
    green::clean_up(manner.commits(Fault::TerminateLeaks));
}
