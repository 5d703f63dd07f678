//! packer-post-processor-checksum: makes checksums of an artifact's files.
//!
//! | Option of Packer's `checksum` post-processor | Here |
//! | --- | --- |
//! | `checksum_types` | done: `md5` (where it is missing), `sha1`, `sha224`, `sha256`, `sha384`, `sha512` |
//! | `output` | done, with `{{ .BuildName }}`, `{{ .BuilderType }}` and `{{ .ChecksumType }}`; directories above it are made |
//! | `keep_input_artifact` | the host's, for every post-processor; this one has its input kept in any case, as there |
//!
//! The format is Packer's: a line for each file, with the checksum, a tab, and the name without its directories.
//! `sha256sum --check` and its siblings read it. As there, several types may go into one output, and several builds.
//!
//! Three things differ. Packer adds lines to an output that is there, so that a second run leaves two of each; here
//! the lines of the same name and type are replaced, and those of others stay. An output appears whole or not at all,
//! also when builds that run at the same time share it. Packer makes an empty output where an artifact has no
//! files; here that is said, and the artifact handed on as it is.
//!
//! The new artifact, `packer.post-processor.checksum`, has the files of the input and the outputs: destroying it
//! destroys them all, as in Packer. Relative paths are relative to the host's working directory.
mod checksum;
mod config;
mod digests;
mod lines;

packwire_plugin::serve_post_processor!(
    "checksum",
    checksum::Checksum,
    recovering: packwire_plugin::draft::Recovery::<config::Config>::new()
);
