//! Wrong and right, for the rules that the code of an author can break.

/// All of them: a heading of level two for each rule, below it fenced blocks with a language and one of the two words.
const SNIPPETS: &str = include_str!("snippets.md");

/// How a rule is broken, or kept, in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snippet {
    /// As in the report: `Wrong in Python`.
    pub(super) heading: String,
    /// The lines of code.
    pub(super) code: Vec<&'static str>,
}

/// The snippets of one rule, in their order.
pub(super) fn of(id: &str) -> Vec<Snippet> {
    sections().find(|(heading, _)| *heading == id).map_or_else(Vec::new, |(_, body)| blocks(body))
}

fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    SNIPPETS.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap_or((section, "")))
}

fn blocks(body: &'static str) -> Vec<Snippet> {
    let mut found: Vec<Snippet> = Vec::new();
    let mut inside = false;
    for line in body.lines() {
        match line.strip_prefix("```") {
            Some("") => inside = false,
            Some(info) => {
                inside = true;
                found.push(Snippet { heading: heading(info), code: Vec::new() });
            }
            None if inside => found.iter_mut().next_back().into_iter().for_each(|it| it.code.push(line)),
            None => {}
        }
    }
    found
}

fn heading(info: &str) -> String {
    let (language, word) = info.split_once(' ').unwrap_or((info, ""));
    let language = match language {
        "python" => "Python",
        "rust" => "Rust",
        other => other,
    };
    let word = if word == "wrong" { "Wrong" } else { "Right" };
    format!("{word} in {language}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks;
    use crate::spec::Level;

    #[test]
    fn each_language_shows_the_wrong_way_before_the_right_one() {
        let pair = ["Wrong in Python", "Right in Python"];
        let both = [pair[0], pair[1], "Wrong in Rust", "Right in Rust"];
        for (id, body) in sections() {
            let shown = blocks(body);
            let headings: Vec<&str> = shown.iter().map(|snippet| snippet.heading.as_str()).collect();
            assert!(headings == pair || headings == both, "{id}: {headings:?}");
            assert!(shown.iter().all(|snippet| !snippet.code.is_empty()), "{id}");
        }
    }

    #[test]
    fn each_is_of_one_rule_that_has_a_check() {
        let ids: Vec<&str> = sections().map(|(id, _)| id).collect();
        for id in &ids {
            assert!(checks::find(id).is_some(), "{id} is no rule that is tried");
            assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{id}");
        }
        let words = ["python wrong", "python right", "rust wrong", "rust right"];
        let opened =
            SNIPPETS.lines().filter_map(|line| line.strip_prefix("```")).filter(|info| !info.is_empty());
        assert_eq!(opened.filter(|info| !words.contains(info)).collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn what_a_plugin_must_do_is_shown_or_has_a_reason_why_not() {
        let reasons: Vec<&str> = SNIPPETS
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
            .map(|(id, _)| id)
            .collect();
        for check in checks::all().filter(|check| check.level == Level::Must) {
            let (shown, excused) = (!of(check.id).is_empty(), reasons.contains(&check.id));
            assert!(shown != excused, "{}: shown {shown}, excused {excused}", check.id);
        }
        assert!(reasons.iter().all(|id| checks::find(id).is_some()), "{reasons:?}");
    }

    #[test]
    fn what_is_shown_in_rust_is_rust() {
        let shown: Vec<Snippet> = sections().flat_map(|(_, body)| blocks(body)).collect();
        let in_rust: Vec<&Snippet> =
            shown.iter().filter(|snippet| snippet.heading.ends_with("Rust")).collect();
        assert!(in_rust.len() > 40, "{}", in_rust.len());
        for Snippet { code, .. } in in_rust {
            let function = format!("async fn snippet() {{\n{}\n}}", code.join("\n"));
            let parsed = syn::parse_str::<syn::ItemFn>(&function);
            assert!(parsed.is_ok(), "{:?} in {function}", parsed.err());
        }
    }
}
