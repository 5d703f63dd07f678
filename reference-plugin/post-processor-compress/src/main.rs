//! packer-post-processor-compress: packs an artifact's files into one, compressed.
//!
//! | Option of Packer's `compress` post-processor | Here |
//! | --- | --- |
//! | `output` | done, with `{{ .BuildName }}` and `{{ .BuilderType }}`; directories above it are made, and a file that is there is replaced. `packer_{{.BuildName}}_{{.BuilderType}}.tar.gz` where it is missing |
//! | `format` | done; where it is missing the name of `output` says it |
//! | `compression_level` | done for gzip, xz and zip: 1 to 9; 0 and -1 mean what is usual, as there |
//! | `keep_input_artifact` | the host's, for every post-processor; the input goes where nothing is said, as there |
//!
//! | `output` ends in | Format | |
//! | --- | --- | --- |
//! | `.tar` | `tar` | as in Packer |
//! | `.tar.gz`, `.tgz`, and what no other line has | `tar.gz` | as in Packer |
//! | `.zip` | `zip` | as in Packer |
//! | `.gz` | `gz` | as in Packer: one file |
//! | `.tar.xz`, `.txz` | `tar.xz` | |
//! | `.xz` | `xz` | one file |
//! | `.tar.zst`, `.tzst` | `tar.zst` | at one level |
//! | `.zst` | `zst` | one file, at one level |
//! | `.bgzf`, `.lz4` | refused: not there | |
//! | `.7z`, `.bz2`, `.lzma`, `.rar` | refused, where Packer makes a gzipped tar of that name | |
//!
//! An archive has the files by their names below the directory that holds them all; directories go with all that is
//! in them. In Packer tar has the last parts of the names alone, where two can be the same, and zip has whole paths.
//! Archives have no owners, so that they are the same whoever makes them.
//!
//! The output appears whole or not at all, after a failure and a crash, too. Relative paths are relative to the host's
//! working directory. The artifact is called `packer.post-processor.compress`, as in Packer; its id is the path.
mod archive;
mod compress;
mod config;
mod content;
mod encoder;
mod format;

packwire_plugin::serve_post_processor!(
    "compress",
    compress::Compress,
    recovering: packwire_plugin::draft::Recovery::<config::Config>::new()
);
