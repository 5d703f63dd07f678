//! What is not the same in each run of the kill matrix.

/// Faults that another check sees, too, when it is quick or slow enough: the fault, and the rule.
pub(crate) const RACES: [(&str, &str); 2] =
    [("exit-before-drain", "comm.binary-exact"), ("one-giant-write", "stream.bounded-in-flight")];

/// What differs from run to run.
pub(crate) const FILTERS: [(&str, &str); 20] = [
    (r"0100007F:[0-9A-F]{4}", "127.0.0.1:[port]"),
    (r"\d\d+ connections", "[n] connections"),
    (r#""(outerr|errout)" and """#, r#""outerr" and """#),
    (r"that of the other run is (there|not)", "that of the other run is [there or not]"),
    (r"after \d+ questions", "after [n] questions"),
    (r"of \d+ children these do: \[[^\]]*\]", "of [n] children these do: [children]"),
    (r"\d+ after 10, \d+ after 100", "[n] after 10, [more] after 100"),
    (r"\d+ KiB", "[n] KiB"),
    (r"100, \[n\] KiB after \d+", "100, [n] KiB after [more]"),
    (r"took \d+ MiB more", "took [n] MiB more"),
    (r"\d+ of \d+ did not", "[n] of [m] did not"),
    // How the loss of the link is noticed, and which call notices it first.
    (r"Connection reset by peer \(os error 104\)", "Peer disconnected."),
    (r#"such as \{"name":[-.e\d]+\}: it threw: [^|]+ \|"#, "such as [a number]: it threw |"),
    // The longer the temporary directory, the less is added to a path.
    (r"x{20,}", "[xs]"),
    (r"a path of \d+ bytes", "a path of [n] bytes"),
    (r"(/[^/\s`]+)+/pwc-[A-Za-z0-9]+", "[root]"),
    (r"process \d+", "process [pid]"),
    (r"[0-9a-fA-F]{64}", "[token]"),
    (r"\d+(\.\d+)? (ms|s|%)", "[n] $2"),
    (r"`[^`\n]*/(faulty|exe) ", "`$1 "),
];
