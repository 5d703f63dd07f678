//! packer-provisioner-shell: runs scripts on the machine.
//!
//! | Option of Packer's `shell` provisioner | Here |
//! | --- | --- |
//! | `inline`, `script`, `scripts` | done; exactly one is given, as there |
//! | `inline_shebang` | done; `/bin/sh -e` where it is missing |
//! | `environment_vars` | done, beside `PACKER_BUILD_NAME` and `PACKER_BUILDER_TYPE` |
//! | `execute_command` | done, with `{{ .Vars }}` and `{{ .Path }}` |
//! | `valid_exit_codes` | done |
//! | `binary` | done: line ends `\r\n` become `\n` where it is not set |
//! | `env`, `env_var_format`, `use_env_var_file` | refused: not there yet |
//! | `remote_folder`, `remote_file`, `remote_path` | refused: not there yet. Scripts go to the machine's `TMPDIR`, or `/tmp` |
//! | `skip_clean` | refused: not there yet. Scripts are removed, after a failure too |
//! | `expect_disconnect`, `start_retry_timeout`, `pause_after` | refused: not there yet, as machines that reboot are not |
//! | `pause_before`, `max_retries`, `timeout`, `only`, `except`, `override` | the host's, for every provisioner |
//!
//! Lines of standard output are shown as details, those of standard error as errors, as they come.
mod config;
mod execute;
mod shell;

packwire_plugin::serve_provisioner!("shell", shell::Shell);
