//! [`Environment`] → [`Catalog`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::component::{Kind, Naming, PluginCommand};
use super::config::{self, ConfigFile, PortRange};
use super::directory;
use crate::spell;
use crate::template::{Problem, Source};

/// What decides where plugins are looked for.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Our own executable; its directory is searched.
    pub executable: Option<PathBuf>,
    /// The user's home, where `.packerconfig` may be.
    pub home: Option<PathBuf>,
    /// `PACKER_PLUGIN_PATH`
    pub plugin_path: Option<OsString>,
    /// `PACKER_CONFIG`, which goes before the home's file.
    pub config: Option<OsString>,
}

/// What was found and what was not taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    /// In the order of precedence.
    pub candidates: Vec<Candidate>,
    /// Everything that looked like a plugin and is none, or is none for us.
    pub rejected: Vec<Rejected>,
    /// Where `tcp:` plugins are listened for.
    pub ports: PortRange,
}

/// A plugin that would be started if the template asks for what it offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What it offers, as far as its name says.
    pub naming: Naming,
    /// How it is started.
    pub command: PluginCommand,
    /// Why we know of it.
    pub origin: Origin,
}

/// Why we know of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The config file names it.
    ConfigFile(PathBuf),
    /// It is in a directory of `PACKER_PLUGIN_PATH`.
    PluginPath,
    /// It is beside our own executable.
    BesideUs,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ConfigFile(path) => write!(formatter, "config file {}", path.display()),
            Self::PluginPath => formatter.write_str("PACKER_PLUGIN_PATH"),
            Self::BesideUs => formatter.write_str("next to packwire"),
        }
    }
}

/// A file or directory that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Which.
    pub path: PathBuf,
    /// Why not.
    pub reason: Reason,
}

/// Why something was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message above each variant says what it is")]
pub enum Reason {
    #[error("not executable")]
    NotExecutable,
    #[error("a directory, not a program")]
    Directory,
    #[error("not a directory")]
    NotADirectory,
    #[error("not a regular file")]
    NotAFile,
    #[error("not there")]
    Missing,
    #[error("a link to nothing")]
    BrokenLink,
    #[error("not named packer-TYPE-NAME or packer-plugin-NAME")]
    BadName,
    #[error("not an absolute path")]
    Relative,
    #[error("a text without a `#!` line, which the system cannot run")]
    NoInterpreter,
    #[error("{0}")]
    Unreadable(String),
    #[error("shadowed by {0}")]
    Shadowed(PluginCommand),
}

/// The config file is there and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// It cannot be read.
    #[error("the config file {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: std::io::Error,
    },
    /// It was read and is wrong.
    #[error("the config file {} is wrong", text.name())]
    Wrong {
        /// Its text.
        text: Source,
        /// At least one.
        problems: Vec<Problem>,
    },
}

/// No plugin offers what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no plugin offers the {kind} `{name}`")]
pub struct Unknown {
    /// What was looked for.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The name that was probably meant.
    pub near: Option<String>,
    /// A rejected candidate that would have offered it.
    pub rejected: Option<Box<Rejected>>,
}

impl Unknown {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let Self { kind, name, near, rejected } = self;
        match (rejected, near) {
            (Some(rejected), _) => format!("{} was not taken: {}", rejected.path.display(), rejected.reason),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => {
                format!(
                    "put `packer-{kind}-{name}` next to packwire or into a directory of PACKER_PLUGIN_PATH"
                )
            }
        }
    }
}

impl Catalog {
    /// Looks at the config file and the directories. Starts nothing.
    ///
    /// # Errors
    /// The config file cannot be read or is wrong.
    pub fn find(environment: &Environment) -> Result<Self, CatalogError> {
        let mut catalog = Self::default();
        if let Some((path, file)) = config_file(environment)? {
            catalog.ports = file.ports;
            catalog.take_config(&path, file);
        }
        let mut searched = BTreeSet::new();
        for directory in plugin_path(environment) {
            if directory.is_absolute() {
                catalog.search(&directory, &Origin::PluginPath, &mut searched);
            } else {
                catalog.rejected.push(Rejected { path: directory, reason: Reason::Relative });
            }
        }
        let own = environment.executable.as_ref().and_then(|executable| executable.parent());
        if let Some(own) = own.filter(|own| own.is_absolute()) {
            catalog.search(own, &Origin::BesideUs, &mut searched);
        }
        Ok(catalog)
    }

    /// The plugin to ask for a component: one of that very name, else the family with the longest name that fits.
    ///
    /// # Errors
    /// None may offer it.
    pub fn plugin(&self, kind: Kind, name: &str) -> Result<&Candidate, Unknown> {
        let fitting = || self.candidates.iter().filter(|candidate| candidate.naming.may_offer(kind, name));
        let single = fitting().find(|candidate| matches!(candidate.naming, Naming::Single { .. }));
        single
            .or_else(|| fitting().rev().max_by_key(|candidate| family_length(&candidate.naming)))
            .ok_or_else(|| Unknown {
                kind,
                name: name.to_owned(),
                near: spell::nearest(name, self.names(kind)),
                rejected: self.rejected_offer(kind, name),
            })
    }

    /// The names of this kind that file names tell.
    pub(crate) fn names(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.candidates.iter().filter_map(move |candidate| match &candidate.naming {
            Naming::Single { kind: offered, name } if *offered == kind => Some(name.as_str()),
            Naming::Family { name } => Some(name.as_str()),
            Naming::Single { .. } => None,
        })
    }

    fn rejected_offer(&self, kind: Kind, name: &str) -> Option<Box<Rejected>> {
        let offers = |rejected: &&Rejected| {
            let file = rejected.path.file_name().and_then(|file| file.to_str());
            file.and_then(Naming::of_file).is_some_and(|naming| naming.may_offer(kind, name))
        };
        self.rejected.iter().find(offers).cloned().map(Box::new)
    }

    fn take_config(&mut self, path: &Path, file: ConfigFile) {
        for (kind, name, command) in file.plugins {
            let naming = Naming::Single { kind, name };
            match directory::executable(&command.program) {
                Ok(()) => {
                    self.add(Candidate { naming, command, origin: Origin::ConfigFile(path.to_owned()) })
                }
                Err(reason) => self.rejected.push(Rejected { path: command.program, reason }),
            }
        }
    }

    /// Searches a directory, once however often and by whatever path it is named.
    fn search(&mut self, directory: &Path, origin: &Origin, searched: &mut BTreeSet<PathBuf>) {
        if !searched.insert(directory.canonicalize().unwrap_or_else(|_| directory.to_owned())) {
            return;
        }
        for (path, naming) in directory::list(directory) {
            match naming {
                Ok(naming) => {
                    let command = PluginCommand::new(&path);
                    self.add(Candidate { naming, command, origin: origin.clone() });
                }
                Err(reason) => self.rejected.push(Rejected { path, reason }),
            }
        }
    }

    fn add(&mut self, candidate: Candidate) {
        match self.candidates.iter().find(|earlier| earlier.naming == candidate.naming) {
            Some(earlier) => {
                let reason = Reason::Shadowed(earlier.command.clone());
                self.rejected.push(Rejected { path: candidate.command.program, reason });
            }
            None => self.candidates.push(candidate),
        }
    }
}

fn family_length(naming: &Naming) -> usize {
    match naming {
        Naming::Family { name } | Naming::Single { name, .. } => name.len(),
    }
}

fn plugin_path(environment: &Environment) -> Vec<PathBuf> {
    let path = environment.plugin_path.clone().filter(|path| !path.is_empty());
    path.map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// The file that `PACKER_CONFIG` names must be there; the one in the home may be.
fn config_file(environment: &Environment) -> Result<Option<(PathBuf, ConfigFile)>, CatalogError> {
    let named = environment.config.as_ref().filter(|path| !path.is_empty()).map(PathBuf::from);
    let Some(path) = named.clone().or_else(|| Some(environment.home.as_ref()?.join(".packerconfig"))) else {
        return Ok(None);
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(why) if named.is_none() && why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(CatalogError::Unreadable { path, why }),
    };
    let text = Source::new(&path.to_string_lossy(), &text);
    match config::parse(&text) {
        Ok(file) => Ok(Some((path, file))),
        Err(problems) => Err(CatalogError::Wrong { text, problems }),
    }
}
