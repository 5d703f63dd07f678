//! packer-provisioner-shell-local: runs commands on the host's machine, between those that work on the other one.
//!
//! | Option of Packer's `shell-local` provisioner | Here |
//! | --- | --- |
//! | `command`, `inline`, `script`, `scripts` | done; exactly one is given, as there |
//! | `inline_shebang` | done; `/bin/sh -e` where it is missing |
//! | `environment_vars`, `env` | done, beside `PACKER_BUILD_NAME`, `PACKER_BUILDER_TYPE`, and `PACKER_HTTP_ADDR`, `PACKER_HTTP_IP` and `PACKER_HTTP_PORT` where the builder serves files |
//! | `env_var_format` | done, for `{{ .Vars }}`: two `%s`, for the name and for the value |
//! | `execute_command` | done: a program and its arguments, with `{{ .Vars }}` and `{{ .Script }}` |
//! | `tempfile_extension` | done, for the file that `command` and `inline` become |
//! | `valid_exit_codes` | done |
//! | `only_on` | done: elsewhere nothing runs, and the user is told |
//! | `use_linux_pathing` | refused: it means something on Windows only |
//! | `pause_before`, `max_retries`, `timeout`, `only`, `except`, `override` | the host's, for every provisioner |
//!
//! Variables are in the environment of what runs, where Packer writes them into the command for all users to see; so
//! the default of `execute_command` runs the script and no more, and `{{ .Vars }}` is for commands that need them as text.
//!
//! Scripts work in the host's working directory. When one has ended, or is cancelled, so is what it left in the
//! background; only what makes a session of its own (`setsid`) stays. Packer waits until such children let go of its pipes.
//!
//! Lines of standard output are shown as details, those of standard error as errors, as they come.
mod config;
mod here;

packwire_plugin::serve_provisioner!("shell-local", here::ShellLocal);
