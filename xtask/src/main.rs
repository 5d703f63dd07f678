//! The project's own chores, one file each: `cargo xtask --help` lists them.

mod bench;
mod codegen;
mod demo;
mod numbers;
mod process;
mod schema_files;
mod soak;
mod stale;
mod trace;
mod transcript;
mod vectors;

use clap::{Parser, Subcommand};

/// The project's own chores
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Renew the Rust that is generated from schema/packwire (needs the capnp compiler)
    Codegen(codegen::Args),
    /// Renew the bytes of schema/vectors from their texts (needs the capnp tool)
    Vectors(vectors::Args),
    /// Compare the rules of SPEC.md with the checks and the faults
    Trace(trace::Args),
    /// Compare what plugins and host say in a small build with the transcript in SPEC.md
    Transcript(transcript::Args),
    /// Build a template through plugin processes, and run the suite on those plugins
    Demo,
    /// Run the suite on all reference plugins again and again, alone and under load: minutes for each run
    Soak(soak::Args),
    /// Measure how long the suite takes and how much memory (bench/README.md)
    Bench,
    /// Print the five numbers by which the shape of the code is watched
    Numbers,
}

fn main() -> miette::Result<()> {
    match Args::parse().chore {
        Chore::Codegen(args) => codegen::run(&args)?,
        Chore::Vectors(args) => vectors::run(&args)?,
        Chore::Trace(args) => trace::run(&args)?,
        Chore::Transcript(args) => transcript::run(&args)?,
        Chore::Demo => demo::run()?,
        Chore::Soak(args) => soak::run(&args)?,
        Chore::Bench => bench::run()?,
        Chore::Numbers => numbers::run()?,
    }
    Ok(())
}
