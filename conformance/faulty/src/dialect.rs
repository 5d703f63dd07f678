//! Plugins that keep every rule in an unusual way, and plugins that do nothing: the suite must be neither stricter nor
//! laxer than SPEC.md.
use clap::ValueEnum;

/// Correct but unusual: every check stays green.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// It waits for the bootstrap capability before it calls attach.
    #[value(name = "dialect-unpipelined")]
    Unpipelined,
    /// Its components answer after half a second.
    #[value(name = "dialect-slow-answers")]
    SlowAnswers,
    /// It logs many lines, with every level and none.
    #[value(name = "dialect-chatty")]
    Chatty,
    /// Its texts are not ASCII.
    #[value(name = "dialect-non-ascii")]
    NonAscii,
    /// Its hello and its components carry extensions that nobody knows.
    #[value(name = "dialect-extensions")]
    Extensions,
    /// Its schemas say that their examples are safe to run.
    #[value(name = "dialect-safe-to-run")]
    SafeToRun,
    /// It starts a child before it attaches, which lives as long as it does.
    #[value(name = "dialect-child")]
    Child,
    /// It hears late that its session is over.
    #[value(name = "dialect-late-end")]
    LateEnd,
    /// It releases what it has no more use of when it has been idle for a while.
    #[value(name = "dialect-late-release")]
    LateRelease,
    /// Its builder has events of its own beside those of the provisioning.
    #[value(name = "dialect-own-events")]
    OwnEvents,
    /// Its runs say some lines more, another number each time.
    #[value(name = "dialect-more-each-time")]
    MoreEachTime,
    /// Its artifacts take more than ten seconds to be destroyed.
    #[value(name = "dialect-slow-destroy")]
    SlowDestroy,
    /// The commands of its machine are dead for a while before it asks how they ended.
    #[value(name = "dialect-late-reaping")]
    LateReaping,
}

/// Too little to be called conformant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Null {
    /// It exits at once, with 0.
    #[value(name = "null-exits")]
    Exits,
    /// It attaches, and refuses every call.
    #[value(name = "null-refuses")]
    Refuses,
}
