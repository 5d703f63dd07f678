//! packer-provisioner-shell: runs scripts on the machine.
//!
//! | Option of Packer's `shell` provisioner | Here |
//! | --- | --- |
//! | `inline`, `script`, `scripts` | done; exactly one is given, as there |
//! | `inline_shebang` | done; `/bin/sh -e` where it is missing |
//! | `environment_vars`, `env` | done, beside `PACKER_BUILD_NAME`, `PACKER_BUILDER_TYPE`, and `PACKER_HTTP_ADDR`, `PACKER_HTTP_IP` and `PACKER_HTTP_PORT` where the builder serves files |
//! | `env_var_format` | done: two `%s`, for the name and for the value, whose quotes are made fit for single quotes |
//! | `use_env_var_file` | done: variables go through a file, and so are not among the arguments that others see |
//! | `execute_command` | done, with `{{ .Vars }}`, `{{ .EnvVarFile }}` and `{{ .Path }}` |
//! | `remote_folder` | done; the machine's `TMPDIR`, or `/tmp`, where it is missing |
//! | `remote_file`, `remote_path` | done; a fresh name where they are missing |
//! | `valid_exit_codes` | done; Packer's 2300218 stands for a broken connection, as there |
//! | `binary` | done: line ends `\r\n` become `\n` where it is not set |
//! | `skip_clean` | done. Scripts are removed otherwise, after a failure or a cancellation, too |
//! | `expect_disconnect` | done: a connection that breaks while a script runs is no failure |
//! | `start_retry_timeout` | done: 5 minutes where it is missing; while the machine does not answer, sending is tried again |
//! | `pause_after` | done, after success |
//! | `pause_before`, `max_retries`, `timeout`, `only`, `except`, `override` | the host's, for every provisioner |
//!
//! Two things differ. What the machine refuses to take, such as a script for a directory that it lacks, fails at once:
//! Packer tries again for 5 minutes. After a restart that `expect_disconnect` allows, scripts are removed once the
//! machine answers again; a machine that is never to come back needs `skip_clean`, as there.
//!
//! Lines of standard output are shown as details, those of standard error as errors, as they come.
mod config;
mod execute;
mod remote;
mod script;
mod shell;

packwire_plugin::serve_provisioner!("shell", shell::Shell);
