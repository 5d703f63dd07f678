//! Every fault that this plugin can commit, under the requirement of SPEC.md that it breaks.
//!
//! A fault is committed in one place: where the green plugin does the right thing, one arm does the wrong one.
use clap::ValueEnum;

macro_rules! faults {
    ($($requirement:literal { $($(#[$about:meta])+ $name:ident,)+ })+) => {
        /// One deliberate sin.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub(crate) enum Fault {
            $($($(#[$about])+ $name,)+)+
        }

        impl Fault {
            /// The id of the requirement that it breaks, as SPEC.md has it.
            pub(crate) fn requirement(self) -> &'static str {
                match self {
                    $($(Self::$name)|+ => $requirement,)+
                }
            }
        }
    };
}

faults! {
    "launch.not-a-host" {
        /// Started without the variables, it waits on stdin for a handshake.
        WaitsForStdin,
        /// Started without the variables, it says what it is and exits with 0.
        #[value(name = "exit-0-standalone")]
        Exit0Standalone,
    }
    "launch.bad-address" {
        /// It dials a default address where it cannot parse the one that it was given.
        DefaultAddressFallback,
        /// It crashes on an address that it cannot parse.
        PanicsOnParse,
    }
    "launch.refused-address" {
        /// Where nothing listens, it dials again and again.
        RetriesForever,
    }
    "launch.unix-path-verbatim" {
        /// It takes `%41` in a socket path for `A`.
        UrlDecodesPath,
        /// It cuts a socket path off after 96 bytes.
        TruncatesPath,
    }
    "launch.tcp-and-unix" {
        /// It knows no `tcp:` address.
        UnixOnly,
        /// Given a `tcp:` address, it listens on all interfaces and waits to be dialled.
        #[value(name = "binds-0.0.0.0")]
        BindsAllInterfaces,
    }
    "launch.no-arguments" {
        /// It refuses to start without the argument `start`.
        NeedsArgvStart,
        /// It refuses a PACKER_PLUGIN_* variable that it does not know.
        RejectsUnknownEnv,
    }
    "launch.minimal-environment" {
        /// It refuses to start without HOME.
        NeedsHome,
    }
    "launch.any-cwd" {
        /// It writes a log file into the working directory.
        WritesCwdLog,
        /// It resolves a configuration file against the directory above the working directory, and gives up where there is none.
        OpensRelativeConfig,
    }
    "launch.deleted-cwd" {
        /// It refuses to start where it has no working directory.
        NeedsCwd,
    }
    "launch.stdin-untouched" {
        /// It reads what is on stdin.
        ReadsStdin,
    }
    "launch.dial-deadline" {
        /// It attaches 6 s after it was started.
        SlowStart,
    }
    "launch.one-connection" {
        /// It opens a second connection beside the first.
        SecondConnection,
        /// It listens on a TCP port for a debugger.
        DebugHttpPort,
    }
    "attach.bootstrap-then-attach" {
        /// It dials, asks for the bootstrap capability, and never attaches.
        DialsWithoutAttach,
    }
    "attach.once" {
        /// It calls attach a second time while the first is pending.
        AttachesTwice,
    }
    "attach.refused" {
        /// Refused, it connects and attaches again.
        RetriesAfterRefusal,
        /// Refused, it prints the reason and exits with 0.
        #[value(name = "exits-0-when-refused")]
        Exits0WhenRefused,
    }
    "attach.pending-is-normal" {
        /// It gives up an attach that was not answered within 3 s.
        AttachTimeout,
        /// It polls while it has nothing to do.
        IdleSpin,
    }
    "attach.live-at-once" {
        /// Its components throw until a second has passed since it attached.
        LazyInitError,
    }
    "attach.patient" {
        /// It gives up a bootstrap that was not answered within a second.
        #[value(name = "bootstrap-1s-timeout")]
        Bootstrap1sTimeout,
    }
    "attach.promised-host" {
        /// It breaks the link when a promise of the host is resolved.
        BreaksOnResolve,
    }
    "attach.hello-complete" {
        /// Its hello has no name.
        EmptyName,
        /// It offers the same builder twice.
        DuplicateComponent,
        /// One of its components is of no kind.
        UnsetComponent,
        /// One of its components has a kind but no capability.
        NullCapability,
    }
    "attach.schemas-valid" {
        /// Its configSchema is not JSON.
        SchemaNotJson,
        /// Its configSchema is JSON, but no JSON Schema.
        SchemaInvalid,
        /// An example in its configSchema does not validate against it.
        ExampleFailsSchema,
    }
    "attach.summary-one-line" {
        /// Its components have neither summary nor documentation.
        NoSummary,
    }
    "attach.name-matches-file" {
        /// Its binary is named after another component than it offers.
        WrongNameForFile,
    }
    "attach.hello-stable" {
        /// The order of its components is another one each time.
        RandomOrderComponents,
    }
    "attach.no-side-effects" {
        /// It opens a connection of its own to report that it is used.
        PhonesHome,
        /// It creates a cache directory that nobody asked for.
        CreatesCacheDir,
    }
    "version.refusal-is-final" {
        /// It attaches with version 1 although that was not offered.
        AttachesWithUnofferedVersion,
        /// Without a common version, it exits with 3 and does not say why.
        SilentRefusal,
    }
    "version.newer-host" {
        /// It understands the offer `1` only.
        ExactMatchOnly,
        /// It takes the highest of the offered versions by comparing texts.
        StringCompareVersion,
    }
    "version.declared" {
        /// Its hello declares version 0.
        VersionZero,
    }
    "version.bad-offer" {
        /// It takes an offer that it cannot parse for version 1.
        DefaultVersionOnGarbage,
    }
    "token.exact-bytes" {
        /// It takes many leading zeros off the token.
        TokenTrimmed,
        /// It decodes the token and encodes it again, in small letters.
        TokenDecoded,
    }
    "token.refused" {
        /// Its attach refused with an exception, it connects and attaches again.
        TokenRetry,
    }
    "token.not-echoed" {
        /// It logs its whole environment.
        LogsEnvironment,
    }
    "log.stdout-silent" {
        /// It prints a banner on stdout.
        PrintsBanner,
    }
    "log.stderr-utf8-lines" {
        /// It colours its log although stderr is not a terminal.
        AnsiOnPipe,
        /// Its log is Latin-1.
        #[value(name = "latin1-log")]
        Latin1Log,
    }
    "log.blocked-stderr" {
        /// It waits until its log is read before it answers.
        LogsSynchronously,
    }
    "log.closed-stderr" {
        /// It crashes when its log cannot be written.
        DiesOnEpipe,
    }
    "log.no-terminal" {
        /// It asks for a password on the terminal.
        PromptsOnTty,
    }
    "exit.leave" {
        /// It stays after it was told to leave.
        LivesAfterLeave,
        /// Told to leave, it exits with 1.
        #[value(name = "exit-1-on-leave")]
        Exit1OnLeave,
    }
    "exit.disconnect-idle" {
        /// It stays after the connection was closed.
        LivesAfterDisconnect,
        /// Its connection closed, it exits with 0.
        #[value(name = "exit-0-on-disconnect")]
        Exit0OnDisconnect,
    }
    "exit.half-close" {
        /// It goes on after the host has closed its sending side.
        IgnoresHalfClose,
    }
    "exit.host-killed" {
        /// Its connection broken, it leaves a process of its own behind.
        Orphan,
    }
    "exit.no-redial" {
        /// Its connection closed, it connects again.
        Reconnects,
    }
    "exit.terminate-signal" {
        /// It ignores SIGTERM.
        IgnoresSigterm,
    }
    "exit.terminate-running" {
        /// On SIGTERM in a run, it leaves a half-made file.
        TerminateLeaks,
        /// On SIGTERM it lets its builds go on, and ends when there is none.
        SigtermAwaitsRuns,
    }
    "exit.crash-visible" {
        /// It catches its crash and hangs.
        PanicsButHangs,
    }
    "prepare.answers" {
        /// It crashes on the configuration `null`.
        PanicsOnNull,
        /// It throws for a configuration that is wrong.
        ExceptionForBadConfig,
    }
    "prepare.errors-xor-object" {
        /// It answers an object beside the errors.
        BuildDespiteError,
        /// It answers neither an object nor an error.
        SilentNoBuild,
    }
    "prepare.pure" {
        /// Its prepare leaves a file in TMPDIR.
        PrepareCreatesFiles,
        /// Its prepare opens a connection.
        PrepareDialsCloud,
    }
    "prepare.repeatable" {
        /// It finds more wrong with a configuration when it sees it again.
        PrepareAccumulates,
    }
    "prepare.schema-agrees" {
        /// It takes values that its schema refuses.
        SchemaStricterThanCode,
        /// It refuses one of the examples of its schema.
        ExampleRefused,
    }
    "prepare.unknown-key" {
        /// It ignores keys that it does not know.
        IgnoresUnknownKeys,
    }
    "prepare.duplicate-key" {
        /// Of a key that is there twice it takes the last.
        LastKeyWins,
        /// It compares keys as they are written, with their escapes.
        ComparesKeysAsWritten,
        /// It takes a key in capital letters for the option.
        FoldsCase,
    }
    "prepare.all-problems" {
        /// It tells the first problem of a configuration only.
        FirstErrorOnly,
    }
    "prepare.warnings-not-fatal" {
        /// It refuses what it only had to warn of.
        WarningIsError,
    }
    "prepare.relative-paths" {
        /// It takes a relative path from its own working directory.
        RelativeToItsCwd,
        /// It takes a relative path from the directory of the template.
        RelativeToTheTemplate,
    }
    "prepare.diagnostic-paths" {
        /// The paths of all its diagnostics are empty.
        EmptyPaths,
        /// The paths of its diagnostics are names of fields in its source.
        GoFieldNamePaths,
    }
    "error.unimplemented" {
        /// It crashes when an unknown method is called.
        SessionDiesOnUnknownMethod,
    }
    "error.readable" {
        /// Its diagnostics have no summary.
        EmptySummary,
        /// The summaries of its diagnostics have many lines.
        MultiPageSummary,
    }
    "error.no-internals" {
        /// Its diagnostics begin with the head of a stack trace.
        TracebackInSummary,
    }
    "error.no-panic-exit" {
        /// Its session ends with a bug in one call.
        PanicEndsSession,
    }
    "error.session-survives" {
        /// After it refused a configuration it refuses a good one, too.
        PoisonedAfterError,
    }
    "resource.fds-steady" {
        /// Each prepare leaves a descriptor open.
        FdLeak,
    }
    "resource.memory-steady" {
        /// Each prepare keeps 256 KiB.
        MemoryLeak,
    }
    "robust.deep-nesting" {
        /// It overflows its stack on deep nesting.
        RecursionOverflow,
    }
    "limits.config-1mib" {
        /// It throws for a configuration above 64 KiB.
        SmallBuffer,
    }
    "limits.numbers" {
        /// It makes a floating-point number of every number.
        FloatEverything,
        /// It crashes on a number that is too large for its types.
        PanicsOnHugeNumber,
    }
    "text.locale" {
        /// It makes letters small as the user's language does.
        LocaleLowercase,
    }
    "text.timezone" {
        /// Its diagnostics name the user's time zone.
        TzDependentResult,
    }
    "text.invalid-utf8" {
        /// It crashes on a configuration that is not UTF-8.
        #[value(name = "panics-on-bad-utf8")]
        PanicsOnBadUtf8,
    }
    "robust.garbage" {
        /// It crashes on bytes that are no message.
        SegfaultOnGarbage,
        /// It allocates what the header of a message claims.
        AllocatesHeader,
    }
    "robust.unknown-message" {
        /// It breaks the link when a message is of a kind that it does not know.
        AbortsOnUnknownMessage,
    }
    "robust.bad-ids" {
        /// It crashes on a call of a capability that it has not sent.
        PanicsOnBadId,
    }
    "robust.drip" {
        /// It gives up a message that has not come whole within a second.
        FrameReadTimeout,
    }
    "robust.pointer-bomb" {
        /// It copies what it is sent, parts that it does not know included.
        ExpandsBomb,
    }
    "evolve.extra-fields" {
        /// It throws when a struct is larger than it knows.
        RejectsExtraFields,
    }
    "evolve.shorter-structs" {
        /// It crashes when a field that it uses is missing.
        PanicsOnShortStruct,
    }
    "evolve.unknown-end" {
        /// It leaves as if all were well when it does not know why its session is over.
        LeavesAtUnknownEnd,
    }
    "evolve.unknown-variant" {
        /// It takes an answer that it does not know for a good one.
        UnknownVariantAsDefault,
        /// It takes a failure for a remark where it does not know how bad it is.
        UnknownSeverityAsWarning,
        /// It takes an upload whose end it does not understand for a good one.
        UnknownEndAsDefault,
        /// Its machine takes the end of an output that it does not understand for a good one.
        UnknownEndOfOutputAsDefault,
        /// It takes an answer of the user that it does not understand for a yes.
        UnknownReplyAsAnswer,
        /// It takes a tunnel whose end it does not understand for a good one.
        UnknownEndOfTunnelAsDefault,
        /// It goes on without a service where it does not know how bad the reason is for which it was refused.
        UnknownRefusalAsGrant,
        /// It leaves the half-made where it does not know what becomes of it.
        UnknownWishAsAbort,
        /// Its command throws when a component is of a kind that it does not know.
        ThrowsAtUnknownKind,
    }
    "evolve.unknown-capabilities" {
        /// It keeps the capabilities that it does not use.
        LeaksUnknownCaps,
    }
    "env.not-inherited" {
        /// Its children have the token in their environment.
        ChildInheritsEnv,
    }
    "log.sensitive-values" {
        /// It logs its whole configuration, with the secrets.
        DumpsConfig,
        /// At its end it logs the configuration of its last run, with the secrets.
        DumpsConfigAtEnd,
    }
    "exit.leave-while-running" {
        /// Told to leave in a run, it leaves a half-made file.
        LeaveLeaks,
    }
    "exit.disconnect-running" {
        /// Its link lost in a run, it leaves a half-made file.
        DisconnectLeaks,
    }
    "exit.no-descendants" {
        /// Its runs leave a process that outlives it.
        Daemonises,
    }
    "run.once" {
        /// It runs a prepared object again.
        DoubleRun,
        /// It runs a prepared object again while that runs.
        DoubleRunAtOnce,
    }
    "run.independent" {
        /// Its runs work with the configuration that was prepared last.
        GlobalConfig,
    }
    "outcome.never-unset" {
        /// It forgets to say how its runs ended.
        ForgottenOutcome,
    }
    "error.expected-is-data" {
        /// It throws when its work fails.
        ExceptionForFailedWork,
    }
    "robust.null-arguments" {
        /// It crashes when a capability that it is lent is null.
        PanicsOnNullCapability,
    }
    "limits.message-out" {
        /// It answers 9 MiB of generated data.
        GiantResult,
    }
    "text.unicode" {
        /// It puts question marks in place of all that is not ASCII.
        AsciiOnly,
    }
    "builder.outcome-set" {
        /// Its artifact is null.
        NullArtifact,
        /// Its failures hold no diagnostic.
        EmptyFailure,
    }
    "builder.hook-once" {
        /// It never calls the hook.
        SkipsHook,
        /// It lends the hook a communicator that answers nothing.
        DeadCommunicator,
        /// Its machine answers nothing while it waits for the hook.
        SingleThreadDeadlock,
    }
    "builder.hook-failure" {
        /// It answers an artifact although the provisioning failed.
        SuccessAfterHookFailure,
    }
    "builder.existing-target" {
        /// It replaces what is where its file is to go.
        ReplacesUnasked,
        /// It fails where its file is there already, and removes that.
        RemovesWhatExists,
        /// It fails there also where it is allowed to replace.
        IgnoresForce,
    }
    "builder.cleanup-hook" {
        /// It does not call the hook to clean up.
        SkipsCleanupHook,
    }
    "builder.cleanup-machine" {
        /// It lends the hook no communicator to clean up.
        CleanupWithoutMachine,
        /// Its machine is gone when the hook is to clean up.
        MachineGoneBeforeCleanup,
    }
    "builder.lent-close" {
        /// Its machine ends when a borrower closes the communicator.
        CloseEndsLentMachine,
    }
    "builder.on-error" {
        /// It leaves the half-made where its question was refused.
        RefusedQuestionKeeps,
        /// Cancelled, it leaves the half-made where that was to stay after a failure.
        AbortKeepsCancelled,
    }
    "builder.generated-data" {
        /// Its outcome has no generated data.
        ForgetsGeneratedData,
        /// A member of its generated data has another value in its outcome.
        GeneratedDataChanges,
    }
    "provisioner.only-communicator" {
        /// It does its work here instead of on the machine.
        RunsLocally,
        /// It succeeds without a machine.
        IgnoresNullCommunicator,
    }
    "provisioner.exit-status" {
        /// It ignores the status of its commands.
        IgnoresExitStatus,
        /// It fails with a command, and does not say with which status.
        StatusUnnamed,
    }
    "provisioner.broken-communicator" {
        /// It crashes when its machine throws.
        PanicsOnCommError,
        /// It succeeds when a command was lost.
        SuccessOnTruncatedOutput,
    }
    "provisioner.leaves-nothing" {
        /// It leaves on the machine what it has sent there.
        LeavesRemoteScript,
    }
    "postproc.input-untouched" {
        /// It destroys the artifact that goes in.
        DestroysInput,
        /// It changes the files of the artifact that goes in.
        ChangesInput,
    }
    "postproc.keep-explicit" {
        /// It does not say what becomes of its input.
        KeepDefault,
    }
    "data-source.output-matches-schema" {
        /// A member of its value has another type than it declared.
        WrongType,
        /// Its value has a member that it did not declare.
        ExtraField,
    }
    "data-source.failure-is-diagnostic" {
        /// It yields null where it failed.
        NullOnFailure,
    }
    "hook.unknown-name" {
        /// Its hook fails for an event that it does not know.
        UnknownHookFails,
    }
    "hook.errors-reported" {
        /// Its hook is done, whatever became of its work.
        HookSwallowsError,
    }
    "command.arguments-verbatim" {
        /// It splits its arguments at blanks.
        ShellSplitsArgs,
    }
    "command.exit-status" {
        /// Its command knows no status but 0 and 1.
        StatusFlattened,
    }
    "artifact.stable" {
        /// The id of its artifact is another one each time.
        ArtifactIdChanges,
        /// The extensions of its artifact are others each time.
        ArtifactExtensionsChange,
    }
    "artifact.state" {
        /// It answers `null` for a state that its artifact does not have.
        UnknownStateIsNull,
        /// It answers the state of its artifact as it is, without quotes.
        StateNotJson,
    }
    "artifact.outlives-build" {
        /// Its artifact is gone when its build is over.
        ArtifactDiesWithBuild,
    }
    "artifact.destroy-twice" {
        /// It fails to destroy an artifact a second time.
        DestroyNotIdempotent,
    }
    "artifact.destroy-real" {
        /// It says that files are destroyed, and they are there.
        DestroyLies,
    }
    "ui.order" {
        /// It says its lines in another order.
        ParallelSay,
        /// It does not say its last line.
        LosesALine,
    }
    "ui.ask-refused" {
        /// It asks again until it has an answer.
        AskLoops,
    }
    "ui.host-error" {
        /// It hangs when the Ui fails.
        IgnoresSayErrors,
    }
    "ui.progress-finishes" {
        /// It does not finish its progress.
        ProgressLeftOpen,
        /// Its progress goes beyond its total.
        ProgressPastTotal,
        /// A progress of it begins again from nothing.
        ProgressGoesBack,
    }
    "stream.bounded-in-flight" {
        /// It says everything at once, however slowly it is heard.
        UnboundedSay,
        /// It writes everything at once, however slowly it is taken.
        FireAndForgetWrite,
    }
    "stream.resumes" {
        /// It gives up a write that was not answered within a second.
        GivesUpWhenStalled,
        /// It writes again what was answered late.
        ResendsChunk,
    }
    "stream.outcome-after-output" {
        /// It answers before its last words were heard.
        OutcomeOvertakesOutput,
    }
    "stream.chunk-size" {
        /// It sends a file in one write.
        OneGiantWrite,
    }
    "stream.end-exactly-once" {
        /// It does not end the streams that it writes into.
        ForgetsEnd,
        /// It ends a stream twice.
        DoubleEnd,
        /// It writes into a stream that it has ended.
        WriteAfterEnd,
    }
    "stream.backpressure" {
        /// It takes whatever is written into it, and holds what it cannot pass on.
        BuffersEverything,
    }
    "stream.write-failure-surfaces" {
        /// It goes on when a write failed.
        SwallowsWriteError,
        /// It minds the failure of its first write only.
        SwallowsLateWriteError,
        /// It tells how a command ended although its output was refused.
        SwallowsOutputError,
    }
    "cancel.ends-run" {
        /// It never looks at its cancellation.
        CancelIgnored,
    }
    "cancel.cleans-up" {
        /// Cancelled, it leaves a half-made file.
        CancelLeaks,
    }
    "cancel.any-time" {
        /// It hangs when it is cancelled before it begins.
        CancelBeforeRunHangs,
        /// Its runs end only when they are cancelled.
        RunWaitsForCancelToEnd,
    }
    "cancel.while-blocked" {
        /// What it waits for never hears of the cancellation.
        CancelDeafInHook,
    }
    "cancel.only-this-one" {
        /// One cancellation ends all of its runs.
        CancelsAll,
    }
    "cancel.revoked-is-not-cancel" {
        /// It ends itself when its cancellation is taken back.
        RevokedKillsGroup,
    }
    "cancel.ctrl-c" {
        /// It ends on SIGINT.
        DiesOnSigint,
    }
    "resource.revoked" {
        /// It says something after its run has answered.
        KeepsUi,
    }
    "resource.children-reaped" {
        /// It does not wait for a child that has ended.
        ZombieChild,
        /// A child of a run lives on.
        BackgroundChild,
    }
    "resource.socket-private" {
        /// Its children hold the socket of the link.
        SocketInherited,
    }
    "resource.temp-clean" {
        /// Its runs leave a file in TMPDIR.
        TempLeftBehind,
    }
    "comm.type" {
        /// Its communicator says that it is of the type `ssh`.
        SaysItIsSsh,
    }
    "comm.binary-exact" {
        /// It carries the output of commands as UTF-8, and replaces what is none.
        #[value(name = "utf8-lossy-output")]
        Utf8LossyOutput,
        /// It translates the line ends of what it carries.
        CrlfTranslation,
    }
    "comm.streams-apart" {
        /// It mixes the two outputs of a command.
        MergesStderr,
    }
    "comm.end-before-run" {
        /// It tells the status before all of the output was taken.
        ExitBeforeDrain,
    }
    "comm.output-whole" {
        /// It gives the output of a command up a second after that has ended.
        CutsSlowOutput,
    }
    "comm.output-ends" {
        /// A command has not ended for it as long as a child in the background holds the output.
        WaitsForBackground,
    }
    "comm.stdin-end" {
        /// The end of the input never reaches the command.
        StdinNeverClosed,
    }
    "comm.stdin-after-stop" {
        /// It fails an input that the command does not read.
        EpipeFailsEnd,
    }
    "comm.exit-status" {
        /// It tells the status 0 when a signal ended a command.
        StatusZeroOnSignal,
    }
    "comm.signal-name" {
        /// It tells the number of a signal in place of its name.
        SignalAsNumber,
    }
    "comm.upload-size" {
        /// It takes a file of another size than was announced.
        AcceptsShortUpload,
    }
    "comm.abort" {
        /// It keeps what had come of an aborted upload.
        AbortKeepsFile,
    }
    "comm.upload-link" {
        /// It writes an upload through a symbolic link at its target.
        UploadFollowsLink,
    }
    "comm.upload-mode" {
        /// It gives every file that it takes the same mode.
        UploadForgetsMode,
        /// Of the mode of a file that it takes it leaves what a umask leaves.
        UploadModeByUmask,
    }
    "comm.download-abort" {
        /// It ends the stream of a file that it cannot give.
        DownloadEndsOnFailure,
        /// It leaves the stream of a file that it cannot give as it is.
        DownloadLeavesStream,
    }
    "comm.cancel-ends-command" {
        /// A command that was cancelled goes on.
        OrphanRemoteCommand,
    }
    "comm.tree" {
        /// It unpacks whatever name an archive holds.
        TarSlip,
        /// It unpacks files without their modes.
        TreeLosesMode,
        /// It looks through an archive by names, and unpacks all that has one of them.
        TreeForgetsNames,
    }
    "conc.control-plane-alive" {
        /// It answers `prepare` late while a build is under way.
        BlocksEventLoop,
    }
    "conc.parallel-runs" {
        /// Its builds wait for each other's end.
        RunsSerialised,
    }
    "conc.ordered" {
        /// It overtakes some of the calls that it takes.
        ReordersCalls,
    }
    "comm.parallel" {
        /// Its commands wait for each other's end.
        SerialCommands,
    }
    "comm.unlisted-feature" {
        /// It runs commands without the terminal that was asked for.
        IgnoresPty,
        /// It calls a tunnel done that it cannot open.
        TunnelToNowhere,
    }
    "ledger.remember-before-make" {
        /// It makes a file, and has it remembered then.
        MakesThenRemembers,
        /// It makes a file while the host is about to remember it.
        RemembersWithoutWaiting,
    }
    "ledger.refused" {
        /// It makes a file although the host does not remember it.
        IgnoresRefusedEntry,
    }
    "ledger.settles" {
        /// It never settles what it has remembered.
        NeverSettles,
    }
    "recovery.offered" {
        /// It has things remembered, and nothing to recover them by.
        OffersNoRecovery,
    }
    "recovery.idempotent" {
        /// It fails to recover what is gone already.
        RecoveryFailsWhenGone,
    }
    "cache.gives-back" {
        /// It does not give back what it was lent of the cache.
        KeepsLease,
    }
    "service.refused" {
        /// It does not hand on why the host refused it a service.
        RefusalUntold,
    }
}
