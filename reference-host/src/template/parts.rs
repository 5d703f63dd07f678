//! What a template is made of: its entries, their names still words.

use std::time::Duration;

use super::source::{Node, Span};

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

/// One member of `data`: something that is looked up before the builds begin.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSource {
    /// How `{{data}}` calls it.
    pub name: Word,
    /// Which data source component.
    pub component: Word,
    /// What it may use beyond the rest.
    pub grants: Grants,
    /// Everything else that the entry says: an object.
    pub config: Node,
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

/// One entry of `provisioners`, or the `error-cleanup-provisioner`.
#[derive(Clone, Debug, PartialEq)]
pub struct Provisioner {
    /// Which provisioner component.
    pub component: Word,
    /// Where it runs.
    pub builds: BuildFilter,
    /// Members that replace those of `config` in the named builds: objects.
    pub overrides: Vec<(Word, Node)>,
    /// How long to wait before it starts.
    pub pause_before: Duration,
    /// How long one attempt may take, the pause included.
    pub timeout: Option<Duration>,
    /// How often it is tried again after a failure.
    pub max_retries: u32,
    /// What it may use beyond the rest.
    pub grants: Grants,
    /// Everything else that the entry says: an object.
    pub config: Node,
}

/// One post-processor of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct PostProcessor {
    /// Which post-processor component.
    pub component: Word,
    /// How `-except` calls it, where that is not its type.
    pub name: Option<Word>,
    /// Where it runs.
    pub builds: BuildFilter,
    /// Whether its input stays, where the template says so; else the post-processor decides.
    pub keep_input: Option<bool>,
    /// What it may use beyond the rest.
    pub grants: Grants,
    /// Everything else that the entry says: an object.
    pub config: Node,
}

/// One entry of an event in `hooks`.
#[derive(Clone, Debug, PartialEq)]
pub struct EventHook {
    /// When it runs.
    pub event: Word,
    /// Which hook component.
    pub component: Word,
    /// Where it runs.
    pub builds: BuildFilter,
    /// What it may use beyond the rest.
    pub grants: Grants,
}

/// `only` and `except`: in which builds an entry runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildFilter {
    /// These alone, where it says so.
    pub only: Option<Vec<Word>>,
    /// Not in these.
    pub except: Vec<Word>,
}

impl BuildFilter {
    /// Whether the build of this name is one of them.
    #[must_use]
    pub fn includes(&self, build: &str) -> bool {
        let named = |words: &[Word]| words.iter().any(|word| word.text == build);
        self.only.as_deref().is_none_or(named) && !named(&self.except)
    }
}

/// `grant`: what the template lets a component use that only builders may use otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// It may ask the host for communicators.
    pub communicator: bool,
}
