//! Generated data: what a builder tells provisioners, and after them everybody else.

use serde_json::Value;

use super::{BUILDER, MOMENT, PROVISION};
use crate::check::{Check, Checked, Class, Level};
use crate::rig::Rig;
use crate::stage::{Cast, Stage};
use crate::talk::diagnostic::shortened;

pub(super) const DATA: Check = Check {
    id: "builder.generated-data",
    level: Level::Must,
    class: Class::Scenario,
    title: "keeps to the data that it gave its hook",
    why: "A post-processor asks for the same keys as a provisioner, and means the same machine.",
    seen: "The data of the hook's call and those of the outcome are compared, member by member.",
    budgets: &[],
    mutants: &["forgets-generated-data", "generated-data-changes"],
    lasts: MOMENT,
    run: |rig| Box::pin(generated_data(rig)),
};

async fn generated_data(rig: &Rig) -> Checked {
    let cast = Cast::assemble(rig, BUILDER).await?;
    for actor in &cast.actors {
        let stage = actor.stage(rig)?;
        let ended = cast.runs_well(rig, actor, &stage).await?;
        let given = given(&stage).and_then(|given| serde_json::from_str(&given).ok());
        let Some(Value::Object(given)) = given.filter(|_| ended.outcome.artifact().is_some()) else {
            cast.lacks(actor, "run that yields an artifact and has generated data");
            continue;
        };
        let answered: Value = serde_json::from_str(&ended.generated).unwrap_or_default();
        for (key, value) in &given {
            let told = answered.get(key);
            let held = is_blank(value) || told.is_some_and(|told| is_completed(value, told));
            let observed = told.map_or_else(|| "it is missing".to_owned(), Value::to_string);
            let promise = format!(
                "has in its outcome the `{key}` that it gave its hook, {}",
                shortened(&value.to_string())
            );
            cast.saw(actor, &promise, held, shortened(&observed));
        }
    }
    cast.over()
}

/// What the hook got with the provisioning; other events may come with other data.
fn given(stage: &Stage) -> Option<String> {
    let mut acts = stage.diary.acts().into_iter();
    acts.find(|act| act.name == "Hook.run" && act.text == PROVISION)?;
    acts.find(|act| act.name == "Hook.data").map(|act| act.text)
}

/// Whether something is to be filled in later.
fn is_blank(value: &Value) -> bool {
    value.is_null() || value == ""
}

/// Whether all of a value is in another one.
fn is_completed(value: &Value, other: &Value) -> bool {
    match (value, other) {
        (Value::Object(members), Value::Object(others)) => members.iter().all(|(key, member)| {
            is_blank(member) || others.get(key).is_some_and(|other| is_completed(member, other))
        }),
        // The same number may be written in two ways.
        (Value::Number(number), Value::Number(other)) => number == other || number.as_f64() == other.as_f64(),
        _ => value == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_may_be_completed_and_not_changed() {
        let given = json!({"ID": "a", "Port": 22, "Digest": "", "Disk": {"size": 1, "name": null}});
        let completed = json!({"ID": "a", "Port": 22.0, "Digest": "sha256:0", "Disk": {"size": 1, "name": "b"}, "More": 1});
        assert!(is_completed(&given, &completed));
        for changed in
            [json!({"ID": "b"}), json!({"Port": 23}), json!({"Disk": {"size": 2}}), json!({"Disk": null})]
        {
            let mut other = completed.clone();
            other.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
            assert!(!is_completed(&given, &other), "{changed}");
        }
        assert!(!is_completed(&given, &json!({"ID": "a"})));
        assert!(!is_completed(&json!([1, 2]), &json!([1, 2, 3])));
    }
}
