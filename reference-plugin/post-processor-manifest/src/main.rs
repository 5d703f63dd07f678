//! packer-post-processor-manifest: lists in a JSON file what was built.
//!
//! | Option of Packer's `manifest` post-processor | Here |
//! | --- | --- |
//! | `output` | done; `packer-manifest.json` where it is missing. `{{ .BuildName }}` and `{{ .BuilderType }}` may stand in it; directories above it are made |
//! | `strip_path` | done |
//! | `strip_time` | done |
//! | `custom_data` | done |
//! | `keep_input_artifact` | the host's, for every post-processor; this one has its input kept in any case, as there |
//!
//! The format is Packer's: `builds`, with `name`, `builder_type`, `build_time` (seconds since 1970), `files` (each with
//! `name` and `size`), `artifact_id`, `packer_run_uuid` and `custom_data`, and `last_run_uuid`. As there, a forced run
//! begins a new list, and every other adds to the one that is there.
//!
//! Three things differ. Builds that run at the same time wait for each other: Packer looks three times, and then writes
//! without its lock, so that entries can be lost. The file is replaced as a whole, what stands in it beside the list stays, and
//! nothing is left to lock it with. `files` is an empty list where an artifact has none: in Packer it is null.
//!
//! The artifact is handed on as it came. Relative paths are relative to the host's working directory.
mod config;
mod list;
mod manifest;

packwire_plugin::serve_post_processor!(
    "manifest",
    manifest::Manifest,
    recovering: packwire_plugin::draft::Recovery::<config::Config>::new()
);
