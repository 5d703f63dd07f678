//! Downloads of what is not there.

use std::rc::Rc;
use std::time::Duration;

use super::{COMMUNICATOR, MOMENT};
use crate::check::{Check, Checked, Class, Level};
use crate::rig::Rig;
use crate::stage::{Act, Actor, Cast, Opened, Outcome, Sink};

/// How long after the answer an abort is looked for that came before it.
const SOON: Duration = Duration::from_millis(500);

pub(super) const ABORT: Check = Check {
    id: "comm.download-abort",
    level: Level::Must,
    class: Class::Scenario,
    title: "aborts a download that fails",
    why: "A stream that ends is a file, and an empty one is a file, too; a stream that is left as it is keeps its receiver waiting.",
    seen: "Files that are not there are downloaded, and a directory where the communicator carries such.",
    budgets: &[],
    mutants: &["download-ends-on-failure", "download-leaves-stream"],
    lasts: MOMENT,
    run: |rig| Box::pin(abort(rig)),
};

/// What is asked for.
#[derive(Clone, Copy)]
enum Wanted {
    File,
    Tree,
}

async fn abort(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, COMMUNICATOR).await?;
    for actor in &cast.actors {
        let Some(opened) = Opened::open(rig, &cast, actor).await? else { continue };
        let fail = async |directory: &str| {
            let make = format!("cd {directory} && : > file && ln -s nowhere link");
            opened.run(rig, actor, &make, None).await?;
            let mut wanted = vec![
                ("a file that is not there", "nowhere", Wanted::File),
                ("a file below another one", "file/below", Wanted::File),
                ("a link that leads to nothing", "link", Wanted::File),
            ];
            if opened.has("tree").await {
                wanted.push(("a directory that is not there", "nowhere", Wanted::Tree));
            }
            for (what, name, wanted) in wanted {
                let path = format!("{directory}/{name}");
                fails(rig, &cast, actor, &opened, what, (&path, wanted)).await?;
            }
            Ok(())
        };
        opened.in_directory(rig, &cast, actor, fail).await?;
    }
    cast.over()
}

async fn fails(
    rig: &Rig,
    cast: &Cast,
    actor: &Actor,
    opened: &Opened,
    what: &str,
    (path, wanted): (&str, Wanted),
) -> Checked {
    let (stage, sink) = (actor.stage(rig)?, Rc::<Sink>::default());
    let answered = async {
        match wanted {
            Wanted::File => opened.download_into(&stage, path, &sink).await,
            Wanted::Tree => opened.download_tree_into(&stage, path, &sink).await,
        }
    };
    let outcome = match tokio::time::timeout(rig.stretch(actor.within()), answered).await {
        Ok(answered) => answered.unwrap_or_else(|error| Outcome::Threw(error.extra)),
        Err(_) => Outcome::Threw("no answer came".to_owned()),
    };
    // Whoever does not wait for the answer to it has sent it nevertheless.
    let aborted = |acts: &[Act]| acts.iter().any(|act| act.name == "ByteStream.abort");
    let aborted = stage.diary.until(rig.stretch(SOON), aborted).await;
    let fate = match (aborted, sink.ends.get() > 0) {
        (true, false) => "aborted",
        (true, true) => "ended and aborted",
        (false, true) => "ended",
        (false, false) => "left as it is",
    };
    let held = matches!(outcome, Outcome::Failed(_)) && fate == "aborted";
    let observed = format!("{}; the stream is {fate}", outcome.told());
    cast.saw(
        actor,
        &format!("answers `failed` to a download of {what}, and aborts its stream"),
        held,
        observed,
    );
    Ok(())
}
