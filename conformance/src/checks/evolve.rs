//! Evolution.

mod members;

use std::time::{Duration, Instant};

use super::prepare::schema_of;
use crate::check::{Budget, Check, Checked, Class, Level, Stop};
use crate::raw::{Fares, Frame, Session};
use crate::rig::{Manners, Rig};
use crate::talk::preparers;
use crate::talk::shape::Shape;

const MOMENT: Duration = Duration::from_millis(100);
/// How soon a capability is released that nobody uses.
const RELEASE: Duration = Duration::from_secs(5);
/// How soon a plugin exits whose session is over.
const ENDS: Duration = Duration::from_secs(5);
/// The id of the first capability that no plugin knows.
const UNKNOWN: u32 = 77;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "evolve.extra-fields",
        level: Level::Must,
        class: Class::Declared,
        title: "ignores what later versions add",
        why: "Structs only ever grow; who knows less reads less.",
        seen: "The parameters of prepare and their context get data and pointers behind the known ones.",
        budgets: &[],
        mutants: &["rejects-extra-fields"],
        lasts: MOMENT,
        run: |rig| Box::pin(shaped(rig, &[Shape::Larger])),
    },
    Check {
        id: "evolve.shorter-structs",
        level: Level::Must,
        class: Class::Declared,
        title: "takes what is missing for its default",
        why: "An older peer does not know the later fields and sends shorter structs.",
        seen: "prepare is called with an empty context, with none, and without any parameters.",
        budgets: &[],
        mutants: &["panics-on-short-struct"],
        lasts: MOMENT,
        run: |rig| Box::pin(shaped(rig, &[Shape::Shorter, Shape::Missing, Shape::Nothing])),
    },
    Check {
        id: "evolve.unknown-end",
        level: Level::Must,
        class: Class::Any,
        title: "takes an unknown end of the session for a lost one",
        why: "A later host may end sessions in ways that an older plugin cannot know; it did not say that all is well.",
        seen: "`attach` is answered with a member that nobody knows, and with `unset`.",
        budgets: &[Budget { what: "from the answer to the exit", limit: ENDS }],
        mutants: &["leaves-at-unknown-end"],
        lasts: MOMENT,
        run: |rig| Box::pin(members::unknown_end(rig)),
    },
    Check {
        id: "evolve.unknown-variant",
        level: Level::Must,
        class: Class::Scenario,
        title: "takes no unknown answer for a good one",
        why: "What a plugin does not know may be the worst of news; the default of its language is the best.",
        seen: "Runs in which the hook, every command, every transfer, every tunnel or every question end in a way that nobody knows, or the hook fails, or every service is refused, with such a severity; builds that fail by such an `onError`; commands that find components of such a kind; communicators are told so of what they send.",
        budgets: &[],
        mutants: &[
            "unknown-variant-as-default",
            "unknown-severity-as-warning",
            "unknown-end-as-default",
            "unknown-end-of-output-as-default",
            "unknown-reply-as-answer",
            "unknown-end-of-tunnel-as-default",
            "unknown-refusal-as-grant",
            "unknown-wish-as-abort",
            "throws-at-unknown-kind",
        ],
        lasts: Duration::from_millis(300),
        run: |rig| Box::pin(members::unknown_variant(rig)),
    },
    Check {
        id: "evolve.unknown-capabilities",
        level: Level::Should,
        class: Class::Library,
        title: "releases capabilities that it does not know",
        why: "A later host lends more; what nobody uses and nobody releases is kept until the session ends.",
        seen: "prepare is called with a capability that its parameters do not mention, and its release is awaited.",
        budgets: &[Budget { what: "from the answer to the release", limit: RELEASE }],
        mutants: &["leaks-unknown-caps"],
        lasts: MOMENT,
        run: |rig| Box::pin(unknown_capabilities(rig)),
    },
];

async fn unknown_capabilities(rig: &Rig) -> Checked {
    let session = Session::begin(rig).await?;
    if session.parts.is_empty() {
        return Err(Stop::NotApplicable("hooks and commands have no prepare".to_owned()));
    }
    for (export, part) in (UNKNOWN..).zip(&session.parts) {
        let title = &part.preparer.title;
        let question = session.question();
        session.link.write(&session.prepare_lending(question, part, export)).await;
        let fares = session.fared(question).await;
        session.plugin.saw(format!("the {title} answers"), fares == Fares::On, fares.to_string());
        let began = Instant::now();
        let released = |frame: &Frame| frame.releases(export, question).then_some(());
        let released = session.link.hears(rig.stretch(RELEASE), released).await.is_some();
        let observed = if released { "it was" } else { "it was not" };
        let expected = format!("the capability that the {title} does not know is released");
        if !session.plugin.saw_in(expected, released, observed, RELEASE, began.elapsed()) {
            break;
        }
    }
    Ok(())
}

async fn shaped(rig: &Rig, shapes: &[Shape]) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    for component in preparers(&session)? {
        let good = schema_of(&component).bases().into_iter().next().map(serde_json::Value::Object);
        let good = good.unwrap_or_default().to_string();
        let usual = component.prepare(rig, good.as_bytes()).await;
        for shape in shapes {
            let answer = component.prepare_shaped(rig, &good, *shape).await;
            let what = match shape {
                Shape::Larger => "structs larger than it knows",
                Shape::Shorter => "an empty context",
                Shape::Missing => "no context",
                Shape::Nothing => "no parameters",
            };
            // What a default means to a component is its own business; that it answers is not.
            let alike =
                answer.given().is_some() && (*shape != Shape::Larger || answer.essence() == usual.essence());
            let observed = session.plugin.end_or(answer.given().is_some(), answer.told()).await;
            session.plugin.saw(format!("the {} answers {what}", component.title), alike, observed);
        }
    }
    Ok(())
}
