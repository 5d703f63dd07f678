//! packer-provisioner-file: copies files and directories to the machine, or from it.
//!
//! | Option of Packer's `file` provisioner | Here |
//! | --- | --- |
//! | `source`, `sources` | done; a file or a directory each, with rsync's rule for a slash at the end |
//! | `content` | done; needs a file as its `destination`, where Packer makes up a name in a directory |
//! | `destination` | done; several sources need a directory |
//! | `direction` | done: `upload` or `download` |
//! | `generated` | done: sources are looked for when they are uploaded, not before |
//! | `pause_before`, `max_retries`, `timeout`, `only`, `except`, `override` | the host's, for every provisioner |
//!
//! Exactly one of `source`, `sources` and `content` is given; Packer adds them up.
//!
//! A file keeps its permission bits and its time, and so does what is in a directory; owners are those who write. Files
//! and directories appear whole or not at all. Directories need a communicator with the feature `tree`, and go by the
//! rules of `packwire_plugin::tree`: a device, a fifo, a socket or a link that leads outside is refused by name. A
//! communicator without that feature is named as what lacks it: copying file by file would lose links and modes.
mod config;
mod copy;
mod download;
mod upload;

packwire_plugin::serve_provisioner!("file", copy::FileProvisioner);
