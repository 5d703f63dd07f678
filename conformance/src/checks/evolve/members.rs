//! Members of unions and enumerations that a plugin does not know.

use crate::check::{Checked, Stop};
use crate::components::Kind;
use crate::rig::{Answer, Manners, Rig};
use crate::stage::{Actor, Cast, Ending, HookAnswer, Opened, Outcome, Stage};

use super::ENDS;

/// `attach` is answered with what says nothing.
pub(super) async fn unknown_end(rig: &Rig) -> Checked {
    let answers = [("a member that it does not know", Answer::Foreign), ("`unset`", Answer::Unset)];
    for (what, answer) in answers {
        let session = rig.attach(Manners::default()).await?;
        session.host.answer(answer);
        session.plugin.exits_as(&format!("answered with {what}, it "), 4, ENDS).await;
    }
    Ok(())
}

/// The kinds that are told how something ended.
const TOLD: &[Kind] = &[
    Kind::Builder,
    Kind::Provisioner,
    Kind::PostProcessor,
    Kind::DataSource,
    Kind::Hook,
    Kind::Communicator,
];

/// What is told in a run in a way that nobody knows.
#[derive(Clone, Copy)]
enum Place {
    Hook,
    Severity,
    Command,
    Transfer,
    Question,
}

impl Place {
    /// Where a component may meet it.
    fn of(actor: &Actor) -> Vec<Self> {
        let mut places = match actor.kind {
            Kind::Builder => vec![Self::Hook, Self::Severity, Self::Command, Self::Transfer],
            Kind::Provisioner | Kind::Hook => vec![Self::Command, Self::Transfer],
            _ => Vec::new(),
        };
        places.extend(actor.part.asks.as_ref().map(|_| Self::Question));
        places
    }

    fn arrange(self, stage: &Stage) {
        match self {
            Self::Hook => stage.provisioning.set(HookAnswer::Foreign),
            Self::Severity => stage.provisioning.set(HookAnswer::ForeignSeverity),
            Self::Command => stage.ending.set(Ending::Foreign),
            Self::Transfer => stage.foreign_transfers.set(true),
            Self::Question => stage.foreign_replies.set(true),
        }
    }

    /// How often it was told.
    fn told(self, stage: &Stage) -> usize {
        let count = |name| stage.diary.count(name);
        match self {
            Self::Hook | Self::Severity => count("Hook.run"),
            Self::Command => count("RemoteProcess.run"),
            Self::Transfer => {
                let downloads = count("Communicator.download") + count("Communicator.downloadTree");
                count("ByteStream.end") + downloads
            }
            Self::Question => count("Ui.ask"),
        }
    }

    fn promise(self) -> &'static str {
        match self {
            Self::Hook => "fails when its hook ends in a way that it does not know",
            Self::Severity => "fails when its hook fails with a severity that it does not know",
            Self::Command => "fails when a command ends in a way that it does not know",
            Self::Transfer => "fails when what it sends or fetches ends in a way that it does not know",
            Self::Question => "fails when its question is answered in a way that it does not know",
        }
    }
}

/// Runs are told what says nothing, and so are communicators of what they send.
pub(super) async fn unknown_variant(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, TOLD).await?;
    for actor in &cast.actors {
        let mut tried = false;
        for place in Place::of(actor) {
            tried |= run_told(rig, &cast, actor, place).await?;
        }
        if actor.kind == Kind::Communicator {
            outputs(rig, &cast, actor).await?;
        } else if !tried {
            cast.lacks(actor, "run with a hook, a command, a transfer or a question");
        }
    }
    cast.over()
}

/// One run; answers whether it came to the place.
async fn run_told(rig: &Rig, cast: &Cast, actor: &Actor, place: Place) -> Result<bool, Stop> {
    let stage = actor.stage(rig)?;
    place.arrange(&stage);
    let asks = actor.part.asks.clone().filter(|_| matches!(place, Place::Question));
    let running = actor.start(rig, &cast.session, &stage, &asks.unwrap_or_else(|| actor.good())).await?;
    let outcome = actor.ends(rig, &cast.session, &running).await?.outcome;
    let told = place.told(&stage) > 0;
    if told {
        cast.saw(actor, place.promise(), outcome.is_failure(), outcome.told());
    }
    Ok(told)
}

/// What a machine of the plugin's sends ends in a way that nobody knows.
async fn outputs(rig: &Rig, cast: &Cast, actor: &Actor) -> Checked {
    let Some(opened) = Opened::open(rig, cast, actor).await? else { return Ok(()) };
    let stage = actor.stage(rig)?;
    stage.foreign_transfers.set(true);
    let exit = match opened.start(rig, &stage, "echo packwire", false).await {
        Ok(command) => actor.ends(rig, &cast.session, &command.running).await?.outcome,
        Err(error) => Outcome::Threw(error.extra),
    };
    let failed = matches!(exit, Outcome::Failed(_)) && exit.is_failure();
    cast.saw(actor, "fails a command whose output ends in a way that it does not know", failed, exit.told());
    let download = async |directory: &str| {
        let path = format!("{directory}/file");
        opened.run(rig, actor, &format!("echo packwire > {path}"), None).await?;
        let stage = actor.stage(rig)?;
        stage.foreign_transfers.set(true);
        let came = opened.download(&stage, &path).await;
        let outcome = came.map_or_else(|error| Outcome::Threw(error.extra), |(outcome, _)| outcome);
        let promise = "fails a download whose content ends in a way that it does not know";
        cast.saw(actor, promise, outcome.is_failure(), outcome.told());
        Ok(())
    };
    opened.in_directory(rig, cast, actor, download).await
}
