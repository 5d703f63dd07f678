//! The plain values that every piece of work uses, each with its `read` and `write`.
use capnp::struct_list;
use packwire_schema::work_capnp as schema;

use crate::{broken::Trouble, limits, place::Place, prepare::Answer, read};

/// What a component may know of where it is used. Texts are empty while a template is only validated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// Identifies the run of the host, for logs.
    pub run_id: String,
    /// The build's name in the template.
    pub build_name: String,
    /// The type of the build's builder.
    pub builder_type: String,
    /// The component's own type.
    pub component_type: String,
    /// The directory of the template, absolute.
    pub template_dir: String,
    /// The host's working directory, absolute.
    pub working_dir: String,
    /// Whether the host debugs the build.
    pub debug: bool,
    /// Whether existing artifacts may be overwritten.
    pub force: bool,
    /// What becomes of a build that fails.
    pub on_error: OnError,
    /// The host's name.
    pub host_name: String,
    /// The host's version.
    pub host_version: String,
    /// A JSON object with reverse-DNS keys; unknown ones are ignored.
    pub extensions: String,
}

/// What becomes of a build that fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// All that it made is removed.
    #[default]
    Cleanup,
    /// All stays as it is.
    Abort,
    /// The user is asked.
    Ask,
    /// The clean-up provisioner runs, then all is removed.
    RunCleanupProvisioner,
}

impl Context {
    pub(crate) fn read(reader: schema::context::Reader<'_>) -> Result<Self, Trouble> {
        Ok(Self {
            run_id: read::text(reader.get_run_id())?,
            build_name: read::text(reader.get_build_name())?,
            builder_type: read::text(reader.get_builder_type())?,
            component_type: read::text(reader.get_component_type())?,
            template_dir: read::text(reader.get_template_dir())?,
            working_dir: read::text(reader.get_working_dir())?,
            debug: reader.get_debug(),
            force: reader.get_force(),
            on_error: OnError::read(reader.get_on_error())?,
            host_name: read::text(reader.get_host_name())?,
            host_version: read::text(reader.get_host_version())?,
            extensions: read::text(reader.get_extensions())?,
        })
    }

    pub(crate) fn write(self, mut builder: schema::context::Builder<'_>) {
        let Self {
            run_id,
            build_name,
            builder_type,
            component_type,
            template_dir,
            working_dir,
            debug,
            force,
            on_error,
            host_name,
            host_version,
            extensions,
        } = self;
        builder.set_run_id(run_id);
        builder.set_build_name(build_name);
        builder.set_builder_type(builder_type);
        builder.set_component_type(component_type);
        builder.set_template_dir(template_dir);
        builder.set_working_dir(working_dir);
        builder.set_debug(debug);
        builder.set_force(force);
        builder.set_on_error(on_error.write());
        builder.set_host_name(host_name);
        builder.set_host_version(host_version);
        builder.set_extensions(extensions);
    }
}

impl OnError {
    fn read(member: Result<schema::context::OnError, capnp::NotInSchema>) -> Result<Self, Trouble> {
        match member.map_err(|member| read::unknown("onError", member))? {
            // A host that does not say wants the usual.
            schema::context::OnError::Unset | schema::context::OnError::Cleanup => Ok(Self::Cleanup),
            schema::context::OnError::Abort => Ok(Self::Abort),
            schema::context::OnError::Ask => Ok(Self::Ask),
            schema::context::OnError::RunCleanupProvisioner => Ok(Self::RunCleanupProvisioner),
        }
    }

    fn write(self) -> schema::context::OnError {
        match self {
            Self::Cleanup => schema::context::OnError::Cleanup,
            Self::Abort => schema::context::OnError::Abort,
            Self::Ask => schema::context::OnError::Ask,
            Self::RunCleanupProvisioner => schema::context::OnError::RunCleanupProvisioner,
        }
    }
}

/// What a plugin says is wrong with the user's input or its own work, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// One line for a person, at most 500 bytes.
    pub summary: String,
    /// More lines; may be empty.
    pub detail: String,
    /// A JSON Pointer into the configuration; empty for the whole.
    pub path: String,
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The work cannot be done.
    Error,
    /// The work can be done, but somebody should look.
    Warning,
}

impl Diagnostic {
    /// An error about the whole configuration, or about the work.
    ///
    /// A summary is one line: what follows the first goes to the detail.
    pub fn error(summary: impl Into<String>) -> Self {
        Self::new(Severity::Error, summary.into())
    }

    /// A warning about the whole configuration, or about the work.
    pub fn warning(summary: impl Into<String>) -> Self {
        Self::new(Severity::Warning, summary.into())
    }

    fn new(severity: Severity, summary: String) -> Self {
        let (line, rest) = summary.split_once('\n').unwrap_or((&summary, ""));
        let line = if line.trim().is_empty() { "unknown reason" } else { line };
        let mut end = line.len().min(limits::SUMMARY_BYTES);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let detail = if end < line.len() { summary.as_str() } else { rest }.trim_end().to_owned();
        Self { severity, summary: line[..end].trim_end().to_owned(), detail, path: String::new() }
    }

    /// The same about one place of the configuration, named by its JSON Pointer.
    #[must_use]
    pub fn at(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// The same with more to read.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    pub(crate) fn read(reader: schema::diagnostic::Reader<'_>) -> Result<Self, Trouble> {
        let severity = match reader.get_severity().map_err(|member| read::unknown("severity", member))? {
            schema::diagnostic::Severity::Unset => return Err(read::unset("severity")),
            schema::diagnostic::Severity::Error => Severity::Error,
            schema::diagnostic::Severity::Warning => Severity::Warning,
        };
        let summary = read::text(reader.get_summary())?;
        let detail = read::text(reader.get_detail())?;
        let path = read::text(reader.get_path())?;
        Ok(Self { severity, summary, detail, path })
    }

    fn write(self, mut builder: schema::diagnostic::Builder<'_>) {
        let Self { severity, summary, detail, path } = self;
        builder.set_severity(match severity {
            Severity::Error => schema::diagnostic::Severity::Error,
            Severity::Warning => schema::diagnostic::Severity::Warning,
        });
        builder.set_summary(summary);
        builder.set_detail(detail);
        builder.set_path(path);
    }
}

pub(crate) fn read_diagnostics(
    reader: capnp::Result<struct_list::Reader<'_, schema::diagnostic::Owned>>,
) -> Result<Vec<Diagnostic>, Trouble> {
    reader?.iter().map(Diagnostic::read).collect()
}

/// The diagnostics of a failure, among which is an error (`outcome.never-unset`).
pub(crate) fn read_failure(
    reader: capnp::Result<struct_list::Reader<'_, schema::diagnostic::Owned>>,
) -> Result<Vec<Diagnostic>, Trouble> {
    let diagnostics = read_diagnostics(reader)?;
    if !diagnostics.iter().any(Diagnostic::is_error) {
        return Err(Trouble::malformed("it failed without an error diagnostic"));
    }
    Ok(diagnostics)
}

/// Writes diagnostics into a list of `len` elements.
pub(crate) fn write_diagnostics(
    diagnostics: Vec<Diagnostic>,
    mut builder: struct_list::Builder<'_, schema::diagnostic::Owned>,
) {
    for (at, diagnostic) in (0..).zip(diagnostics) {
        diagnostic.write(builder.reborrow().get(at));
    }
}

/// What goes out as a failure: at least one error, whatever the author forgot.
pub(crate) fn failure(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if !diagnostics.iter().any(Diagnostic::is_error) {
        diagnostics.push(Diagnostic::error("it failed and gave no reason"));
    }
    diagnostics
}

/// The failure that a panic of author's code becomes.
pub(crate) fn panicked(text: &str) -> Vec<Diagnostic> {
    vec![Diagnostic::error(format!("a bug in the implementation: it panicked: {text}"))]
}

/// The length of a list for Cap'n Proto, where it has 29 bits; our messages end far below.
pub(crate) fn len<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

/// How a piece of work ended that yields nothing but that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is not; at least one diagnostic is an error.
    Failed(Vec<Diagnostic>),
    /// It was cancelled, and what it had begun is undone.
    Cancelled,
}

impl Outcome {
    /// A failure with one error.
    pub fn failed(summary: impl Into<String>) -> Self {
        Self::Failed(vec![Diagnostic::error(summary)])
    }

    pub(crate) fn read(reader: schema::outcome::Reader<'_>) -> Result<Self, Trouble> {
        match reader.which().map_err(|member| read::unknown("outcome", member))? {
            schema::outcome::Unset(()) => Err(read::unset("outcome")),
            schema::outcome::Done(()) => Ok(Self::Done),
            schema::outcome::Failed(diagnostics) => Ok(Self::Failed(read_failure(diagnostics)?)),
            schema::outcome::Cancelled(()) => Ok(Self::Cancelled),
        }
    }

    pub(crate) fn write(self, mut builder: schema::outcome::Builder<'_>) {
        match self {
            Self::Done => builder.set_done(()),
            Self::Failed(diagnostics) => write_failed!(builder, diagnostics),
            Self::Cancelled => builder.set_cancelled(()),
        }
    }
}

impl Answer for Outcome {
    type Struct = schema::outcome::Owned;

    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Failed(diagnostics)
    }

    fn write(self, builder: schema::outcome::Builder<'_>, _: &Place) {
        Outcome::write(self, builder);
    }
}

/// Writes a failure into the member `failed` of an outcome's union.
macro_rules! write_failed {
    ($builder:expr, $diagnostics:expr) => {{
        let diagnostics = $crate::value::failure($diagnostics);
        let list = $builder.init_failed($crate::value::len(&diagnostics));
        $crate::value::write_diagnostics(diagnostics, list);
    }};
}
pub(crate) use write_failed;

/// What `prepare` answers: diagnostics, and where none of them is an error the prepared object.
#[derive(Debug)]
pub struct Prepared<T> {
    /// What is wrong with the configuration; with an object, warnings only.
    pub diagnostics: Vec<Diagnostic>,
    /// The object with the one call `run`, or `open`.
    pub object: Option<T>,
}

impl<T> Prepared<T> {
    /// Prepared, with nothing to remark.
    pub fn ready(object: T) -> Self {
        Self { diagnostics: Vec::new(), object: Some(object) }
    }

    /// Not prepared, and why.
    pub fn refused(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics: failure(diagnostics), object: None }
    }

    /// The same, and exactly one of error and object (`prepare.errors-xor-object`).
    pub(crate) fn settled(self) -> Self {
        let Self { diagnostics, object } = self;
        match object {
            Some(object) if !diagnostics.iter().any(Diagnostic::is_error) => {
                Self { diagnostics, object: Some(object) }
            }
            _ => Self::refused(diagnostics),
        }
    }

    /// As [`Prepared::settled`], of an answer that a peer gave.
    pub(crate) fn checked(self) -> Result<Self, Trouble> {
        match (self.diagnostics.iter().any(Diagnostic::is_error), self.object.is_some()) {
            (true, true) => Err(Trouble::malformed("it prepared an object and reported an error")),
            (false, false) => Err(Trouble::malformed("it prepared nothing and reported no error")),
            _ => Ok(self),
        }
    }

    /// The same with another object.
    pub fn map<U>(self, into: impl FnOnce(T) -> U) -> Prepared<U> {
        Prepared { diagnostics: self.diagnostics, object: self.object.map(into) }
    }
}

impl<T> From<Result<T, Vec<Diagnostic>>> for Prepared<T> {
    fn from(prepared: Result<T, Vec<Diagnostic>>) -> Self {
        match prepared {
            Ok(object) => Self::ready(object),
            Err(diagnostics) => Self::refused(diagnostics),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_one_line_of_at_most_500_bytes() {
        let long = Diagnostic::error(format!("{}\nmore", "ö".repeat(300)));
        assert_eq!((long.summary.len(), long.detail.lines().count()), (500, 2));
        let two = Diagnostic::error("no disk\nplug one in");
        assert_eq!((two.summary.as_str(), two.detail.as_str()), ("no disk", "plug one in"));
    }

    #[test]
    fn a_failure_that_forgot_its_error_gets_one() {
        assert!(failure(vec![Diagnostic::warning("odd")]).iter().any(Diagnostic::is_error));
    }
}
