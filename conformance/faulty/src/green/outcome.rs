//! What all kinds have in common: a run happens once, says its lines, and minds its cancellation.
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use packwire_schema::{
    ui_capnp::{reply, ui},
    work_capnp::{cancellation, diagnostic, outcome},
};
use tokio::sync::Notify;

use super::{
    Green,
    config::{Config, Problem},
    crash,
};
use crate::{dialect::Dialect, fault::Fault, helper, helper::Helper, hurt::Hurt, log, manner::Manner};

/// How a piece of work ended.
pub(crate) enum Ended {
    Done,
    Failed(Problem),
    Cancelled,
}

impl Ended {
    /// Turns what broke under the work into its failure: an outcome is data, never an exception.
    fn of(result: Result<Self, capnp::Error>) -> Self {
        result.unwrap_or_else(|error| Self::Failed(Problem::at("", &error.extra)))
    }
}

/// Whether an object may run: once.
#[derive(Default)]
pub(crate) struct Once(Cell<bool>);

impl Once {
    /// Spends the one run.
    pub(crate) fn spend(&self, green: Green) -> Result<(), Problem> {
        let spent = match green.manner.fault() {
            Some(Fault::DoubleRunAtOnce) => self.0.get(),
            fault => self.0.replace(true) && fault != Some(Fault::DoubleRun),
        };
        if spent { Err(Problem::at("", "this object has run already")) } else { Ok(()) }
    }
}

/// Fills in all problems.
pub(crate) fn write<'a>(
    problems: &[Problem],
    init: impl FnOnce(u32) -> capnp::struct_list::Builder<'a, diagnostic::Owned>,
) {
    let mut diagnostics = init(u32::try_from(problems.len()).unwrap_or(u32::MAX));
    for (at, problem) in (0..).zip(problems) {
        problem.write(diagnostics.reborrow().get(at));
    }
}

/// Fills in an outcome that has nothing to show.
pub(crate) fn record(green: Green, ended: &Ended, mut outcome: outcome::Builder<'_>) {
    match (ended, green.manner.fault()) {
        (_, Some(Fault::ForgottenOutcome)) => {}
        (Ended::Failed(_), Some(Fault::EmptyFailure)) => drop(outcome.init_failed(0)),
        (Ended::Done, _) => outcome.set_done(()),
        (Ended::Failed(problem), _) => problem.write(outcome.init_failed(1).get(0)),
        (Ended::Cancelled, _) => outcome.set_cancelled(()),
    }
}

/// Logs the last configuration, where that is the fault.
pub(crate) fn dump_last(manner: Manner) {
    if manner.commits(Fault::DumpsConfigAtEnd) {
        log::line(manner, &LAST.take());
    }
}

/// How many lines are said before any answer is awaited, where there is no end of them.
const WAVE: usize = 4000;

thread_local! {
    /// The last configuration, where a fault tells of it at the end.
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
    /// How many runs there were.
    static RUNS: Cell<usize> = const { Cell::new(0) };
    /// What a fault cancels together.
    static ALL: Rc<Notify> = Rc::default();
}

/// The whole of a run: what comes before, the work, and what comes after it.
///
/// # Errors
/// Only a fault throws.
pub(crate) async fn perform(
    green: Green,
    once: &Once,
    stop: Option<cancellation::Client>,
    ui: Option<ui::Client>,
    work: impl Future<Output = Result<Ended, capnp::Error>>,
) -> Result<Ended, capnp::Error> {
    let fault = green.manner.fault();
    if fault == Some(Fault::PanicsOnNullCapability) && ui.is_none() {
        crash("a null Ui");
    }
    if let Err(problem) = once.spend(green) {
        return Ok(Ended::Failed(problem));
    }
    let (Some(stop), Some(ui)) = (stop, ui) else {
        return Ok(Ended::Failed(Problem::at("", "a capability is missing")));
    };
    begin(fault, &stop).await;
    let all = ALL.with(Rc::clone);
    let ended = tokio::select! {
        ended = work => Ended::of(ended),
        () = all.notified(), if fault == Some(Fault::CancelsAll) => Ended::Cancelled,
    };
    once.0.set(true);
    end(fault, &ended, &stop, &ui).await;
    match ended {
        Ended::Failed(problem) if fault == Some(Fault::ExceptionForFailedWork) => {
            Err(capnp::Error::failed(format!("{problem:?}")))
        }
        ended => Ok(ended),
    }
}

/// What faults do before the work.
async fn begin(fault: Option<Fault>, stop: &cancellation::Client) {
    match fault {
        Some(Fault::CancelBeforeRunHangs) => {
            let cancelled = tokio::time::timeout(Duration::from_millis(50), cancelled(None, stop)).await;
            if cancelled.is_ok() {
                std::future::pending::<()>().await;
            }
        }
        Some(Fault::RevokedKillsGroup) => end_when_revoked(stop.clone()),
        Some(Fault::ZombieChild) => helper::leave_dead(),
        Some(Fault::BackgroundChild) => drop(Helper::start().map(std::mem::forget)),
        Some(Fault::Daemonises) => helper::leave_behind(),
        Some(Fault::TempLeftBehind) => {
            drop(std::fs::write(std::env::temp_dir().join("green.tmp"), "temporary"));
        }
        _ => {}
    }
}

/// What faults do after it.
async fn end(fault: Option<Fault>, ended: &Ended, stop: &cancellation::Client, ui: &ui::Client) {
    match (fault, ended) {
        (Some(Fault::CancelsAll), Ended::Cancelled) => ALL.with(|all| all.notify_waiters()),
        (Some(Fault::RunWaitsForCancelToEnd), _) => cancelled(None, stop).await,
        (Some(Fault::KeepsUi), _) => say_later(ui.clone()),
        (Some(Fault::OutcomeOvertakesOutput), _) => {
            let mut request = ui.say_request();
            request.get().set_text("this comes too late");
            std::mem::forget(request.send().promise);
        }
        _ => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "this plugin's only thread is its RPC thread")]
fn end_when_revoked(stop: cancellation::Client) {
    drop(tokio::task::spawn_local(async move {
        if stop.wait_request().send().promise.await.is_err() {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
        }
    }));
}

#[expect(clippy::disallowed_methods, reason = "this plugin's only thread is its RPC thread")]
fn say_later(ui: ui::Client) {
    drop(tokio::task::spawn_local(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut request = ui.say_request();
        request.get().set_text("one more thing");
        drop(request.send().promise.await);
    }));
}

/// Says the lines, one after another, and does what else needs only a Ui.
///
/// # Errors
/// The Ui's.
pub(crate) async fn say(
    green: Green,
    config: &Config,
    ui: &ui::Client,
    stop: &cancellation::Client,
) -> Result<Ended, capnp::Error> {
    tokio::select! {
        biased;
        () = cancelled(green.manner.fault(), stop) => Ok(Ended::Cancelled),
        said = say_all(green, config, ui) => said,
    }
}

async fn say_all(green: Green, config: &Config, ui: &ui::Client) -> Result<Ended, capnp::Error> {
    let fault = green.manner.fault();
    if fault == Some(Fault::DumpsConfig) {
        log::line(green.manner, &format!("{config:?}"));
    }
    if fault == Some(Fault::DumpsConfigAtEnd) {
        LAST.set(format!("{config:?}"));
    }
    let _child = if config.child { Some(Helper::start_as(fault)?) } else { None };
    if config.child {
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let number = config.number.map(|number| written(fault, number));
    let mut lines: Vec<&String> =
        (0..config.repeat.unwrap_or(1)).flat_map(|_| &config.lines).chain(&number).collect();
    match fault {
        Some(Fault::ParallelSay) => lines.reverse(),
        Some(Fault::LosesALine) => drop(lines.pop()),
        _ => {}
    }
    let more = format!("{} runs before this one", RUNS.replace(RUNS.get() + 1));
    if green.manner.speaks(Dialect::MoreEachTime) {
        lines.extend(std::iter::repeat_n(&more, RUNS.get() % 7));
    }
    if green.manner.hurts(Hurt::Lines) {
        say_without_end(ui).await?;
    }
    let mut waiting = Vec::new();
    for line in lines {
        let mut request = ui.say_request();
        request.get().set_text(line);
        match fault {
            Some(Fault::UnboundedSay) => waiting.push(request.send().promise),
            Some(Fault::IgnoresSayErrors) => {
                if request.send().promise.await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            _ => drop(request.send().promise.await?),
        }
    }
    for said in waiting {
        drop(said.await?);
    }
    show(fault, config, ui).await?;
    if config.ask && !ask(fault, ui).await? {
        return Ok(Ended::Failed(Problem::at("", "nobody answered the question")));
    }
    if config.fail {
        return Ok(Ended::Failed(Problem::at("", "it was told to fail")));
    }
    if config.bug {
        return bug(fault);
    }
    if config.crash {
        log::line(green.manner, "a bug that nobody catches");
        match fault {
            Some(Fault::PanicsButHangs) => std::future::pending::<()>().await,
            _ => std::process::abort(),
        }
    }
    if config.wait {
        std::future::pending::<()>().await;
    }
    Ok(Ended::Done)
}

/// Ten million lines.
async fn say_without_end(ui: &ui::Client) -> Result<(), capnp::Error> {
    for _ in 0..10_000_000 / WAVE {
        let wave = (0..WAVE).map(|_| {
            let mut request = ui.say_request();
            request.get().set_text("more and more");
            request.send().promise
        });
        futures::future::try_join_all(wave.collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Shows that all lines were said.
async fn show(fault: Option<Fault>, config: &Config, ui: &ui::Client) -> Result<(), capnp::Error> {
    let total = config.lines.iter().map(String::len).sum::<usize>().try_into().unwrap_or_default();
    let mut request = ui.progress_request();
    request.get().set_label("lines");
    request.get().set_total(total);
    let progress = request.send().promise.await?.get()?.get_progress()?;
    let mut request = progress.update_request();
    request.get().set_done(if fault == Some(Fault::ProgressPastTotal) { total + 1 } else { total });
    request.send().promise.await?;
    if fault == Some(Fault::ProgressGoesBack) {
        progress.update_request().send().promise.await?;
    }
    if fault != Some(Fault::ProgressLeftOpen) {
        progress.finish_request().send().promise.await?;
    }
    Ok(())
}

/// A number as it is said.
fn written(fault: Option<Fault>, number: i64) -> String {
    let digits = number.to_string();
    match digits.parse::<f64>() {
        Ok(float) if fault == Some(Fault::FloatEverything) => format!("{float:e}"),
        _ => digits,
    }
}

/// A bug is thrown, and only the call fails.
fn bug(fault: Option<Fault>) -> Result<Ended, capnp::Error> {
    match fault {
        Some(Fault::PanicEndsSession) => crash("a bug"),
        _ => Err(capnp::Error::failed("a bug: the list is empty".to_owned())),
    }
}

/// Whether there was an answer.
pub(super) async fn ask(fault: Option<Fault>, ui: &ui::Client) -> Result<bool, capnp::Error> {
    loop {
        let mut request = ui.ask_request();
        request.get().set_query("Shall it be?");
        let answer = request.send().promise.await?;
        let refused = match answer.get()?.get_reply()?.which() {
            Ok(reply::Answer(_)) => false,
            Err(_) => fault != Some(Fault::UnknownReplyAsAnswer),
            Ok(_) => true,
        };
        match fault {
            Some(Fault::AskLoops) if refused => tokio::time::sleep(Duration::from_millis(5)).await,
            _ => return Ok(!refused),
        }
    }
}

/// Returns when the lender wants the work to stop. A wait that fails means nothing.
pub(crate) async fn cancelled(fault: Option<Fault>, stop: &cancellation::Client) {
    let deaf = fault == Some(Fault::CancelIgnored);
    if deaf || stop.wait_request().send().promise.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The cancellation that is passed on: the lender's, except where that is the fault.
pub(crate) fn passed_on(fault: Option<Fault>, stop: &cancellation::Client) -> cancellation::Client {
    match fault {
        Some(Fault::CancelIgnored | Fault::CancelDeafInHook) => capnp_rpc::new_client(Deaf),
        _ => stop.clone(),
    }
}

/// A cancellation that never comes.
pub(super) struct Deaf;

impl cancellation::Server for Deaf {
    async fn wait(
        self: Rc<Self>,
        _: cancellation::WaitParams,
        _: cancellation::WaitResults,
    ) -> Result<(), capnp::Error> {
        std::future::pending().await
    }
}
