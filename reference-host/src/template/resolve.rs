//! [`Template`] × [`Variables`] → builds whose names and configurations hold no function any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::check;
use super::config::{Config, Known, Learned};
use super::expression::Phrase;
use super::function;
use super::parts::{Builder, DataSource, EventHook, Grants, PostProcessor, Provisioner, Word};
use super::problem::{Problem, TemplateError};
use super::read::Template;
use super::source::{Node, Shape};
use super::variables::Variables;

/// What template functions learn about the world; one for a whole run, so that all builds see one time.
#[derive(Clone, Debug)]
pub struct RunContext {
    /// `timestamp`, `isotime` and `strftime`.
    pub started: OffsetDateTime,
    /// `template_dir`: the directory of the template, absolute.
    pub template_dir: String,
    /// `pwd`: the host's working directory.
    pub pwd: String,
    /// `env`.
    pub environment: BTreeMap<String, String>,
    /// `uuid`: a new one at each call.
    pub uuid: fn() -> String,
}

/// A template with everything resolved that the host can resolve before it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// In the order of the template.
    pub data: Vec<ResolvedData>,
    /// In the order of the template.
    pub builds: Vec<ResolvedBuild>,
}

/// One look-up.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedData {
    /// How `{{data}}` calls it.
    pub name: Word,
    /// Which data source component.
    pub component: Word,
    /// What it is given.
    pub config: Config,
    /// What it may use beyond the rest.
    pub grants: Grants,
}

/// One build.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedBuild {
    /// Unique in the template.
    pub name: String,
    /// Which builder component.
    pub component: Word,
    /// What the builder is given.
    pub config: Config,
    /// Those that run in this build, in order.
    pub provisioners: Vec<ResolvedProvisioner>,
    /// What runs on the machine when provisioning failed.
    pub cleanup: Option<ResolvedProvisioner>,
    /// What else runs at events of this build, in order.
    pub hooks: Vec<ResolvedHook>,
    /// Each begins with what the builder made; none is empty.
    pub sequences: Vec<Vec<ResolvedPostProcessor>>,
}

/// One provisioner as it runs in one build.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedProvisioner {
    /// Which provisioner component.
    pub component: Word,
    /// What it is given in this build.
    pub config: Config,
    /// How long to wait before it starts.
    pub pause_before: Duration,
    /// How long one attempt may take, the pause included.
    pub timeout: Option<Duration>,
    /// How often it is tried again after a failure.
    pub max_retries: u32,
    /// What it may use beyond the rest.
    pub grants: Grants,
}

/// One hook component at one event.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedHook {
    /// When it runs.
    pub event: String,
    /// Which hook component.
    pub component: Word,
    /// Nothing: hooks are not configured.
    pub config: Config,
    /// What it may use beyond the rest.
    pub grants: Grants,
}

/// One post-processor as it runs in one build.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedPostProcessor {
    /// Which post-processor component.
    pub component: Word,
    /// How `-except` calls it.
    pub name: String,
    /// What it is given in this build.
    pub config: Config,
    /// Whether its input stays, where the template says so.
    pub keep_input: Option<bool>,
    /// What it may use beyond the rest.
    pub grants: Grants,
}

impl Template {
    /// Resolves every build.
    ///
    /// # Errors
    /// Everything that cannot be resolved, at once.
    pub fn resolve(&self, variables: &Variables, run: &RunContext) -> Result<Resolved, TemplateError> {
        let known =
            Known { source: self.source.clone(), values: variables.values().clone(), run: run.clone() };
        let mut resolver = Resolver { template: self, known: Arc::new(known), problems: Vec::new() };
        let names: Vec<Word> = self.builders.iter().map(|builder| resolver.name(builder)).collect();
        resolver.problems.extend(check::names(&names, self));
        let data = self.data.iter().map(|source| resolver.data(source)).collect();
        let builds = self.builders.iter().zip(names);
        let builds = builds.map(|(builder, name)| resolver.build(builder, name.text)).collect();
        if resolver.problems.is_empty() {
            return Ok(Resolved { data, builds });
        }
        Err(TemplateError::Wrong { text: self.source.clone(), problems: resolver.problems })
    }
}

struct Resolver<'a> {
    template: &'a Template,
    known: Arc<Known>,
    problems: Vec<Problem>,
}

impl Resolver<'_> {
    fn name(&mut self, builder: &Builder) -> Word {
        let Word { text, span } = builder.label().clone();
        let phrase = Phrase { source: &self.known.source, literal: span, text: &text };
        let rendered = function::render(phrase, self.known.scope(None, Learned::default()));
        let text = rendered.unwrap_or_else(|problem| {
            self.problems.push(problem);
            text.clone()
        });
        Word { text, span }
    }

    fn data(&mut self, source: &DataSource) -> ResolvedData {
        let DataSource { name, component, grants, config } = source;
        let config = Config::of(config, &self.known, None, &mut self.problems);
        ResolvedData { name: name.clone(), component: component.clone(), config, grants: *grants }
    }

    fn build(&mut self, builder: &Builder, name: String) -> ResolvedBuild {
        let template = self.template;
        let build = (name.as_str(), builder.component.text.as_str());
        let config = self.config(&builder.config, build);
        let mut provisioner = |provisioner: &Provisioner| {
            provisioner.builds.includes(&name).then(|| self.provisioner(provisioner, build))
        };
        let provisioners = template.provisioners.iter().filter_map(&mut provisioner).collect();
        let cleanup = template.cleanup.as_ref().and_then(provisioner);
        let hooks = template.hooks.iter().filter(|hook| hook.builds.includes(&name));
        let hooks = hooks.map(|hook| self.hook(hook, build)).collect();
        let sequences = template.post_processors.iter().map(|sequence| self.sequence(sequence, build));
        let sequences = sequences.filter(|sequence| !sequence.is_empty()).collect();
        let component = builder.component.clone();
        ResolvedBuild { name, component, config, provisioners, cleanup, hooks, sequences }
    }

    fn provisioner(&mut self, provisioner: &Provisioner, build: (&str, &str)) -> ResolvedProvisioner {
        let config = self.config(&overridden(provisioner, build.0), build);
        ResolvedProvisioner {
            component: provisioner.component.clone(),
            config,
            pause_before: provisioner.pause_before,
            timeout: provisioner.timeout,
            max_retries: provisioner.max_retries,
            grants: provisioner.grants,
        }
    }

    fn hook(&mut self, hook: &EventHook, build: (&str, &str)) -> ResolvedHook {
        let EventHook { event, component, builds: _, grants } = hook.clone();
        let nothing = Node { span: component.span, shape: Shape::Object(Vec::new()) };
        let config = self.config(&nothing, build);
        ResolvedHook { event: event.text, component, config, grants }
    }

    fn sequence(&mut self, sequence: &[PostProcessor], build: (&str, &str)) -> Vec<ResolvedPostProcessor> {
        let running = sequence.iter().filter(|post_processor| post_processor.builds.includes(build.0));
        running.map(|post_processor| self.post_processor(post_processor, build)).collect()
    }

    fn post_processor(&mut self, one: &PostProcessor, build: (&str, &str)) -> ResolvedPostProcessor {
        ResolvedPostProcessor {
            component: one.component.clone(),
            name: one.name.as_ref().unwrap_or(&one.component).text.clone(),
            config: self.config(&one.config, build),
            keep_input: one.keep_input,
            grants: one.grants,
        }
    }

    fn config(&mut self, node: &Node, build: (&str, &str)) -> Config {
        Config::of(node, &self.known, Some(build), &mut self.problems)
    }
}

/// The configuration with the members that the build's override replaces or adds.
fn overridden(provisioner: &Provisioner, build: &str) -> Node {
    let mut config = provisioner.config.clone();
    let Shape::Object(members) = &mut config.shape else { return config };
    for (_, replacement) in provisioner.overrides.iter().filter(|(name, _)| name.text == build) {
        let Shape::Object(replacements) = &replacement.shape else { continue };
        for replacement in replacements {
            members.retain(|member| member.key != replacement.key);
            members.push(replacement.clone());
        }
    }
    config
}

#[cfg(test)]
mod tests;
