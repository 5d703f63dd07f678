//! packer-builder-file: makes a file, as the smallest builder that does something.
//!
//! | Option of Packer's `file` builder | Here |
//! | --- | --- |
//! | `content` | done |
//! | `source` | done |
//! | `target` | done; parent directories are made, the mode is 0600, as there |
//!
//! Three things differ, each to keep a user from a loss. Exactly one of `content` and `source` is given: Packer makes
//! an empty file of neither. An existing target is refused unless the host forces the build: Packer overwrites it.
//! The target appears whole or not at all, and a build that fails, or is cancelled, takes it away again together
//! with the directories it made. The host remembers what is being made: after a crash it is taken away in a fresh
//! process, at once or by `packwire recover`.
//!
//! Relative paths are relative to the host's working directory. The artifact is called `packer.file`, as in Packer;
//! its id is the path. Its provisioners have no machine: only those run that need none.
mod config;
mod file;
mod made;

packwire_plugin::serve_builder!("file", file::FileBuilder, recovering: file::FileBuilder);
