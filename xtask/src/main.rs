//! The project's own chores: `cargo xtask codegen` renews the generated Rust of `schema/`.
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root.join("schema/packwire"))?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
    files.sort();
    let mut command = capnpc::CompilerCommand::new();
    command.src_prefix(root.join("schema/packwire")).output_path(root.join("schema/src"));
    for file in &files {
        command.file(file);
    }
    command.run()?;
    Ok(())
}
