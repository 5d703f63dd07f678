//! A log that nobody reads, and a terminal that nobody sits at.

use std::time::Duration;

use crate::check::{Checked, Stop};
use crate::rig::{Answer, Attached, Manners, Rig, Stderr, Terminal};
use crate::talk::prepare::timed;
use crate::talk::{self, Preparer, preparers};

/// How much longer an answer may take than with a log that is read.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// How long a question may take to appear.
const MOMENT: Duration = Duration::from_millis(200);
/// A configuration that every component has an opinion of.
const CONFIG: &[u8] = b"{}";

pub(super) async fn blocked(rig: &Rig) -> Checked {
    let host = rig.listen(Manners::default())?;
    let launch = host.launch().stderr(Stderr::Unread);
    let session = rig.launch_for(&host, &launch)?.attached().await?;
    let components = preparers(&session)?;
    let (_, usual) = timed(all_prepare(rig, &components)).await;
    session.plugin.fill_stderr().map_err(|error| Stop::rig("a pipe cannot be filled", error))?;
    for component in &components {
        let limit = ANSWER + usual;
        let asked = tokio::time::timeout(rig.stretch(limit), component.prepare(rig, CONFIG));
        let (answer, took) = timed(asked).await;
        let answered = answer.as_ref().is_ok_and(|answer| answer.given().is_some());
        let observed = answer.map_or_else(|_| "no answer came".to_owned(), |answer| answer.told());
        let expected = format!("the {} answers although nobody reads the log", component.title);
        session.plugin.saw_in(expected, answered, observed, limit, took);
    }
    Ok(())
}

async fn all_prepare(rig: &Rig, components: &[Preparer]) {
    for component in components {
        component.prepare(rig, CONFIG).await;
    }
}

pub(super) async fn closed(rig: &Rig) -> Checked {
    let host = rig.listen(Manners::default())?;
    let launch = host.launch().stderr(Stderr::Closed);
    let trial = rig.launch_for(&host, &launch)?;
    let Some(session) = trial.attaches("attaches although nobody can read its log").await else {
        return Ok(());
    };
    for component in preparers(&session).unwrap_or_default() {
        let answer = component.prepare(rig, CONFIG).await;
        let expected = format!("the {} answers although nobody can read the log", component.title);
        session.plugin.saw(expected, answer.given().is_some(), answer.told());
    }
    host.answer(Answer::Leave);
    session.plugin.exits_as("although nobody can read its log it ", 0, super::LIFE).await;
    Ok(())
}

pub(super) async fn no_terminal(rig: &Rig) -> Checked {
    let terminal = Terminal::open().map_err(|error| Stop::rig("there is no terminal", error))?;
    let host = rig.listen(Manners::default())?;
    let trial = rig.launch_for(&host, &host.launch().terminal(terminal.path()))?;
    if let Some(session) = trial.attaches("attaches although its session has a terminal").await {
        ask(rig, &session).await;
    }
    rig.sleep(MOMENT).await;
    let open = trial.plugin.terminals();
    let observed = if open.is_empty() { "none is".to_owned() } else { open.join(", ") };
    trial.plugin.saw("no terminal is open", open.is_empty(), observed);
    let printed = terminal.printed();
    let observed = format!("{} bytes: {}", printed.len(), super::excerpt(&printed));
    trial.plugin.saw("nothing is printed on the terminal of its session", printed.is_empty(), observed);
    Ok(())
}

/// Gives every component a reason to ask for something.
async fn ask(rig: &Rig, session: &Attached) {
    for component in preparers(session).unwrap_or_default() {
        let answer = tokio::time::timeout(rig.stretch(ANSWER), component.prepare(rig, CONFIG)).await;
        // Whether it answers is another check's business.
        drop(answer.map(|answer: talk::Answer| answer));
    }
}
