//! Every fault that this plugin can commit, and the requirement that each breaks.
//!
//! A fault is committed in one place: where the green plugin does the right thing, one arm does the wrong one.
use clap::ValueEnum;

/// One deliberate sin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Started without the variables, it waits on stdin for a handshake.
    WaitsForStdin,
    /// Started without the variables, it says what it is and exits with 0.
    #[value(name = "exit-0-standalone")]
    Exit0Standalone,
    /// It dials a default address where it cannot parse the one that it was given.
    DefaultAddressFallback,
    /// It crashes on an address that it cannot parse.
    PanicsOnParse,
    /// Where nothing listens, it dials again and again.
    RetriesForever,
    /// It takes `%41` in a socket path for `A`.
    UrlDecodesPath,
    /// It cuts a socket path off after 96 bytes.
    TruncatesPath,
    /// It knows no `tcp:` address.
    UnixOnly,
    /// Given a `tcp:` address, it listens on all interfaces and waits to be dialled.
    #[value(name = "binds-0.0.0.0")]
    BindsAllInterfaces,
    /// It refuses to start without the argument `start`.
    NeedsArgvStart,
    /// It refuses a PACKER_PLUGIN_* variable that it does not know.
    RejectsUnknownEnv,
    /// It refuses to start without HOME.
    NeedsHome,
    /// It writes a log file into the working directory.
    WritesCwdLog,
    /// It resolves a configuration file against the directory above the working directory, and gives up where there is none.
    OpensRelativeConfig,
    /// It reads what is on stdin.
    ReadsStdin,
    /// It attaches 6 s after it was started.
    SlowStart,
    /// It opens a second connection beside the first.
    SecondConnection,
    /// It listens on a TCP port for a debugger.
    DebugHttpPort,

    /// It dials, asks for the bootstrap capability, and never attaches.
    DialsWithoutAttach,
    /// It calls attach a second time while the first is pending.
    AttachesTwice,
    /// Refused, it connects and attaches again.
    RetriesAfterRefusal,
    /// Refused, it prints the reason and exits with 0.
    #[value(name = "exits-0-when-refused")]
    Exits0WhenRefused,
    /// It gives up an attach that was not answered within 3 s.
    AttachTimeout,
    /// It polls while it has nothing to do.
    IdleSpin,
    /// Its components throw until a second has passed since it attached.
    LazyInitError,
    /// It gives up a bootstrap that was not answered within a second.
    #[value(name = "bootstrap-1s-timeout")]
    Bootstrap1sTimeout,
    /// Its hello has no name.
    EmptyName,
    /// It offers the same builder twice.
    DuplicateComponent,
    /// One of its components is of no kind.
    UnsetComponent,
    /// One of its components has a kind but no capability.
    NullCapability,
    /// Its configSchema is not JSON.
    SchemaNotJson,
    /// Its configSchema is JSON, but no JSON Schema.
    SchemaInvalid,
    /// An example in its configSchema does not validate against it.
    ExampleFailsSchema,
    /// Its components have neither summary nor documentation.
    NoSummary,
    /// Its binary is named after another component than it offers.
    WrongNameForFile,
    /// It opens a connection of its own to report that it is used.
    PhonesHome,
    /// It creates a cache directory that nobody asked for.
    CreatesCacheDir,

    /// It attaches with version 1 although that was not offered.
    AttachesWithUnofferedVersion,
    /// Without a common version, it exits with 3 and does not say why.
    SilentRefusal,
    /// It understands the offer `1` only.
    ExactMatchOnly,
    /// It takes the highest of the offered versions by comparing texts.
    StringCompareVersion,
    /// Its hello declares version 0.
    VersionZero,
    /// It takes an offer that it cannot parse for version 1.
    DefaultVersionOnGarbage,

    /// It takes many leading zeros off the token.
    TokenTrimmed,
    /// It decodes the token and encodes it again, in small letters.
    TokenDecoded,
    /// Its attach refused with an exception, it connects and attaches again.
    TokenRetry,
    /// It logs its whole environment.
    LogsEnvironment,

    /// It prints a banner on stdout.
    PrintsBanner,
    /// It colours its log although stderr is not a terminal.
    AnsiOnPipe,
    /// Its log is Latin-1.
    #[value(name = "latin1-log")]
    Latin1Log,

    /// It stays after it was told to leave.
    LivesAfterLeave,
    /// Told to leave, it exits with 1.
    #[value(name = "exit-1-on-leave")]
    Exit1OnLeave,
    /// It stays after the connection was closed.
    LivesAfterDisconnect,
    /// Its connection closed, it exits with 0.
    #[value(name = "exit-0-on-disconnect")]
    Exit0OnDisconnect,
    /// It goes on after the host has closed its sending side.
    IgnoresHalfClose,
    /// Its connection broken, it leaves a process of its own behind.
    Orphan,
    /// Its connection closed, it connects again.
    Reconnects,
    /// It ignores SIGTERM.
    IgnoresSigterm,

    /// It crashes on the configuration `null`.
    PanicsOnNull,
    /// It throws for a configuration that is wrong.
    ExceptionForBadConfig,
    /// It answers an object beside the errors.
    BuildDespiteError,
    /// It answers neither an object nor an error.
    SilentNoBuild,
    /// Its prepare leaves a file in TMPDIR.
    PrepareCreatesFiles,
    /// Its prepare opens a connection.
    PrepareDialsCloud,
    /// It finds more wrong with a configuration when it sees it again.
    PrepareAccumulates,
    /// It takes values that its schema refuses.
    SchemaStricterThanCode,
    /// It refuses one of the examples of its schema.
    ExampleRefused,
    /// It ignores keys that it does not know.
    IgnoresUnknownKeys,
    /// The paths of all its diagnostics are empty.
    EmptyPaths,
    /// The paths of its diagnostics are names of fields in its source.
    GoFieldNamePaths,

    /// It crashes when an unknown method is called.
    SessionDiesOnUnknownMethod,
    /// Its diagnostics have no summary.
    EmptySummary,
    /// The summaries of its diagnostics have many lines.
    MultiPageSummary,
    /// Its diagnostics begin with the head of a stack trace.
    TracebackInSummary,
    /// After it refused a configuration it refuses a good one, too.
    PoisonedAfterError,

    /// Each prepare leaves a descriptor open.
    FdLeak,

    /// It overflows its stack on deep nesting.
    RecursionOverflow,
    /// It throws for a configuration above 64 KiB.
    SmallBuffer,
    /// It makes letters small as the user's language does.
    LocaleLowercase,
    /// It crashes on a configuration that is not UTF-8.
    #[value(name = "panics-on-bad-utf8")]
    PanicsOnBadUtf8,

    /// It throws when a struct is larger than it knows.
    RejectsExtraFields,
    /// It crashes when a field that it uses is missing.
    PanicsOnShortStruct,

    /// Its children have the token in their environment.
    ChildInheritsEnv,
    /// It logs its whole configuration, with the secrets.
    DumpsConfig,
    /// Told to leave in a run, it leaves a half-made file.
    LeaveLeaks,
    /// Its link lost in a run, it leaves a half-made file.
    DisconnectLeaks,
    /// Its runs leave a process that outlives it.
    Daemonises,

    /// It runs a prepared object again.
    DoubleRun,
    /// Its runs work with the configuration that was prepared last.
    GlobalConfig,
    /// It forgets to say how its runs ended.
    ForgottenOutcome,
    /// It throws when its work fails.
    ExceptionForFailedWork,
    /// It crashes when a capability that it is lent is null.
    PanicsOnNullCapability,
    /// It answers 9 MiB of generated data.
    GiantResult,
    /// It puts question marks in place of all that is not ASCII.
    AsciiOnly,

    /// Its artifact is null.
    NullArtifact,
    /// Its failures hold no diagnostic.
    EmptyFailure,
    /// It never calls the hook.
    SkipsHook,
    /// It lends the hook a communicator that answers nothing.
    DeadCommunicator,
    /// It answers an artifact although the provisioning failed.
    SuccessAfterHookFailure,
    /// It does not call the hook to clean up.
    SkipsCleanupHook,
    /// It does its work here instead of on the machine.
    RunsLocally,
    /// It succeeds without a machine.
    IgnoresNullCommunicator,
    /// It ignores the status of its commands.
    IgnoresExitStatus,
    /// It crashes when its machine throws.
    PanicsOnCommError,
    /// It succeeds when a command was lost.
    SuccessOnTruncatedOutput,
    /// It destroys the artifact that goes in.
    DestroysInput,
    /// It changes the files of the artifact that goes in.
    ChangesInput,
    /// It does not say what becomes of its input.
    KeepDefault,
    /// A member of its value has another type than it declared.
    WrongType,
    /// Its value has a member that it did not declare.
    ExtraField,
    /// Its hook fails for an event that it does not know.
    UnknownHookFails,
    /// It splits its arguments at blanks.
    ShellSplitsArgs,

    /// The id of its artifact is another one each time.
    ArtifactIdChanges,
    /// Its artifact is gone when its build is over.
    ArtifactDiesWithBuild,
    /// It fails to destroy an artifact a second time.
    DestroyNotIdempotent,
    /// It says that files are destroyed, and they are there.
    DestroyLies,
    /// It says its lines in another order.
    ParallelSay,
    /// It does not say its last line.
    LosesALine,
    /// It asks again until it has an answer.
    AskLoops,
    /// It hangs when the Ui fails.
    IgnoresSayErrors,
    /// It says everything at once, however slowly it is heard.
    UnboundedSay,
    /// It writes everything at once, however slowly it is taken.
    FireAndForgetWrite,
    /// It gives up a write that was not answered within a second.
    GivesUpWhenStalled,
    /// It writes again what was answered late.
    ResendsChunk,
    /// It answers before its last words were heard.
    OutcomeOvertakesOutput,
    /// It sends a file in one write.
    OneGiantWrite,
    /// It does not end the streams that it writes into.
    ForgetsEnd,
    /// It ends a stream twice.
    DoubleEnd,
    /// It writes into a stream that it has ended.
    WriteAfterEnd,
    /// It goes on when a write failed.
    SwallowsWriteError,

    /// It never looks at its cancellation.
    CancelIgnored,
    /// Cancelled, it leaves a half-made file.
    CancelLeaks,
    /// It hangs when it is cancelled before it begins.
    CancelBeforeRunHangs,
    /// Its runs end only when they are cancelled.
    RunWaitsForCancelToEnd,
    /// What it waits for never hears of the cancellation.
    CancelDeafInHook,
    /// One cancellation ends all of its runs.
    CancelsAll,
    /// It ends itself when its cancellation is taken back.
    RevokedKillsGroup,
    /// It ends on SIGINT.
    DiesOnSigint,
    /// It says something after its run has answered.
    KeepsUi,
    /// It does not wait for a child that has ended.
    ZombieChild,
    /// A child of a run lives on.
    BackgroundChild,
    /// Its children hold the socket of the link.
    SocketInherited,
    /// Its runs leave a file in TMPDIR.
    TempLeftBehind,

    /// It carries the output of commands as UTF-8, and replaces what is none.
    #[value(name = "utf8-lossy-output")]
    Utf8LossyOutput,
    /// It translates the line ends of what it carries.
    CrlfTranslation,
    /// It mixes the two outputs of a command.
    MergesStderr,
    /// It tells the status before all of the output was taken.
    ExitBeforeDrain,
    /// The end of the input never reaches the command.
    StdinNeverClosed,
    /// It fails an input that the command does not read.
    EpipeFailsEnd,
    /// It tells the status 0 when a signal ended a command.
    StatusZeroOnSignal,
    /// It tells the number of a signal in place of its name.
    SignalAsNumber,
    /// It takes a file of another size than was announced.
    AcceptsShortUpload,
    /// It keeps what had come of an aborted upload.
    AbortKeepsFile,
    /// A command that was cancelled goes on.
    OrphanRemoteCommand,
    /// It unpacks whatever name an archive holds.
    TarSlip,
    /// It unpacks files without their modes.
    TreeLosesMode,

    /// It never settles what it has remembered.
    NeverSettles,
    /// It fails to recover what is gone already.
    RecoveryFailsWhenGone,
    /// It does not give back what it was lent of the cache.
    KeepsLease,
}

impl Fault {
    /// The id of the requirement that it breaks, as SPEC.md has it.
    pub(crate) fn requirement(self) -> &'static str {
        match self {
            Self::WaitsForStdin | Self::Exit0Standalone => "launch.not-a-host",
            Self::DefaultAddressFallback | Self::PanicsOnParse => "launch.bad-address",
            Self::RetriesForever => "launch.refused-address",
            Self::UrlDecodesPath | Self::TruncatesPath => "launch.unix-path-verbatim",
            Self::UnixOnly | Self::BindsAllInterfaces => "launch.tcp-and-unix",
            Self::NeedsArgvStart | Self::RejectsUnknownEnv => "launch.no-arguments",
            Self::NeedsHome => "launch.minimal-environment",
            Self::WritesCwdLog | Self::OpensRelativeConfig => "launch.any-cwd",
            Self::ReadsStdin => "launch.stdin-untouched",
            Self::SlowStart => "launch.dial-deadline",
            Self::SecondConnection | Self::DebugHttpPort => "launch.one-connection",
            Self::DialsWithoutAttach => "attach.bootstrap-then-attach",
            Self::AttachesTwice => "attach.once",
            Self::RetriesAfterRefusal | Self::Exits0WhenRefused => "attach.refused",
            Self::AttachTimeout | Self::IdleSpin => "attach.pending-is-normal",
            Self::LazyInitError => "attach.live-at-once",
            Self::Bootstrap1sTimeout => "attach.patient",
            Self::EmptyName | Self::DuplicateComponent | Self::UnsetComponent | Self::NullCapability => {
                "attach.hello-complete"
            }
            Self::SchemaNotJson | Self::SchemaInvalid | Self::ExampleFailsSchema => "attach.schemas-valid",
            Self::NoSummary => "attach.summary-one-line",
            Self::WrongNameForFile => "attach.name-matches-file",
            Self::PhonesHome | Self::CreatesCacheDir => "attach.no-side-effects",
            Self::AttachesWithUnofferedVersion | Self::SilentRefusal => "version.refusal-is-final",
            Self::ExactMatchOnly | Self::StringCompareVersion => "version.newer-host",
            Self::VersionZero => "version.declared",
            Self::DefaultVersionOnGarbage => "version.bad-offer",
            Self::TokenTrimmed | Self::TokenDecoded => "token.exact-bytes",
            Self::TokenRetry => "token.refused",
            Self::LogsEnvironment => "token.not-echoed",
            Self::PrintsBanner => "log.stdout-silent",
            Self::AnsiOnPipe | Self::Latin1Log => "log.stderr-utf8-lines",
            Self::LivesAfterLeave | Self::Exit1OnLeave => "exit.leave",
            Self::LivesAfterDisconnect | Self::Exit0OnDisconnect => "exit.disconnect-idle",
            Self::IgnoresHalfClose => "exit.half-close",
            Self::Orphan => "exit.host-killed",
            Self::Reconnects => "exit.no-redial",
            Self::IgnoresSigterm => "exit.terminate-signal",
            Self::PanicsOnNull | Self::ExceptionForBadConfig => "prepare.answers",
            Self::BuildDespiteError | Self::SilentNoBuild => "prepare.errors-xor-object",
            Self::PrepareCreatesFiles | Self::PrepareDialsCloud => "prepare.pure",
            Self::PrepareAccumulates => "prepare.repeatable",
            Self::SchemaStricterThanCode | Self::ExampleRefused => "prepare.schema-agrees",
            Self::IgnoresUnknownKeys => "prepare.unknown-key",
            Self::EmptyPaths | Self::GoFieldNamePaths => "prepare.diagnostic-paths",
            Self::SessionDiesOnUnknownMethod => "error.unimplemented",
            Self::EmptySummary | Self::MultiPageSummary => "error.readable",
            Self::TracebackInSummary => "error.no-internals",
            Self::PoisonedAfterError => "error.session-survives",
            Self::FdLeak => "resource.fds-steady",
            Self::RecursionOverflow => "robust.deep-nesting",
            Self::SmallBuffer => "limits.config-1mib",
            Self::LocaleLowercase => "text.locale",
            Self::PanicsOnBadUtf8 => "text.invalid-utf8",
            Self::RejectsExtraFields => "evolve.extra-fields",
            Self::PanicsOnShortStruct => "evolve.shorter-structs",
            Self::ChildInheritsEnv => "env.not-inherited",
            Self::DumpsConfig => "log.sensitive-values",
            Self::LeaveLeaks => "exit.leave-while-running",
            Self::DisconnectLeaks => "exit.disconnect-running",
            Self::Daemonises => "exit.no-descendants",
            Self::DoubleRun => "run.once",
            Self::GlobalConfig => "run.independent",
            Self::ForgottenOutcome => "outcome.never-unset",
            Self::ExceptionForFailedWork => "error.expected-is-data",
            Self::PanicsOnNullCapability => "robust.null-arguments",
            Self::GiantResult => "limits.message-out",
            Self::AsciiOnly => "text.unicode",
            Self::NullArtifact | Self::EmptyFailure => "builder.outcome-set",
            Self::SkipsHook | Self::DeadCommunicator => "builder.hook-once",
            Self::SuccessAfterHookFailure => "builder.hook-failure",
            Self::SkipsCleanupHook => "builder.cleanup-hook",
            Self::RunsLocally | Self::IgnoresNullCommunicator => "provisioner.only-communicator",
            Self::IgnoresExitStatus => "provisioner.exit-status",
            Self::PanicsOnCommError | Self::SuccessOnTruncatedOutput => "provisioner.broken-communicator",
            Self::DestroysInput | Self::ChangesInput => "postproc.input-untouched",
            Self::KeepDefault => "postproc.keep-explicit",
            Self::WrongType | Self::ExtraField => "data-source.output-matches-schema",
            Self::UnknownHookFails => "hook.unknown-name",
            Self::ShellSplitsArgs => "command.arguments-verbatim",
            Self::ArtifactIdChanges => "artifact.stable",
            Self::ArtifactDiesWithBuild => "artifact.outlives-build",
            Self::DestroyNotIdempotent => "artifact.destroy-twice",
            Self::DestroyLies => "artifact.destroy-real",
            Self::ParallelSay | Self::LosesALine => "ui.order",
            Self::AskLoops => "ui.ask-refused",
            Self::IgnoresSayErrors => "ui.host-error",
            Self::UnboundedSay | Self::FireAndForgetWrite => "stream.bounded-in-flight",
            Self::GivesUpWhenStalled | Self::ResendsChunk => "stream.resumes",
            Self::OutcomeOvertakesOutput => "stream.outcome-after-output",
            Self::OneGiantWrite => "stream.chunk-size",
            Self::ForgetsEnd | Self::DoubleEnd | Self::WriteAfterEnd => "stream.end-exactly-once",
            Self::SwallowsWriteError => "stream.write-failure-surfaces",
            Self::CancelIgnored => "cancel.ends-run",
            Self::CancelLeaks => "cancel.cleans-up",
            Self::CancelBeforeRunHangs | Self::RunWaitsForCancelToEnd => "cancel.any-time",
            Self::CancelDeafInHook => "cancel.while-blocked",
            Self::CancelsAll => "cancel.only-this-one",
            Self::RevokedKillsGroup => "cancel.revoked-is-not-cancel",
            Self::DiesOnSigint => "cancel.ctrl-c",
            Self::KeepsUi => "resource.revoked",
            Self::ZombieChild | Self::BackgroundChild => "resource.children-reaped",
            Self::SocketInherited => "resource.socket-private",
            Self::TempLeftBehind => "resource.temp-clean",
            Self::Utf8LossyOutput | Self::CrlfTranslation => "comm.binary-exact",
            Self::MergesStderr => "comm.streams-apart",
            Self::ExitBeforeDrain => "comm.end-before-run",
            Self::StdinNeverClosed => "comm.stdin-end",
            Self::EpipeFailsEnd => "comm.stdin-after-stop",
            Self::StatusZeroOnSignal => "comm.exit-status",
            Self::SignalAsNumber => "comm.signal-name",
            Self::AcceptsShortUpload => "comm.upload-size",
            Self::AbortKeepsFile => "comm.abort",
            Self::OrphanRemoteCommand => "comm.cancel-ends-command",
            Self::TarSlip | Self::TreeLosesMode => "comm.tree",
            Self::NeverSettles => "ledger.settles",
            Self::RecoveryFailsWhenGone => "recovery.idempotent",
            Self::KeepsLease => "cache.gives-back",
        }
    }
}
