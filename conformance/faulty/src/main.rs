//! `faulty NAME`: the green plugin with exactly one thing changed. A check that no fault turns red proves nothing.
//!
//! `faulty green` keeps every rule of SPEC.md. `faulty FAULT` breaks exactly one of them, `faulty DIALECT` keeps them
//! all in an unusual way, `faulty NULL` does too little to deserve any praise, `faulty HURT` does too much for anybody to
//! bear. `faulty list` names them all.
//!
//! It is written on the generated schema and the RPC library alone: what it has to break lies below any SDK.

mod address;
mod below;
mod catalog;
mod component;
mod dialect;
mod ending;
mod fault;
mod green;
mod hello;
mod helper;
mod hurt;
mod launch;
mod link;
mod log;
mod manner;
mod plugin;
mod session;
mod signals;
mod stray;
mod version;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use manner::Manner;

/// A plugin that commits exactly one enumerated fault.
#[derive(Parser)]
#[command(name = "faulty", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    /// What to be: `green`, or a name that `faulty list` prints
    #[arg(required = true)]
    manner: Option<Manner>,
    /// Arguments of the plugin itself; none is needed
    rest: Vec<String>,
    #[command(subcommand)]
    errand: Option<Errand>,
}

#[derive(Subcommand)]
enum Errand {
    /// Print every fault with the requirement that it breaks, every dialect and every null plugin
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// What this plugin starts where a plugin with a child of its own is needed
    #[command(hide = true)]
    Helper {
        /// Stay although the plugin has gone
        #[arg(long)]
        stay: bool,
        /// Move to a session of its own first, and go on as a grandchild that ignores signals
        #[arg(long)]
        hide: bool,
    },
}

fn main() -> ExitCode {
    let Arguments { manner, rest, errand } = Arguments::parse();
    match errand {
        Some(Errand::List { json }) => catalog::print(json),
        Some(Errand::Helper { stay, hide }) => helper::be(stay, hide),
        None => plugin::play(manner.unwrap_or(Manner::Green), &rest),
    }
}
