//! Pages for people: CommonMark, which a terminal shows as well.
use packwire_plugin::Kind;
use serde_json::Value;

use crate::{
    described::Described,
    options::{Choice, Need, choices},
};

/// All components, kind by kind.
pub(crate) fn list(components: &[Described]) -> String {
    let width = components.iter().map(|one| one.name.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for kind in Kind::ALL {
        let of_kind: Vec<_> = components.iter().filter(|one| one.kind == kind).collect();
        if !of_kind.is_empty() {
            text.push_str(&format!("{kind}\n"));
            for Described { name, summary, .. } in of_kind {
                text.push_str(format!("  {name:width$}  {summary}").trim_end());
                text.push('\n');
            }
        }
    }
    if text.is_empty() { "no component is known\n".to_owned() } else { text }
}

/// All that there is to say of one.
pub(crate) fn page(component: &Described) -> String {
    let Described { kind, name, summary, documentation, config_schema, output_schema } = component;
    let mut parts = vec![format!("# {kind} {name}"), summary.clone(), documentation.trim_end().to_owned()];
    if !config_schema.is_null() {
        parts.push("## Options".to_owned());
        parts.push(options(config_schema));
        parts.extend(examples(config_schema));
    }
    let output = choices(output_schema);
    if !output.is_empty() {
        let heading = if *kind == Kind::DataSource { "## Value" } else { "## Generated data" };
        parts.push(heading.to_owned());
        parts.push(table(&["Member", "Type", "Description"], output.iter().map(member).collect()));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn options(schema: &Value) -> String {
    let choices = choices(schema);
    if choices.is_empty() {
        return "It has none.".to_owned();
    }
    let head = ["Option", "Type", "Required", "Default", "Description"];
    table(&head, choices.iter().map(option).collect())
}

fn option(choice: &Choice) -> Vec<String> {
    let need = match choice.need {
        Need::Required => "yes",
        Need::Optional => "no",
        Need::Sometimes => "in some forms",
    };
    let default = choice.default.as_ref().map(|default| code(&default.to_string())).unwrap_or_default();
    let [name, kind, description]: [String; 3] = columns(choice);
    vec![name, kind, need.to_owned(), default, description]
}

fn member(choice: &Choice) -> Vec<String> {
    columns(choice).into()
}

fn columns(choice: &Choice) -> [String; 3] {
    let Choice { name, kind, description, is_secret, is_deprecated, .. } = choice;
    let kind = if *is_secret { format!("{kind}, secret") } else { kind.clone() };
    let description = if *is_deprecated {
        format!("Deprecated. {description}").trim_end().to_owned()
    } else {
        description.clone()
    };
    [code(name), kind, description]
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A table whose columns stand under each other, but for the last, which is as long as it is.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let cell = |text: &String| text.replace('|', "\\|");
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let last = head.len().saturating_sub(1);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|head| head.len())).max().unwrap_or_default()
    };
    let widths: Vec<_> =
        (0..head.len()).map(|column| if column < last { width(column) } else { 0 }).collect();
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width));
        format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat((*width).max(3))).collect();
    let mut lines = vec![line(head.to_vec()), line(rule.iter().map(String::as_str).collect())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

/// The configurations that the schema shows.
fn examples(schema: &Value) -> Vec<String> {
    let examples = schema.get("examples").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if examples.is_empty() {
        return Vec::new();
    }
    let heading = if examples.len() == 1 { "## Example" } else { "## Examples" };
    let blocks = examples.iter().map(|example| format!("```json\n{example:#}\n```"));
    std::iter::once(heading.to_owned()).chain(blocks).collect()
}
