//! Evolution.

use std::time::Duration;

use super::prepare::schema_of;
use crate::check::{Check, Checked, Class, Level};
use crate::rig::{Manners, Rig};
use crate::talk::preparers;
use crate::talk::shape::Shape;

const MOMENT: Duration = Duration::from_millis(100);

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
        seen: "prepare is called with an empty context, and with none.",
        budgets: &[],
        mutants: &["panics-on-short-struct"],
        lasts: MOMENT,
        run: |rig| Box::pin(shaped(rig, &[Shape::Shorter, Shape::Missing])),
    },
];

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
            };
            // What a default means to a component is its own business; that it answers is not.
            let alike =
                answer.given().is_some() && (*shape != Shape::Larger || answer.essence() == usual.essence());
            let end = session.plugin.ended().map(|end| format!("it {end}"));
            let expected = format!("the {} answers {what}", component.title);
            session.plugin.saw(expected, alike, end.unwrap_or_else(|| answer.told()));
        }
    }
    Ok(())
}
