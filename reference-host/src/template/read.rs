//! The text of a template → [`Template`].

use std::path::Path;
use std::time::Duration;

use super::entries;
use super::problem::{Problem, TemplateError};
use super::reader::Reader;
use super::source::{Member, Node, Source, Span};
use super::version::{self, PACKER_VERSION};
use super::{check, json};
use crate::spell;

const ROOT_KEYS: [&str; 6] =
    ["description", "min_packer_version", "variables", "sensitive-variables", "builders", "provisioners"];

/// What Packer has at the root of a template and we do not, with what to do instead.
const NOT_THERE_YET: [(&str, &str); 5] = [
    ("post-processors", "take them out to build without them"),
    ("error-cleanup-provisioner", "take it out to build without it"),
    ("push", "Packer has dropped it too: take it out"),
    ("hooks", "Packer has dropped them too: take them out"),
    ("data", "set variables from outside with `-var` instead"),
];

/// What the user wrote, its names still words.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The text, for messages.
    pub source: Source,
    /// What the template says it is for.
    pub description: Option<String>,
    /// In the order of the text.
    pub variables: Vec<Variable>,
    /// At least one.
    pub builders: Vec<Builder>,
    /// In the order in which they run.
    pub provisioners: Vec<Provisioner>,
}

/// A string of the template and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it says.
    pub text: String,
    /// Where its literal stands.
    pub span: Span,
}

/// A variable that the template declares.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// How `{{user}}` and `-var` call it.
    pub name: Word,
    /// Its text if nothing else is given, expressions included; none if it must be given.
    pub default: Option<Word>,
    /// Whether its value is masked wherever we print.
    pub sensitive: bool,
}

/// One entry of `builders`: one build.
#[derive(Clone, Debug, PartialEq)]
pub struct Builder {
    /// Which builder component.
    pub component: Word,
    /// The name of the build, where one is given; it may hold expressions.
    pub name: Option<Word>,
    /// Everything else that the entry says: an object.
    pub config: Node,
}

impl Builder {
    /// What the build is called before expressions are resolved.
    #[must_use]
    pub fn label(&self) -> &Word {
        self.name.as_ref().unwrap_or(&self.component)
    }
}

/// One entry of `provisioners`.
#[derive(Clone, Debug, PartialEq)]
pub struct Provisioner {
    /// Which provisioner component.
    pub component: Word,
    /// The only builds it runs in, where it says so.
    pub only: Option<Vec<Word>>,
    /// Builds it does not run in.
    pub except: Vec<Word>,
    /// Members that replace those of `config` in the named builds: objects.
    pub overrides: Vec<(Word, Node)>,
    /// How long to wait before it starts.
    pub pause_before: Duration,
    /// How long one attempt may take, the pause included.
    pub timeout: Option<Duration>,
    /// How often it is tried again after a failure.
    pub max_retries: u32,
    /// Everything else that the entry says: an object.
    pub config: Node,
}

impl Provisioner {
    /// Whether it runs in the build of this name.
    #[must_use]
    pub fn runs_in(&self, build: &str) -> bool {
        let named = |words: &[Word]| words.iter().any(|word| word.text == build);
        self.only.as_deref().is_none_or(named) && !named(&self.except)
    }
}

impl Template {
    /// Reads the template from a file.
    ///
    /// # Errors
    /// The file cannot be read as UTF-8, or its text is not a template that we can run.
    pub fn read(path: &Path) -> Result<Self, TemplateError> {
        Self::read_in(Path::new(""), path)
    }

    /// Reads the template from a file whose path, where relative, is of `directory`; messages show `path` as it is.
    ///
    /// # Errors
    /// As [`Template::read`].
    pub fn read_in(directory: &Path, path: &Path) -> Result<Self, TemplateError> {
        let name = path.to_string_lossy();
        if [".hcl", ".pkr.json"].iter().any(|suffix| name.ends_with(suffix)) {
            return Err(TemplateError::Hcl { path: path.to_owned() });
        }
        let text = std::fs::read_to_string(directory.join(path))
            .map_err(|why| TemplateError::Unreadable { path: path.to_owned(), why })?;
        Self::parse(&name, &text)
    }

    /// Reads the template from a text that people know as `name`.
    ///
    /// # Errors
    /// Everything that is wrong with the text, at once.
    pub fn parse(name: &str, text: &str) -> Result<Self, TemplateError> {
        let source = Source::new(name, text);
        let wrong = |problems| TemplateError::Wrong { text: source.clone(), problems };
        let root = json::read(&source).map_err(wrong)?;
        let mut reader = Reader::default();
        let template = read_root(&mut reader, source.clone(), &root);
        reader.problems.extend(check::template(&template));
        if reader.problems.is_empty() { Ok(template) } else { Err(wrong(reader.problems)) }
    }
}

fn read_root(reader: &mut Reader, source: Source, root: &Node) -> Template {
    let (variables, builders, provisioners) = (Vec::new(), Vec::new(), Vec::new());
    let mut template = Template { source, description: None, variables, builders, provisioners };
    let mut sensitive = Vec::new();
    let mut has_builders = false;
    for member in reader.members(root, "the template") {
        let value = &member.value;
        match member.key.as_str() {
            "description" => template.description = reader.word(value, "`description`").map(|word| word.text),
            "min_packer_version" => check_version(reader, value),
            "variables" => template.variables = entries::variables(reader, value),
            "sensitive-variables" => sensitive = reader.words(value, "`sensitive-variables`"),
            "builders" => {
                has_builders = true;
                template.builders = entries::builders(reader, value);
            }
            "provisioners" => template.provisioners = entries::provisioners(reader, value),
            comment if comment.starts_with('_') => {}
            _ => reader.problems.push(refuse_key(member)),
        }
    }
    if !has_builders {
        reader.missing::<()>(root, "the template", "builders");
    }
    mark_sensitive(reader, &mut template.variables, &sensitive);
    template
}

fn refuse_key(member: &Member) -> Problem {
    let at = member.key_span;
    if let Some((key, hint)) = NOT_THERE_YET.iter().find(|(key, _)| *key == member.key) {
        return Problem::NotThereYet { at, what: format!("`{key}`"), hint };
    }
    Problem::UnknownKey {
        at,
        place: "the template".to_owned(),
        key: member.key.clone(),
        near: spell::nearest(&member.key, ROOT_KEYS),
        known: ROOT_KEYS.to_vec(),
    }
}

fn check_version(reader: &mut Reader, value: &Node) {
    let Some(Word { text, span: at }) = reader.word(value, "`min_packer_version`") else { return };
    match version::is_met(&text) {
        Some(true) => {}
        Some(false) => {
            reader.problems.push(Problem::VersionTooNew { at, wanted: text, ours: PACKER_VERSION });
        }
        None => reader.problems.push(Problem::BadVersion { at, text }),
    }
}

fn mark_sensitive(reader: &mut Reader, variables: &mut [Variable], sensitive: &[Word]) {
    for word in sensitive {
        match variables.iter_mut().find(|variable| variable.name.text == word.text) {
            Some(variable) => variable.sensitive = true,
            None => {
                let names = || variables.iter().map(|variable| variable.name.text.as_str());
                reader.problems.push(Problem::UnknownSensitive {
                    at: word.span,
                    name: word.text.clone(),
                    near: spell::nearest(&word.text, names()),
                    known: names().map(ToOwned::to_owned).collect(),
                });
            }
        }
    }
}
