//! What both components do with a configuration, and everything that can be done wrong with it.
use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    fs::File,
    io::Write,
    net::UdpSocket,
    path::{Path, PathBuf},
};

use packwire_schema::work_capnp::context::{self, OnError};

use super::{
    Green,
    config::{Config, Half, Problem},
    crash, keys,
};
use crate::{fault::Fault, log};

/// What `prepare` answers.
pub(super) struct Verdict {
    /// The configuration to make an object of.
    pub(super) config: Option<Config>,
    /// What is wrong, or odd, with it.
    pub(super) problems: Vec<Problem>,
}

/// `prepare` of one kind: what is wrong with a configuration, or the object that will work by it.
macro_rules! prepared {
    ($kind:ident, $set:ident, $object:expr) => {
        async fn prepare(
            self: std::rc::Rc<Self>,
            params: $kind::PrepareParams,
            mut results: $kind::PrepareResults,
        ) -> Result<(), capnp::Error> {
            use $crate::{fault::Fault, green::prepare};
            self.0.greet().await?;
            $crate::green::turn::wait_for_builds(self.0.manner.fault()).await;
            if self.0.manner.hurts($crate::hurt::Hurt::Diagnostics) {
                $crate::hurt::first().await;
                results.get().init_diagnostics(1_000_000).get(999_999).set_summary("the last of a million");
                return Ok(());
            }
            let lent = params.get()?;
            if self.0.manner.commits(Fault::ExpandsBomb) {
                let mut copy = capnp::message::Builder::new_default();
                drop(copy.set_root::<$kind::prepare_params::Owned>(lent));
            }
            let verdict = prepare::read(self.0, lent.get_config()?.as_bytes(), lent.get_context()?)?;
            if let Some(config) = verdict.config {
                let object = $object;
                results.get().$set(capnp_rpc::new_client(object(self.0, config)));
            }
            $crate::green::outcome::write(&verdict.problems, |count| results.get().init_diagnostics(count));
            if self.0.manner.commits(Fault::LeaksUnknownCaps) {
                std::mem::forget(params);
            }
            Ok(())
        }
    };
}
pub(super) use prepared;

thread_local! {
    /// What faults remember from one call to the next.
    static SEEN: RefCell<HashSet<Vec<u8>>> = RefCell::default();
    static POISONED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Config>> = const { RefCell::new(None) };
}

/// Reads a configuration; an error is an exception, which only a fault throws.
pub(super) fn read(green: Green, text: &[u8], context: context::Reader<'_>) -> Result<Verdict, capnp::Error> {
    let fault = green.manner.fault();
    before(fault, text, context)?;
    let verdict = match Config::read(&keys::taken(fault, text)) {
        Ok(mut config) => {
            config.half = half(fault, context);
            config.force = context.get_force();
            config.file = config.file.map(|file| placed(fault, &file, context)).transpose()?;
            Verdict { problems: config.remarks(), config: Some(config) }
        }
        Err(problems) => Verdict { config: None, problems },
    };
    if let (Some(Fault::GlobalConfig), Some(config)) = (fault, &verdict.config) {
        LAST.set(Some(config.clone()));
    }
    after(fault, text, verdict)
}

/// What the context says of the half-made; it goes where that is unset or unknown, except where that is the fault.
fn half(fault: Option<Fault>, context: context::Reader<'_>) -> Half {
    match context.get_on_error() {
        Ok(OnError::Abort) => Half::Stays,
        Ok(OnError::Ask) => Half::Asked,
        Err(_) if fault == Some(Fault::UnknownWishAsAbort) => Half::Stays,
        Ok(_) | Err(_) => Half::Goes,
    }
}

/// The path of a file that a configuration names.
fn placed(fault: Option<Fault>, file: &str, context: context::Reader<'_>) -> Result<String, capnp::Error> {
    let directory = match fault {
        Some(Fault::RelativeToItsCwd) => return Ok(file.to_owned()),
        Some(Fault::RelativeToTheTemplate) => context.get_template_dir()?,
        _ => context.get_working_dir()?,
    };
    Ok(Path::new(directory.to_str()?).join(file).display().to_string())
}

/// The configuration of a run: that which was prepared, except where that is the fault.
pub(super) fn config_of(green: Green, prepared: &Config) -> Config {
    let last = match green.manner.fault() {
        Some(Fault::GlobalConfig) => LAST.with_borrow(Clone::clone),
        _ => None,
    };
    respelt(green, last.unwrap_or_else(|| prepared.clone()))
}

/// The same with its texts as a fault spells them.
pub(super) fn respelt(green: Green, mut config: Config) -> Config {
    if green.manner.commits(Fault::AsciiOnly) {
        let ascii =
            |text: &mut String| *text = text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        config.lines.iter_mut().chain(&mut config.commands).for_each(ascii);
        ascii(&mut config.name);
    }
    config
}

/// What a fault does before it looks at the configuration.
fn before(fault: Option<Fault>, text: &[u8], context: context::Reader<'_>) -> Result<(), capnp::Error> {
    match fault {
        Some(Fault::PanicsOnNull) if text == b"null" => crash("null"),
        Some(Fault::PanicsOnBadUtf8) if std::str::from_utf8(text).is_err() => crash("no UTF-8"),
        Some(Fault::PanicsOnShortStruct) if context.get_host_version()?.is_empty() => crash("no version"),
        Some(Fault::RejectsExtraFields) if is_larger_than_known(context)? => {
            return Err(capnp::Error::failed("the context is too large".to_owned()));
        }
        Some(Fault::SmallBuffer) if text.len() > 64 << 10 => {
            return Err(capnp::Error::failed("the buffer is full".to_owned()));
        }
        Some(Fault::PanicsOnHugeNumber) if text.windows(5).any(|five| five == b"1e308") => crash("1e308"),
        Some(Fault::RecursionOverflow) => drop(depth(text)),
        Some(Fault::PrepareCreatesFiles) => {
            let directory = std::env::var_os("TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
            drop(File::create(directory.join("validated")));
        }
        Some(Fault::PrepareDialsCloud) => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect("127.0.0.1:9")?;
            std::mem::forget(socket);
        }
        Some(Fault::LogsSynchronously) => log::bare("[DEBUG] preparing"),
        Some(Fault::DiesOnEpipe) if writeln!(std::io::stderr(), "[DEBUG] preparing").is_err() => {
            crash("a log that nobody reads");
        }
        Some(Fault::MemoryLeak) => std::mem::forget(vec![1_u8; 256 << 10]),
        Some(Fault::FdLeak) => std::mem::forget(File::open("/dev/null")?),
        _ => {}
    }
    Ok(())
}

/// What a fault makes of the verdict.
fn after(fault: Option<Fault>, text: &[u8], verdict: Verdict) -> Result<Verdict, capnp::Error> {
    let Verdict { mut config, mut problems } = verdict;
    let bad = config.is_none();
    match fault {
        Some(Fault::ExceptionForBadConfig) if bad => {
            return Err(capnp::Error::failed("the configuration is bad".to_owned()));
        }
        Some(Fault::BuildDespiteError) if bad => config = Some(Config::default()),
        Some(Fault::SilentNoBuild) => problems.clear(),
        Some(Fault::FirstErrorOnly) => problems.truncate(1),
        Some(Fault::WarningIsError) if !problems.is_empty() => {
            config = None;
            problems.iter_mut().for_each(Problem::worsen);
        }
        Some(Fault::PrepareAccumulates)
            if bad && !SEEN.with_borrow_mut(|seen| seen.insert(text.to_vec())) =>
        {
            problems.push(Problem::at("", "it was wrong before, too"));
        }
        Some(Fault::SchemaStricterThanCode) => forgive(&mut config, &mut problems, |path| path == "/keep"),
        Some(Fault::IgnoresUnknownKeys) => forgive(&mut config, &mut problems, is_unknown),
        Some(Fault::ExampleRefused) if config.as_ref().is_some_and(|config| config.lines.len() == 2) => {
            config = None;
            problems.push(Problem::at("/lines", "two are one too many"));
        }
        Some(Fault::PoisonedAfterError) => {
            if POISONED.replace(bad) && !bad {
                config = None;
                problems.push(Problem::at("", "the last configuration was wrong"));
            }
        }
        _ => problems.iter_mut().for_each(|problem| problem.spoil(fault)),
    }
    Ok(Verdict { config, problems })
}

/// Overlooks some problems; without any the configuration is that of nobody in particular.
fn forgive(config: &mut Option<Config>, problems: &mut Vec<Problem>, forgiven: impl Fn(&str) -> bool) {
    problems.retain(|problem| !forgiven(problem.path()));
    if problems.is_empty() && config.is_none() {
        *config = Some(Config::default());
    }
}

fn is_unknown(path: &str) -> bool {
    let known = [
        "/name",
        "/lines",
        "/keep",
        "/wait",
        "/ask",
        "/fail",
        "/bug",
        "/crash",
        "/number",
        "/child",
        "/machine",
        "/repeat",
        "/upload",
        "/commands",
        "/file",
        "/password",
    ];
    !path.is_empty() && !known.iter().any(|known| path.starts_with(known))
}

/// How deep a text is nested, found with much of the stack for each level.
fn depth(text: &[u8]) -> usize {
    let opens = |byte: &u8| matches!(byte, b'[' | b'{');
    match text.iter().position(opens) {
        Some(at) => {
            let frame = std::hint::black_box([0_u8; 4096]);
            1 + depth(&text[at + 1..]) + usize::from(frame[at % 4096])
        }
        None => 0,
    }
}

/// Whether the struct is larger than this version's, beside its texts.
fn is_larger_than_known(context: context::Reader<'_>) -> Result<bool, capnp::Error> {
    let texts = [
        context.get_run_id()?,
        context.get_build_name()?,
        context.get_builder_type()?,
        context.get_component_type()?,
        context.get_template_dir()?,
        context.get_working_dir()?,
        context.get_host_name()?,
        context.get_host_version()?,
        context.get_extensions()?,
    ];
    let words = |length: usize| if length == 0 { 0 } else { (length + 1).div_ceil(8) };
    let known: usize = 10 + texts.iter().map(|text| words(text.len())).sum::<usize>();
    Ok(context.total_size()?.word_count > known as u64)
}
