//! SPEC.md as a text: what stands outside of its rules, and must be true all the same.

use std::collections::{BTreeMap, HashSet};

/// A fenced block: the words behind its fence, its lines, and the line of the document where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    pub(crate) language: &'a str,
    /// A file of the project, or the name of a message; empty for a block that is nobody's copy.
    pub(crate) of: &'a str,
    pub(crate) line: usize,
    pub(crate) lines: Vec<&'a str>,
}

/// The fenced blocks of a document, in their order.
pub(crate) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(info), None) => {
                let (language, of) = info.split_once(' ').unwrap_or((info, ""));
                open = Some(Block { language, of: of.trim(), line: at + 1, lines: Vec::new() });
            }
            (None, Some(block)) => block.lines.push(line),
            (None, None) => {}
        }
    }
    found
}

/// What is wrong with the prose: capital keywords outside of rules, links that lead nowhere, chapters that the contents
/// leave out, rules that are named and do not exist.
pub(super) fn problems(text: &str, rules: &HashSet<&str>) -> Vec<String> {
    let prose = prose(text);
    [loud(&prose), dead_links(text, &prose), unlisted(text), unknown_rules(&prose, rules)].concat()
}

/// The lines that are neither code nor a rule's sentence, with their numbers.
pub(super) fn prose(text: &str) -> Vec<(usize, &str)> {
    let (mut inside, mut sentence) = (false, false);
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let fence = line.starts_with("```");
        if !fence && !inside && !sentence {
            found.push((at + 1, line));
        }
        inside ^= fence;
        sentence = line.starts_with("r[");
    }
    found
}

const KEYWORDS: [&str; 7] = ["MUST", "SHOULD", "MAY", "SHALL", "REQUIRED", "RECOMMENDED", "OPTIONAL"];

fn loud(prose: &[(usize, &str)]) -> Vec<String> {
    let told = |(at, line): &(usize, &str)| {
        let spoken: String = line.split('`').step_by(2).collect();
        let mut words = spoken.split(|letter: char| !letter.is_ascii_alphanumeric());
        let word = words.find(|word| KEYWORDS.contains(word))?;
        Some(format!("line {at}: {word} stands in capitals outside of a rule"))
    };
    prose.iter().filter_map(told).collect()
}

fn dead_links(text: &str, prose: &[(usize, &str)]) -> Vec<String> {
    let anchors: HashSet<String> = headings(text).map(|(_, heading)| anchor(heading)).collect();
    let links = prose.iter().flat_map(|(at, line)| {
        line.split("](#").skip(1).filter_map(move |rest| Some((at, rest.split_once(')')?.0)))
    });
    let dead = links.filter(|(_, link)| !anchors.contains(*link));
    dead.map(|(at, link)| format!("line {at}: the link #{link} leads to no heading")).collect()
}

fn unlisted(text: &str) -> Vec<String> {
    let listed = |heading: &str| text.contains(&format!("](#{})", anchor(heading)));
    let chapters = headings(text).filter(|(level, heading)| *level == 2 && *heading != "Contents");
    let missing = chapters.filter(|(_, heading)| !listed(heading));
    missing.map(|(_, heading)| format!("the contents leave out the chapter `{heading}`")).collect()
}

fn headings(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let heading = |line: &'_ str| line.trim_start_matches('#').len();
    text.lines().filter_map(move |line| {
        let level = line.len() - heading(line);
        Some((level, line[level..].strip_prefix(' ')?)).filter(|_| level > 0)
    })
}

/// As Markdown renderers make it.
pub(super) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn unknown_rules(prose: &[(usize, &str)], rules: &HashSet<&str>) -> Vec<String> {
    let chapters: HashSet<&str> = rules.iter().filter_map(|id| Some(id.split_once('.')?.0)).collect();
    let like_a_rule = |word: &&str| {
        let named = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        let (chapter, rest) = word.split_once('.').unwrap_or_default();
        chapters.contains(chapter) && !rest.is_empty() && rest.chars().all(named) && rest != "capnp"
    };
    let spoken = prose.iter().filter(|(_, line)| !line.starts_with("r["));
    let coded = spoken.flat_map(|(at, line)| line.split('`').skip(1).step_by(2).map(move |word| (at, word)));
    let unknown = coded.filter(|(_, word)| like_a_rule(word) && !rules.contains(word));
    unknown.map(|(at, word)| format!("line {at}: there is no rule `{word}`")).collect()
}

/// What is wrong with the blocks that are copies: of files, which `read` reads, and of messages in bytes.
pub(super) fn copies(
    blocks: &[Block<'_>],
    read: impl Fn(&str) -> Option<String>,
    messages: &BTreeMap<String, String>,
) -> Vec<String> {
    let wrong = |block: &Block<'_>| {
        let problem = match block.language {
            // `cargo xtask transcript` compares these.
            "transcript" => None,
            // What a chapter shows beside these is tried with them.
            "json" if matches!(block.of, "configSchema" | "outputSchema") => None,
            _ if block.of.is_empty() => None,
            "bytes" => not_these_bytes(block, messages),
            _ => not_in_the_file(block, &read),
        };
        problem.map(|problem| format!("line {}: {problem}", block.line))
    };
    let unused = messages.keys().filter(|name| !blocks.iter().any(|block| block.of == **name));
    let unused = unused.map(|name| format!("no block shows the bytes of the message `{name}`"));
    blocks.iter().filter_map(wrong).chain(unused).collect()
}

/// The runs of lines between lines that are just `…` stand in the file, in their order.
fn not_in_the_file(block: &Block<'_>, read: impl Fn(&str) -> Option<String>) -> Option<String> {
    let of = block.of;
    let Some(content) = read(of) else {
        return Some(format!("the block is taken from {of}, which is not there"));
    };
    let lines: Vec<&str> = content.lines().collect();
    let mut from = 0;
    for part in block.lines.split(|line| line.trim() == "…").filter(|part| !part.is_empty()) {
        let place = (from..lines.len()).find(|at| lines[*at..].starts_with(part));
        match place {
            Some(place) => from = place + part.len(),
            None => return Some(format!("the block differs from {of}, beginning with `{}`", part[0].trim())),
        }
    }
    None
}

/// Each line is an offset, up to eight bytes in hexadecimal digits, and words about them.
fn not_these_bytes(block: &Block<'_>, messages: &BTreeMap<String, String>) -> Option<String> {
    let Some(real) = messages.get(block.of) else {
        return Some(format!("there is no message `{}`", block.of));
    };
    let mut shown = String::new();
    for line in &block.lines {
        let (offset, rest) = line.trim_start().split_once(' ')?;
        if usize::from_str_radix(offset, 16) != Ok(shown.len() / 2) {
            return Some(format!("`{}`: {offset} is not the offset of this line", block.of));
        }
        rest.split_whitespace()
            .take_while(|word| is_byte(word))
            .take(8)
            .for_each(|byte| shown.push_str(byte));
    }
    (shown != *real).then(|| format!("the bytes of `{}` are not what encoding it gives: {real}", block.of))
}

fn is_byte(word: &str) -> bool {
    word.len() == 2 && word.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        problems(text, &HashSet::from(["exit.leave", "host.token-once"]))
    }

    #[test]
    fn a_keyword_in_capitals_outside_of_a_rule_is_told() {
        let rule = "r[exit.leave]\nA plugin MUST exit.\n*Binds: plugin. Seen: process.*\n";
        assert_eq!(
            told(&format!("{rule}\nThe words `MUST` and `MAY`.\n```\nMUST\n```\n")),
            Vec::<String>::new()
        );
        assert_eq!(told("A plugin\nMAY do so.\n"), ["line 2: MAY stands in capitals outside of a rule"]);
    }

    #[test]
    fn links_and_contents_lead_to_headings_and_all_chapters_are_listed() {
        let good =
            "## Contents\n- [How to read](#how-to-read)\n## How to read\n### More, then\n[x](#more-then)\n";
        assert_eq!(told(good), Vec::<String>::new());
        assert_eq!(told("[x](#nowhere)\n"), ["line 1: the link #nowhere leads to no heading"]);
        assert_eq!(told("## Left out\n"), ["the contents leave out the chapter `Left out`"]);
    }

    #[test]
    fn a_rule_that_is_named_and_does_not_exist_is_told() {
        assert_eq!(told("As `exit.leave` says, in `host.capnp`, `Host.attach`.\n"), Vec::<String>::new());
        assert_eq!(told("| x | `host.token-twice` |\n"), ["line 1: there is no rule `host.token-twice`"]);
    }

    fn copied(text: &str) -> Vec<String> {
        let file = |path: &str| (path == "a.capnp").then(|| "one\ntwo\nthree\nfour\n".to_owned());
        copies(&blocks(text), file, &BTreeMap::new())
    }

    #[test]
    fn an_excerpt_that_differs_from_its_file_is_told() {
        assert_eq!(
            copied("```capnp a.capnp\none\n…\nthree\nfour\n```\n```\nfree\n```\n"),
            Vec::<String>::new()
        );
        assert_eq!(
            copied("\n```capnp a.capnp\none\nthree\n```\n").concat(),
            "line 2: the block differs from a.capnp, beginning with `one`"
        );
        assert_eq!(
            copied("```capnp a.capnp\nfour\n…\none\n```\n").concat(),
            "line 1: the block differs from a.capnp, beginning with `one`"
        );
        assert_eq!(
            copied("```sh b.sh\n```\n").concat(),
            "line 1: the block is taken from b.sh, which is not there"
        );
    }

    fn shown(block: &str) -> Vec<String> {
        let messages = BTreeMap::from([("hello".to_owned(), "00112233445566778899".to_owned())]);
        copies(&blocks(block), |_| None, &messages)
    }

    #[test]
    fn bytes_that_no_message_has_are_told() {
        let good = "```bytes hello\n0000 00 11 22 33 44 55 66 77  be it so\n0008 88 99  the rest\n```\n";
        assert_eq!(shown(good), Vec::<String>::new());
        assert_eq!(
            shown(&good.replace("88 99", "88 98")).concat(),
            "line 1: the bytes of `hello` are not what encoding it gives: 00112233445566778899"
        );
        assert_eq!(
            shown(&good.replace("0008", "0009")).concat(),
            "line 1: `hello`: 0009 is not the offset of this line"
        );
        assert_eq!(
            shown(&good.replace("bytes hello", "bytes bye")),
            ["line 1: there is no message `bye`", "no block shows the bytes of the message `hello`"]
        );
    }
}
