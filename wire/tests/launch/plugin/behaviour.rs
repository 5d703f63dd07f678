//! What the tests' plugin can be told to do: by its argument, and by a build's configuration. Shared by the plugin
//! and by the tests that start it.

/// Declares an enum whose members are known by their names on both sides of a process.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$member_doc])* $member,)* }

        impl $name {
            /// The member's name, which is how it is told.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$member => stringify!($member),)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                let found = [$(Self::$member,)*].into_iter().find(|member| member.name() == name);
                found.ok_or_else(|| format!("{name:?} is not known"))
            }
        }
    };
}

named! {
    /// What the plugin does from its start to its end: its first argument.
    Behaviour {
        /// Attaches, serves, leaves.
        Good,
        /// Dials what its second argument names and waits until that hangs up; then it is good.
        Waits,
        /// Says its last words and exits with 7.
        ExitsFirst,
        /// Says what Packer's own plugins say.
        IsPackers,
        /// Dials, and never attaches.
        NeverAttaches,
        /// Attaches a second time on its link, and says how that went.
        AttachesTwice,
        /// Attaches over two links at once.
        DialsTwice,
        /// Shows a token of its own.
        OtherToken,
        /// Chooses version 9.
        OtherVersion,
        /// Speaks only version 7, and says so.
        NewerVersions,
        /// Prints 1 MiB on stdout before it attaches.
        Noisy,
        /// Says the name of each variable that it was given, then is good.
        NamesVariables,
        /// Reads its standard input to the end, then is good.
        ReadsInput,
        /// Starts a child that it leaves behind, says its id, then is good.
        LeavesChild,
        /// Has a child read the terminal, says how that ended, then is good.
        ReadsTerminal,
        /// Says when it is told to leave, hangs up, and stays.
        Stays,
        /// The same, and does not heed SIGTERM.
        StaysForEver,
        /// Says when its link is lost, and stays.
        StaysAlone,
        /// Notes when the link is lost before it has hung up itself; else it is good.
        WatchesLink,
        /// Offers two components of one kind and name.
        TwinComponents,
        /// Offers one component more than it may.
        CrowdOfComponents,
        /// Offers none.
        NoComponents,
        /// Offers a component without a name.
        NamelessComponent,
        /// Has no name itself.
        Nameless,
        /// Has a name of two lines.
        TwoLineName,
        /// Has a version that is no semantic one.
        OddVersion,
        /// Attaches with a builder whose build leaves 65 writes unanswered on one stream.
        WritesTooMuch,
        /// Attaches with a builder whose build leaves 8193 calls unanswered.
        CallsTooMuch,
        /// Attaches with a builder whose build does not say how it ended.
        AnswersUnset,
        /// Attaches with a builder whose build yields an artifact that is null.
        AnswersNull,
        /// Attaches with a builder whose build ends in a way that no version of the schema has.
        AnswersUnknown,
        /// Is no plugin, but a host that inherited an ignored SIGCHLD: says what it learns of a process that ended.
        DeafHost,
        /// Is no plugin, but a host that starts the rest of its arguments as a plugin and then waits.
        Host,
    }
}

named! {
    /// What a build does: the `prepare`d configuration.
    Task {
        /// Ends well.
        Nothing,
        /// Panics.
        Panics,
        /// Says "running" and ends when it is cancelled.
        Waits,
        /// Says "running" and never ends.
        Hangs,
        /// Says so on stderr and exits with 9.
        Exits,
        /// Calls the hook 100 times at once, and says how many calls were answered.
        CallsOften,
    }
}
