//! The examples of SPEC.md: transcripts whose calls the schema has, and JSON that its own schemas take or refuse as the
//! text says.

use std::collections::BTreeMap;

use super::configs::{self, Told};
use super::document::Block;
use super::schema::Schema;
use super::value::{Value, misfit};

/// What is wrong with names of methods and members in the prose, `Interface.method`.
pub(super) fn unknown_members(prose: &[(usize, &str)], schema: &Schema) -> Vec<String> {
    let spans =
        prose.iter().flat_map(|(at, line)| line.split('`').skip(1).step_by(2).map(move |it| (at, it)));
    let told = spans.filter_map(|(at, span)| Some(format!("line {at}: {}", unknown_member(span, schema)?)));
    told.collect()
}

fn unknown_member(span: &str, schema: &Schema) -> Option<String> {
    let mut words = span.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.');
    words.find_map(|word| {
        let (name, member) = word.split_once('.').filter(|(name, _)| is_type_name(name))?;
        let member = member.split('.').next().filter(|member| member.starts_with(char::is_alphabetic))?;
        match schema.has(name, member) {
            None => Some(format!("the schema declares no `{name}`, of which `{word}` speaks")),
            Some(false) => Some(format!("`{name}` has no `{member}` in the schema")),
            Some(true) => None,
        }
    })
}

/// `Hook`, and neither `SPEC` nor `comm`.
fn is_type_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.contains(|it: char| it.is_ascii_lowercase())
}

/// What is wrong with transcripts, and with the JSON of a chapter.
pub(super) fn problems(text: &str, blocks: &[Block<'_>], schema: &Schema) -> Vec<String> {
    let mut chapters = configs::chapters(text, blocks);
    let mut told: Vec<String> =
        chapters.iter_mut().flat_map(|(_, chapter)| std::mem::take(&mut chapter.problems)).collect();
    for block in blocks.iter().filter(|block| block.language == "transcript") {
        let chapter = chapters.get(configs::chapter_of(text, block.line));
        let mut open = Open::default();
        let lines =
            block.lines.iter().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        for (at, line) in lines {
            let at = block.line + at + 1;
            match message(line).and_then(|message| open.take(message, schema, chapter)) {
                Ok(()) => {}
                Err(problem) => told.push(format!("line {at}: {problem}")),
            }
        }
        told.extend(open.unanswered().map(|call| format!("line {}: nobody answers {call}", block.line)));
    }
    told
}

/// One line of a transcript.
struct Message<'a> {
    from_host: bool,
    interface: &'a str,
    method: &'a str,
    what: What,
}

enum What {
    Call(Value),
    Answer(Value),
    Failure,
}

fn message(line: &str) -> Result<Message<'_>, String> {
    let from_host = line.starts_with("host → plugin  ");
    let rest = line.strip_prefix("host → plugin  ").or_else(|| line.strip_prefix("plugin → host  "));
    let rest = rest.ok_or("a line says first who speaks, and two blanks follow")?;
    let (is_answer, rest) = rest.strip_prefix("= ").map_or((false, rest), |rest| (true, rest));
    let end =
        rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.').unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let (interface, method) =
        name.split_once('.').ok_or_else(|| format!("`{name}` is no `Interface.method`"))?;
    let what = match (is_answer, rest.strip_prefix(" fails: ")) {
        (true, Some(_)) => What::Failure,
        (true, None) => What::Answer(Value::read(rest)?),
        (false, _) => What::Call(Value::read(rest)?),
    };
    Ok(Message { from_host, interface, method, what })
}

/// Calls that are not answered yet, by who made them, with what they carried.
#[derive(Default)]
struct Open(BTreeMap<(bool, String), Vec<Value>>);

impl Open {
    fn take(&mut self, message: Message<'_>, schema: &Schema, chapter: Option<&Told>) -> Result<(), String> {
        let Message { from_host, interface, method, what } = message;
        let call = format!("{interface}.{method}");
        let Some(declared) = schema.method(interface, method) else {
            return Err(format!("the schema has no method `{call}`"));
        };
        let wrong = |problem| format!("{call}: {problem}");
        match what {
            What::Call(value) => {
                misfit(schema, &declared.takes, &value).map_or(Ok(()), |problem| Err(wrong(problem)))?;
                self.0.entry((from_host, call)).or_default().push(value);
            }
            What::Failure => drop(self.answered(from_host, &call)?),
            What::Answer(value) => {
                let asked = self.answered(from_host, &call)?;
                misfit(schema, &declared.answers, &value).map_or(Ok(()), |problem| Err(wrong(problem)))?;
                let contradicted = chapter.and_then(|chapter| match method {
                    "prepare" => chapter.contradicts_prepare(&asked, &value),
                    _ => chapter.contradicts_yield(&value),
                });
                contradicted.map_or(Ok(()), |problem| Err(wrong(problem)))?;
            }
        }
        Ok(())
    }

    /// The first call of the other side that this answers.
    fn answered(&mut self, from_host: bool, call: &str) -> Result<Value, String> {
        let calls = self.0.get_mut(&(!from_host, call.to_owned())).filter(|calls| !calls.is_empty());
        calls.map(|calls| calls.remove(0)).ok_or_else(|| format!("nobody has called {call}"))
    }

    fn unanswered(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, calls)| !calls.is_empty()).map(|((_, call), _)| call.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::blocks;
    use super::super::schema::tests::schema;
    use super::*;

    fn members(line: &str) -> Vec<String> {
        unknown_members(&[(1, line)], &schema())
    }

    #[test]
    fn a_method_or_member_that_the_schema_lacks_is_told() {
        for line in ["`Maker.make`, `Thing.colour`, `a.b`, `SPEC.md`, `{{ .Name }}`", "Taker.take in prose"] {
            assert_eq!(members(line), Vec::<String>::new());
        }
        assert_eq!(members("`Maker.take()`"), ["line 1: `Maker` has no `take` in the schema"]);
        assert_eq!(
            members("`x(Taker.make)`"),
            ["line 1: the schema declares no `Taker`, of which `Taker.make` speaks"]
        );
    }

    fn told(transcript: &str) -> Vec<String> {
        let text = format!("## A\n```transcript\n{transcript}\n```\n");
        problems(&text, &blocks(&text), &schema())
    }

    #[test]
    fn a_transcript_of_calls_and_their_answers_is_right() {
        let calls = "# a note\nhost → plugin  Maker.make(config = \"{}\", …)\n\
            plugin → host  Maker.close()\nhost → plugin  = Maker.close fails: revoked\n\
            plugin → host  = Maker.make(maker = <cap>)";
        assert_eq!(told(calls), Vec::<String>::new());
    }

    #[test]
    fn what_a_transcript_has_wrong_is_told() {
        for (transcript, problem) in [
            ("host → plugin Maker.make()", "line 3: a line says first who speaks, and two blanks follow"),
            ("host → plugin  make()", "line 3: `make` is no `Interface.method`"),
            ("host → plugin  Maker.take()", "line 3: the schema has no method `Maker.take`"),
            ("host → plugin  Maker.make(x = 1)", "line 3: Maker.make: there is no `x`"),
            ("host → plugin  Maker.close(", "line 3: `` is no value"),
            ("host → plugin  Maker.close()", "line 2: nobody answers Maker.close"),
            ("host → plugin  = Maker.close()", "line 3: nobody has called Maker.close"),
            ("host → plugin  = Maker.close fails: x", "line 3: nobody has called Maker.close"),
        ] {
            assert_eq!(told(transcript), [problem], "{transcript}");
        }
        let own = "host → plugin  Maker.close()\nhost → plugin  = Maker.close()";
        assert_eq!(told(own)[0], "line 4: nobody has called Maker.close");
        let wrong = "host → plugin  Maker.make()\nplugin → host  = Maker.make(thing = 1)";
        assert_eq!(told(wrong), ["line 4: Maker.make: thing: no struct stands there"]);
    }
}
