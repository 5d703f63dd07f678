//! Launch: what the three variables say, and what else a plugin may find.

mod address;
mod children;
mod surroundings;

use std::time::Duration;

pub(super) use address::each_unusable;

use crate::check::{Budget, Check, Class, Level};

/// How soon a plugin gives up that finds its variables missing or unusable.
pub(super) const UNUSABLE: Duration = Duration::from_secs(2);
/// How soon a plugin gives up that finds nobody at its address.
const NOBODY: Duration = Duration::from_secs(5);
/// How soon a plugin attaches.
const DIAL: Duration = Duration::from_secs(5);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "launch.not-a-host",
        level: Level::Must,
        class: Class::Any,
        title: "says what it is when it is started by hand",
        why: "People type the names of executables; a plugin that hangs, or ends in silence, looks broken.",
        seen: "The program is started without the three variables, with a pipe that is never closed as its standard \
               input; its exit status and its stderr are looked at.",
        budgets: &[Budget { what: "from the start to the exit", limit: UNUSABLE }],
        mutants: &["waits-for-stdin", "exit-0-standalone"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(surroundings::not_a_host(rig)),
    },
    Check {
        id: "launch.bad-address",
        level: Level::Must,
        class: Class::Any,
        title: "refuses an address that it cannot use, by name",
        why: "A default to fall back to would attach the plugin to somebody else.",
        seen: "The program is started with addresses of unknown form, without a path, with ports out of range, and \
               with none; its exit status is looked at, and stderr for the name of the variable.",
        budgets: &[Budget { what: "from the start to the exit", limit: UNUSABLE }],
        mutants: &["default-address-fallback", "panics-on-parse"],
        lasts: Duration::from_millis(400),
        run: |rig| Box::pin(address::bad_address(rig)),
    },
    Check {
        id: "launch.refused-address",
        level: Level::Must,
        class: Class::Any,
        title: "gives up when nobody listens",
        why: "A host listens before it starts a plugin, so nobody there means that it is gone: what stays is an orphan.",
        seen: "The program is started with the address of no socket, of a socket that was left behind, and of a \
               closed port; where it stays, a listener comes late and counts who still dials.",
        budgets: &[Budget { what: "from the start to the exit", limit: NOBODY }],
        mutants: &["retries-forever"],
        lasts: Duration::from_millis(100),
        run: |rig| Box::pin(address::refused_address(rig)),
    },
    Check {
        id: "launch.unix-path-verbatim",
        level: Level::Must,
        class: Class::Any,
        title: "takes the path of the socket as it is",
        why: "The address is no URL: who decodes, trims or shortens it dials another socket or none.",
        seen: "Hosts listen at paths with blanks, `%41`, non-ASCII letters, bytes that are no UTF-8, and of exactly \
               100 bytes; the plugin has to attach at each.",
        budgets: &[],
        mutants: &["url-decodes-path", "truncates-path"],
        lasts: Duration::from_millis(300),
        run: |rig| Box::pin(address::unix_path_verbatim(rig)),
    },
    Check {
        id: "launch.tcp-and-unix",
        level: Level::Must,
        class: Class::Any,
        title: "dials both forms of address",
        why: "The host chooses; on platforms without Unix sockets it has no choice.",
        seen: "One host listens on a Unix socket and one on a port of 127.0.0.1.",
        budgets: &[],
        mutants: &["unix-only", "binds-0.0.0.0"],
        lasts: Duration::from_millis(100),
        run: |rig| Box::pin(address::tcp_and_unix(rig)),
    },
    Check {
        id: "launch.no-arguments",
        level: Level::Must,
        class: Class::Any,
        title: "needs no arguments and minds no other variables",
        why: "A host knows only the file; later versions of the protocol may add variables.",
        seen: "The program is started with the user's arguments alone and two invented PACKER_PLUGIN_ variables.",
        budgets: &[],
        mutants: &["needs-argv-start", "rejects-unknown-env"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(surroundings::no_arguments(rig)),
    },
    Check {
        id: "launch.minimal-environment",
        level: Level::Must,
        class: Class::Any,
        title: "attaches without HOME, LANG and TMPDIR",
        why: "Service managers and containers set none of them.",
        seen: "The program is started with the three variables, and PATH and LD_LIBRARY_PATH where the suite has them.",
        budgets: &[],
        mutants: &["needs-home"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(surroundings::minimal_environment(rig)),
    },
    Check {
        id: "launch.any-cwd",
        level: Level::Must,
        class: Class::Any,
        title: "attaches from any directory and leaves nothing in it",
        why: "The working directory is the user's project, or whatever a service manager chose.",
        seen: "Sessions from `/`, from an empty directory, and from one that may not be written to; what lies in \
               them is compared with before. (Root may write anywhere: then the comparison alone tells.)",
        budgets: &[],
        mutants: &["writes-cwd-log", "opens-relative-config"],
        lasts: Duration::from_millis(150),
        run: |rig| Box::pin(surroundings::any_cwd(rig)),
    },
    Check {
        id: "launch.deleted-cwd",
        level: Level::Should,
        class: Class::Any,
        title: "starts in a directory that is gone",
        why: "A host may outlive the directory in which somebody started it.",
        seen: "The plugin is started in an empty directory that is removed first.",
        budgets: &[],
        mutants: &["needs-cwd"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(surroundings::deleted_cwd(rig)),
    },
    Check {
        id: "launch.stdin-untouched",
        level: Level::Must,
        class: Class::Any,
        title: "leaves its standard input alone",
        why: "It is empty under a host, and under a debugger it belongs to the person at the keyboard.",
        seen: "One session with a closed standard input, and one with bytes in a pipe, which must all be there at the end.",
        budgets: &[],
        mutants: &["reads-stdin"],
        lasts: Duration::from_millis(100),
        run: |rig| Box::pin(surroundings::stdin_untouched(rig)),
    },
    Check {
        id: "launch.dial-deadline",
        level: Level::Should,
        class: Class::Any,
        title: "attaches soon",
        why: "A host starts every plugin that a template names, just to check the template.",
        seen: "A stopwatch runs from the start of the process until `attach` has arrived.",
        budgets: &[Budget { what: "from the start to the attach", limit: DIAL }],
        mutants: &["slow-start"],
        lasts: Duration::from_millis(50),
        run: |rig| Box::pin(surroundings::dial_deadline(rig)),
    },
    Check {
        id: "launch.one-connection",
        level: Level::Must,
        class: Class::Any,
        title: "connects once and listens nowhere",
        why: "The token works once, and an open port is a door that nobody asked for.",
        seen: "The host keeps listening and counts for a second of idleness and until the exit; /proc tells which \
               sockets the plugin and its children hold.",
        budgets: &[],
        mutants: &["second-connection", "debug-http-port"],
        lasts: Duration::from_millis(1100),
        run: |rig| Box::pin(address::one_connection(rig)),
    },
    Check {
        id: "env.not-inherited",
        level: Level::Must,
        class: Class::Scenario,
        title: "keeps its variables from its children",
        why: "A child with the address and the token can pose as the plugin, and a nested host is confused.",
        seen: "The environment of every child that is seen during a run.",
        budgets: &[],
        mutants: &["child-inherits-env"],
        lasts: Duration::from_millis(300),
        run: |rig| Box::pin(children::not_inherited(rig)),
    },
];
