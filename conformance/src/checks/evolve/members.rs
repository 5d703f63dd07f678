//! Members of unions and enumerations that a plugin does not know.

use crate::check::{Checked, Stop};
use crate::components::Kind;
use crate::rig::{Answer, Manners, Rig};
use crate::stage::{Actor, Cast, Ending, HookAnswer, Offer, Opened, Outcome, Services, Stage};
use crate::talk::Wish;

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
    Kind::Command,
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
    Tunnel,
}

impl Place {
    /// Where a component may meet it.
    fn of(actor: &Actor) -> Vec<Self> {
        let mut places = match actor.kind {
            Kind::Builder => {
                vec![Self::Hook, Self::Severity, Self::Command, Self::Transfer, Self::Tunnel]
            }
            Kind::Provisioner | Kind::Hook => vec![Self::Command, Self::Transfer, Self::Tunnel],
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
            Self::Tunnel => stage.foreign_tunnels.set(true),
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
            Self::Tunnel => count("Tunnel.run"),
        }
    }

    fn promise(self) -> &'static str {
        match self {
            Self::Hook => "fails when its hook ends in a way that it does not know",
            Self::Severity => "fails when its hook fails with a severity that it does not know",
            Self::Command => "fails when a command ends in a way that it does not know",
            Self::Transfer => "fails when what it sends or fetches ends in a way that it does not know",
            Self::Question => "fails when its question is answered in a way that it does not know",
            Self::Tunnel => "fails when a tunnel ends in a way that it does not know",
        }
    }
}

/// Runs are told what says nothing, and so are communicators of what they send.
pub(super) async fn unknown_variant(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, TOLD).await?;
    for actor in &cast.actors {
        // Who fails anyway shows nothing by failing.
        cast.runs_well(rig, actor, &actor.stage(rig)?).await?;
        let mut tried = refused_services(rig, &cast, actor).await?;
        for place in Place::of(actor) {
            tried |= run_told(rig, &cast, actor, place).await?;
        }
        tried |= match actor.kind {
            Kind::Builder => unknown_wish(rig, &cast, actor).await?,
            Kind::Command => unknown_components(rig, &cast, actor).await?,
            _ => false,
        };
        if actor.kind == Kind::Communicator {
            outputs(rig, &cast, actor).await?;
        } else if !tried {
            cast.lacks(actor, "run that is told anything of this kind");
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

/// The services that were given in a run, or asked for.
const SERVICES: &[&str] = &[
    "Environment.communicator",
    "Environment.cache",
    "Environment.remember",
    "Environment.tempDir",
    "Environment.port",
    "Environment.serve",
    "Environment.keyPair",
];

/// One run that is given no service, with a reason that nobody knows; answers whether it cannot go on without them.
async fn refused_services(rig: &Rig, cast: &Cast, actor: &Actor) -> Result<bool, Stop> {
    let run = async |services| {
        let stage = actor.stage(rig)?;
        stage.services.set(services);
        let outcome = actor.runs(rig, &cast.session, &stage).await?.outcome;
        let asked = SERVICES.iter().any(|name| stage.diary.count(name) > 0);
        Ok::<_, Stop>((asked, outcome))
    };
    // Who can do without them may do so here, too.
    let (asked, outcome) = run(Services::Refused).await?;
    if !asked || !outcome.is_failure() {
        return Ok(false);
    }
    let (asked, outcome) = run(Services::ForeignSeverity).await?;
    if asked {
        let promise = "fails when it is refused a service with a severity that it does not know";
        cast.saw(actor, promise, outcome.is_failure(), outcome.told());
    }
    Ok(asked)
}

/// A build that fails where nobody knows what becomes of the half-made; answers whether it came to that.
async fn unknown_wish(rig: &Rig, cast: &Cast, actor: &Actor) -> Result<bool, Stop> {
    let Offer::Prepares(preparer) = &actor.offer else { return Ok(false) };
    let stage = actor.stage(rig)?;
    stage.provisioning.set(HookAnswer::Failed);
    let config = stage.filled(&actor.good());
    let answer = preparer.prepare_by(rig, &config, stage.setting(), Wish::Unknown).await;
    let Some(object) = answer.given().and_then(|prepared| prepared.object.clone()) else {
        let promise = "refuses an `onError` that it does not know, or takes it for `cleanup`";
        cast.saw(actor, promise, answer.refuses(), answer.told());
        return Ok(true);
    };
    let running = object.start(rig, &stage).map_err(|error| Stop::rig("a run cannot begin", error))?;
    let outcome = actor.ends(rig, &cast.session, &running).await?.outcome;
    if stage.diary.count("Hook.run") == 0 {
        return Ok(false);
    }
    let promise = "fails with its provisioning by an `onError` that it does not know";
    cast.saw(actor, promise, outcome.is_failure(), outcome.told());
    let promise = "leaves nothing when it fails by an `onError` that it does not know";
    cast.leaves_nothing(actor, &stage, promise);
    Ok(true)
}

/// A command that asks what components there are; answers whether it did.
async fn unknown_components(rig: &Rig, cast: &Cast, actor: &Actor) -> Result<bool, Stop> {
    let stage = actor.stage(rig)?;
    stage.foreign_components.set(true);
    let outcome = actor.runs(rig, &cast.session, &stage).await?.outcome;
    let asked = stage.diary.count("Components.list") + stage.diary.count("Components.find") > 0;
    if asked {
        let promise = "ends with a status where a component is of a kind that it does not know";
        cast.saw(actor, promise, matches!(outcome, Outcome::Status(_)), outcome.told());
    }
    Ok(asked)
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
