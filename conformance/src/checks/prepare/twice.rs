//! Keys that two readers of one text take for different things: those that are there twice, and in another case.

use serde_json::{Map, Value, json};

use super::schema_of;
use crate::check::{Checked, Stop};
use crate::rig::{Attached, Manners, Rig};
use crate::stage::Stage;
use crate::talk::diagnostic::{shortened, token};
use crate::talk::{Answer, Preparer, Schema, preparers};

/// How many members, and how many objects below the top, of one configuration are tried.
const MEMBERS: usize = 8;
const OBJECTS: usize = 4;
/// Stands for an object while the rest is written.
const MARK: &str = "packwire-conformance-mark";

type Object = Map<String, Value>;

/// Writes keys of configurations that are taken a second time; nothing else is wrong with what comes of it.
pub(super) async fn duplicate_key(rig: &Rig) -> Checked {
    let session = rig.attach(Manners::default()).await?;
    let (mut keyless, mut untaken) = (Vec::new(), Vec::new());
    for component in preparers(&session)? {
        let schema = schema_of(&component);
        let bases = taken(rig, &component, &schema).await?;
        if bases.is_empty() {
            let list = if schema.keys().is_empty() { &mut keyless } else { &mut untaken };
            list.push(component.title.clone());
        }
        let texts: Vec<String> = bases.iter().flat_map(|base| ambiguous(base, &schema)).collect();
        if !texts.is_empty() {
            refuses(rig, &session, &component, &texts).await;
        }
    }
    match (&untaken[..], session.plugin.has_observations()) {
        ([], true) => Ok(()),
        ([], false) => Err(Stop::NotApplicable(format!(
            "the schema of the {} names no key",
            keyless.join(" and that of the ")
        ))),
        (some, _) => Err(Stop::NotExercised(format!(
            "neither an example of its schema nor a scenario has a configuration with a key for the {}",
            some.join(" and the ")
        ))),
    }
}

async fn refuses(rig: &Rig, session: &Attached, component: &Preparer, texts: &[String]) {
    let answers = component.prepare_all(rig, texts.iter().map(String::as_bytes)).await;
    let taken = texts.iter().zip(&answers).filter(|(_, answer)| !answer.refuses());
    let taken = taken.map(|(text, answer)| format!("{}: {}", shortened(text), answer.told())).collect();
    let expected = format!(
        "the {} refuses what it takes otherwise when a key is there twice, or in another case as well",
        component.title
    );
    session.plugin.saw_of_all(expected, texts.len(), taken);
}

/// Configurations with a key that a component takes: what it refuses anyway would prove nothing.
async fn taken(rig: &Rig, component: &Preparer, schema: &Schema) -> Result<Vec<Object>, Stop> {
    let mut candidates = schema.examples();
    let part = rig.scenario().and_then(|scenario| scenario.part(component.kind, &component.name));
    if let Some((part, run)) = part.and_then(|part| Some((part, part.run.as_ref()?))) {
        candidates.extend(Stage::set(rig, part)?.filled(run).as_object().cloned());
    }
    let with_keys = taken_of(rig, component, candidates.clone()).await;
    if !with_keys.is_empty() {
        return Ok(with_keys);
    }
    // Where nothing but an empty object is known, one member is added to it.
    let bases = candidates.into_iter().chain([Object::new()]);
    let guesses = bases.flat_map(|base| guesses(&base, schema)).collect();
    Ok(taken_of(rig, component, guesses).await.into_iter().take(1).collect())
}

async fn taken_of(rig: &Rig, component: &Preparer, mut candidates: Vec<Object>) -> Vec<Object> {
    candidates.retain(|one| !one.is_empty());
    let texts: Vec<String> = candidates.iter().map(|one| json!(one).to_string()).collect();
    let answers = component.prepare_all(rig, texts.iter().map(String::as_bytes)).await;
    let is_taken = |answer: &Answer| answer.given().is_some_and(|it| it.object.is_some());
    candidates.into_iter().zip(answers).filter(|(_, answer)| is_taken(answer)).map(|(one, _)| one).collect()
}

fn guesses(base: &Object, schema: &Schema) -> Vec<Object> {
    let values = [json!("text"), json!(true), json!(7), json!(["text"]), json!({"a": "text"})];
    let with = |key: &String, value: &Value| {
        let mut guess = base.clone();
        guess.insert(key.clone(), value.clone());
        guess
    };
    let keys = schema.keys();
    let all = keys.iter().flat_map(|key| values.iter().map(move |value| with(key, value)));
    all.filter(|guess| schema.accepts(&json!(guess))).collect()
}

/// What has two meanings: one key more than the configuration, and nothing else that is wrong.
fn ambiguous(base: &Object, schema: &Schema) -> Vec<String> {
    twice_in(base).into_iter().chain(in_other_case(base, schema)).collect()
}

/// The same configuration with one key a second time, and with the same value: at the top, spelt with escapes, and in
/// objects below.
fn twice_in(base: &Object) -> Vec<String> {
    let mut texts: Vec<String> =
        base.iter().take(MEMBERS).map(|(key, value)| with(base, &json!(key).to_string(), value)).collect();
    texts.extend(base.iter().next().map(|(key, value)| with(base, &escaped(key), value)));
    let whole = json!(base);
    let mut places = Vec::new();
    objects_below(&whole, "", &mut places);
    texts.extend(places.iter().take(OBJECTS).filter_map(|place| twice_below(&whole, place)));
    texts
}

/// A configuration with a key in capital letters beside the option that is meant.
fn in_other_case(base: &Object, schema: &Schema) -> Option<String> {
    let known = schema.keys();
    let capital = |key: &String| Some(key.to_ascii_uppercase()).filter(|it| !known.contains(it));
    let (capital, value) = base
        .iter()
        .filter(|(key, _)| known.contains(key))
        .find_map(|(key, value)| Some((capital(key)?, value)))?;
    Some(with(base, &json!(capital).to_string(), value))
}

/// An object with one more member, whose key is written as it is given.
fn with(object: &Object, key: &str, value: &Value) -> String {
    let whole = json!(object).to_string();
    let open = whole.strip_suffix('}').unwrap_or(&whole);
    format!("{open},{key}:{value}}}")
}

/// A key as JSON can write it as well: each letter by its number.
fn escaped(key: &str) -> String {
    let letters: String = key.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{letters}\"")
}

fn twice_below(whole: &Value, place: &str) -> Option<String> {
    let mut marked = whole.clone();
    let object = marked.pointer_mut(place).map(|at| std::mem::replace(at, json!(MARK)))?;
    let object = object.as_object()?;
    let (key, value) = object.iter().next()?;
    let doubled = with(object, &json!(key).to_string(), value);
    Some(marked.to_string().replace(&json!(MARK).to_string(), &doubled))
}

fn objects_below(value: &Value, place: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(all) => all.iter().map(|(key, one)| (token(key), one)).collect(),
        Value::Array(all) => all.iter().enumerate().map(|(at, one)| (format!("/{at}"), one)).collect(),
        _ => Vec::new(),
    };
    for (step, one) in members {
        let place = format!("{place}{step}");
        if one.as_object().is_some_and(|object| !object.is_empty()) {
            found.push(place.clone());
        }
        objects_below(one, &place, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(value: Value) -> Object {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn each_text_has_one_key_twice() {
        let texts = twice_in(&base(json!({"a": 1, "b/c": [{"d": {}, "e": {"f": "g"}}]})));
        assert_eq!(
            texts,
            [
                r#"{"a":1,"b/c":[{"d":{},"e":{"f":"g"}}],"a":1}"#,
                r#"{"a":1,"b/c":[{"d":{},"e":{"f":"g"}}],"b/c":[{"d":{},"e":{"f":"g"}}]}"#,
                r#"{"a":1,"b/c":[{"d":{},"e":{"f":"g"}}],"\u0061":1}"#,
                r#"{"a":1,"b/c":[{"d":{},"e":{"f":"g"},"d":{}}]}"#,
                r#"{"a":1,"b/c":[{"d":{},"e":{"f":"g","f":"g"}}]}"#,
            ]
        );
    }

    #[test]
    fn a_key_in_capital_letters_stands_beside_its_option() {
        let schema = Schema::of(r#"{"properties": {"N": {}, "n": {}, "size": {}}}"#).unwrap();
        let text = in_other_case(&base(json!({"n": 1, "size": 2})), &schema);
        assert_eq!(text.unwrap(), r#"{"n":1,"size":2,"SIZE":2}"#);
        assert_eq!(in_other_case(&base(json!({"n": 1})), &schema), None);
    }

    #[test]
    fn guesses_are_what_the_schema_allows() {
        let schema = Schema::of(r#"{"properties": {"a": {"type": "boolean"}}}"#).unwrap();
        assert_eq!(guesses(&Object::new(), &schema), [base(json!({"a": true}))]);
    }
}
