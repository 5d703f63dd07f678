//! The text of a template → [`Template`].

use std::path::Path;

use super::entries;
use super::parts::{BuildFilter, Builder, DataSource, EventHook, PostProcessor, Provisioner, Variable, Word};
use super::problem::{Problem, TemplateError};
use super::reader::Reader;
use super::source::{Member, Node, Source};
use super::version::{self, PACKER_VERSION};
use super::{check, json};
use crate::spell;

const ROOT_KEYS: [&str; 10] = [
    "description",
    "min_packer_version",
    "variables",
    "sensitive-variables",
    "data",
    "builders",
    "provisioners",
    "error-cleanup-provisioner",
    "hooks",
    "post-processors",
];

/// What Packer has at the root of a template and we do not, with what to do instead.
const NOT_THERE_YET: [(&str, &str); 1] = [("push", "Packer has dropped it too: take it out")];

/// What the user wrote, its names still words.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The text, for messages.
    pub source: Source,
    /// What the template says it is for.
    pub description: Option<String>,
    /// In the order of the text.
    pub variables: Vec<Variable>,
    /// In the order of the text.
    pub data: Vec<DataSource>,
    /// At least one.
    pub builders: Vec<Builder>,
    /// In the order in which they run.
    pub provisioners: Vec<Provisioner>,
    /// What runs on the machine when provisioning failed.
    pub cleanup: Option<Provisioner>,
    /// Event by event, each in the order in which they run.
    pub hooks: Vec<EventHook>,
    /// Sequences: each begins with what the builder made.
    pub post_processors: Vec<Vec<PostProcessor>>,
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

    fn empty(source: Source) -> Self {
        Self {
            source,
            description: None,
            variables: Vec::new(),
            data: Vec::new(),
            builders: Vec::new(),
            provisioners: Vec::new(),
            cleanup: None,
            hooks: Vec::new(),
            post_processors: Vec::new(),
        }
    }

    /// Every `only` and `except` of the template.
    pub(super) fn build_filters(&self) -> impl Iterator<Item = &BuildFilter> {
        let provisioners = self.provisioners.iter().chain(&self.cleanup).map(|one| &one.builds);
        let hooks = self.hooks.iter().map(|one| &one.builds);
        let post_processors = self.post_processors.iter().flatten().map(|one| &one.builds);
        provisioners.chain(hooks).chain(post_processors)
    }
}

fn read_root(reader: &mut Reader, source: Source, root: &Node) -> Template {
    let mut template = Template::empty(source);
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
            "data" => template.data = entries::data(reader, value),
            "provisioners" => template.provisioners = entries::provisioners(reader, value),
            "error-cleanup-provisioner" => template.cleanup = entries::cleanup(reader, value),
            "hooks" => template.hooks = entries::hooks(reader, value),
            "post-processors" => template.post_processors = entries::post_processors(reader, value),
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
