//! packer-builder-rootfs: makes root filesystems without a hypervisor, and shows all of the SDK.
mod build;
mod compression;
mod config;
mod enclosure;
mod inside;
mod kept;
mod machine;
mod oci;
mod output;
mod owners;
mod pack;
mod source;
mod stragglers;
mod transfer;
mod tree;
mod unpack;
mod work;

use std::process::ExitCode;

use packwire_plugin::Plugin;

fn main() -> ExitCode {
    inside::requested(std::env::args_os()).unwrap_or_else(|| {
        let plugin = Plugin::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        plugin.builder("rootfs", build::Rootfs).recovering(build::Rootfs).serve()
    })
}
