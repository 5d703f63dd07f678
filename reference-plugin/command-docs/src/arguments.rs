//! What was typed.
use clap::Parser;
use packwire_plugin::Kind;

/// How wide the help is; the terminal is the host's.
const COLUMNS: usize = 100;

/// Tells what there is and how it is used.
#[derive(Debug, PartialEq, Eq, Parser)]
#[command(name = "packwire docs", no_binary_name = true, term_width = COLUMNS)]
pub(crate) struct Asked {
    /// builder, provisioner, post-processor, data-source, hook, command or communicator.
    pub(crate) kind: Option<String>,
    /// What templates call the component.
    pub(crate) name: Option<String>,
    /// Answers JSON, for programs.
    #[arg(long)]
    pub(crate) json: bool,
    /// Answers one JSON Schema of a whole template, for editors.
    #[arg(long, conflicts_with_all = ["kind", "name", "json"])]
    pub(crate) template_schema: bool,
}

/// What is said instead, and whether it was asked for.
#[derive(Debug)]
pub(crate) struct Instead {
    pub(crate) text: String,
    pub(crate) is_help: bool,
}

impl Asked {
    pub(crate) fn parse(words: &[String]) -> Result<Self, Instead> {
        Self::try_parse_from(words).map_err(|error| {
            let text = error.render().to_string().trim_end().to_owned();
            Instead { text, is_help: !error.use_stderr() }
        })
    }
}

/// The kind of this name.
pub(crate) fn kind_of(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

/// How alike two words are, from 0 to 1, for one to be taken for a misspelling of the other.
const ALIKE: f64 = 0.75;

/// What was meant, where something is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = known.into_iter().map(|one| (strsim::jaro_winkler(one, word), one));
    let near = alike.filter(|(score, _)| *score >= ALIKE);
    near.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, one)| one)
}
