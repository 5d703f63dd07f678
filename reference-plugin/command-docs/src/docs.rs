//! The command: what was typed becomes pages, lists and schemas.
use packwire_plugin::{Command, CommandRun, Components, Kind, Stop, Ui, unless_cancelled};
use serde_json::{Value, json};

use crate::{
    arguments::{Asked, kind_of, nearest},
    described::Described,
    page,
    template_schema::template_schema,
};

/// The exit status of a name that nobody has.
const NOT_FOUND: u8 = 1;
/// The exit status of a command line that means nothing.
const USAGE: u8 = 2;
/// How many bytes are said at once: answers may be larger than a message.
const AT_ONCE: usize = 64 << 10;

/// Says what there is and how it is used.
pub(crate) struct Docs;

impl Command for Docs {
    const SUMMARY: &'static str = "Tells what components there are and how they are used";
    const DOCUMENTATION: &'static str = "`packwire docs` lists all components, `packwire docs builder` those of a \
        kind, and `packwire docs builder file` tells how one is used, with a table of its options. `--json` answers \
        the same for programs.\n\n\
        `packwire docs --template-schema` answers one JSON Schema of a whole template. An editor that knows it \
        completes and checks templates:\n\n\
        ```sh\npackwire docs --template-schema > template.schema.json\n```\n";

    async fn run(&self, run: CommandRun) -> Result<u8, Stop> {
        let CommandRun { arguments, ui, components, cancellation, .. } = run;
        let answer = match Asked::parse(&arguments) {
            Ok(asked) => unless_cancelled(&cancellation, answer(asked, &components)).await??,
            Err(instead) if instead.is_help => Answer::Text(instead.text),
            Err(instead) => Answer::Refused { status: USAGE, why: instead.text },
        };
        match answer {
            Answer::Text(text) => say(&ui, &text).await.map(|()| 0),
            Answer::Json(value) => say(&ui, &format!("{value:#}")).await.map(|()| 0),
            Answer::Refused { status, why } => {
                ui.error(why).await?;
                Ok(status)
            }
        }
    }
}

/// What the user gets.
enum Answer {
    Text(String),
    Json(Value),
    Refused { status: u8, why: String },
}

async fn answer(asked: Asked, components: &Components) -> Result<Answer, Stop> {
    let Asked { kind, name, json, template_schema: schema } = asked;
    if schema {
        return Ok(Answer::Json(template_schema(&all(components).await?)));
    }
    let kind = match &kind {
        None => return Ok(listed(all(components).await?, json)),
        Some(word) => match kind_of(word) {
            Some(kind) => kind,
            None => return Ok(no_kind(word, &all(components).await?)),
        },
    };
    match name {
        None => {
            let mut found = all(components).await?;
            found.retain(|one| one.kind == kind);
            Ok(listed(found, json))
        }
        Some(name) => match components.find(kind, name.as_str()).await? {
            Some(component) => Ok(told(&Described::from(&component), json)),
            None => Ok(no_component(kind, &name, &all(components).await?)),
        },
    }
}

/// All components, kind by kind, each by name.
async fn all(components: &Components) -> Result<Vec<Described>, Stop> {
    let mut found: Vec<_> = components.list().await?.iter().map(Described::from).collect();
    found.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    Ok(found)
}

fn listed(found: Vec<Described>, as_json: bool) -> Answer {
    if as_json {
        let components: Vec<_> = found.iter().map(Described::in_short).collect();
        return Answer::Json(json!({"components": components}));
    }
    Answer::Text(page::list(&found))
}

fn told(component: &Described, as_json: bool) -> Answer {
    if as_json { Answer::Json(component.whole()) } else { Answer::Text(page::page(component)) }
}

fn no_kind(word: &str, known: &[Described]) -> Answer {
    let kinds = Kind::ALL.map(Kind::name);
    let named: Vec<_> = known.iter().filter(|one| one.name == word).collect();
    let hint = match (nearest(word, kinds), &named[..]) {
        (_, [one, ..]) => format!("`packwire docs {} {word}` tells of a component of that name", one.kind),
        (Some(near), []) => format!("did you mean `{near}`?"),
        (None, []) => format!("the kinds are {}", kinds.join(", ")),
    };
    Answer::Refused { status: USAGE, why: format!("there is no kind `{word}` of components: {hint}") }
}

fn no_component(kind: Kind, name: &str, known: &[Described]) -> Answer {
    let of_kind: Vec<_> = known.iter().filter(|one| one.kind == kind).map(|one| one.name.as_str()).collect();
    let other = known.iter().find(|one| one.name == name);
    let hint = match (nearest(name, of_kind.iter().copied()), other) {
        (_, Some(other)) => format!("; there is a {} of that name", other.kind),
        (Some(near), None) => format!("; did you mean `{near}`?"),
        (None, None) if of_kind.is_empty() => "; there is none at all".to_owned(),
        (None, None) => format!("; what there is: {}", of_kind.join(", ")),
    };
    Answer::Refused { status: NOT_FOUND, why: format!("there is no {kind} `{name}`{hint}") }
}

/// Says a text of any length, in pieces of whole lines.
async fn say(ui: &Ui, text: &str) -> Result<(), Stop> {
    let mut piece = String::new();
    for line in text.lines() {
        piece.push_str(line);
        piece.push('\n');
        if piece.len() >= AT_ONCE {
            ui.message(std::mem::take(&mut piece)).await?;
        }
    }
    if !piece.is_empty() {
        ui.message(piece).await?;
    }
    Ok(())
}
