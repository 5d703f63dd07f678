//! packer-communicator-local: this machine as a machine.
//!
//! Packer has no communicator of this name; the nearest are `none` and the provisioner `shell-local`. There are no
//! options. Commands run with `/bin/sh`; their working directory, and what relative paths start at, is a directory
//! made when the communicator is opened and removed when it is closed; `TMPDIR` names it, too. Absolute paths are this machine's, and
//! commands have the rights of whoever runs the host.
//!
//! | Of the interface | Here |
//! | --- | --- |
//! | commands, their input, output, status and signal | done |
//! | ending a command | TERM for its process group, KILL 5 s later |
//! | background children | live on, as over SSH, until the communicator is closed |
//! | upload, download | done; an upload appears whole or not at all |
//! | `tree` | done; a tree appears whole or not at all |
//! | `pty`, `dial`, `signal` | not offered |
//!
//! Each command has a process group, not a session, of its own: who ends the session of this plugin ends its commands
//! with it, even after this plugin was killed.
mod command;
mod connector;
mod machine;
#[cfg(test)]
mod tests;
mod transfer;

packwire_plugin::serve_communicator!("local", connector::Local);
