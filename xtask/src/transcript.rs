//! `cargo xtask transcript`: what four plugins and their host say in one small build, against what SPEC.md shows.
//!
//! Each plugin is started below `overheard`, which writes down its link. What differs from run to run is redacted.
//! The order of lines on one link may differ where neither side waits for the other, so lines are compared as a bag.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use miette::{Context as _, IntoDiagnostic as _, miette};

use crate::trace::{Block, blocks};
use crate::{process, schema_files};

const PLUGINS: [&str; 4] =
    ["builder-null", "communicator-local", "provisioner-shell", "post-processor-manifest"];
const TEMPLATE: &str = r#"{
  "builders": [{ "type": "null", "communicator": "local" }],
  "provisioners": [{ "type": "shell", "inline": ["echo hello"] }],
  "post-processors": [{ "type": "manifest", "output": "manifest.json" }]
}"#;
/// Texts that are longer are cut.
const LONG: usize = 100;

/// What was typed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print what the plugins said, for SPEC.md
    #[arg(long)]
    print: bool,
}

/// Builds, listens, and compares; or prints.
pub(crate) fn run(args: &Args) -> miette::Result<()> {
    let root = schema_files::root();
    let spec = fs::read_to_string(root.join("SPEC.md")).into_diagnostic()?;
    let shown: Vec<Block<'_>> =
        blocks(&spec).into_iter().filter(|block| block.language == "transcript").collect();
    let folder = tempfile::Builder::new().prefix("transcript-").tempdir().into_diagnostic()?;
    overhear(&root, folder.path())?;
    let mut differing = Vec::new();
    for name in PLUGINS {
        let heard = fs::read_to_string(folder.path().join(name)).into_diagnostic().wrap_err(name)?;
        let heard: Vec<String> = heard.lines().map(|line| redacted(line, folder.path())).collect();
        if args.print {
            println!("```transcript {name}\n{}\n```\n", heard.join("\n"));
        } else {
            differing.extend(difference(name, &heard, &shown));
        }
    }
    if differing.is_empty() {
        return Ok(());
    }
    let help = "`cargo xtask transcript --print` prints what the plugins say now";
    Err(miette!(help = help, "SPEC.md shows another transcript:\n{}", differing.join("\n")))
}

fn overhear(root: &Path, folder: &Path) -> miette::Result<()> {
    let mut arguments = vec!["build", "--quiet", "--package", "packwire-host"];
    let packages = PLUGINS.map(|plugin| format!("packer-{plugin}"));
    arguments.extend(packages.iter().flat_map(|package| ["--package", package.as_str()]));
    process::shown(Path::new("cargo"), &arguments, root)?;
    let example = ["build", "--quiet", "--package", "packwire-conformance", "--example", "overheard"];
    process::shown(Path::new("cargo"), &example, root)?;
    let programs = programs()?;
    let plugins = folder.join("plugins");
    fs::create_dir(&plugins).into_diagnostic()?;
    for name in PLUGINS {
        wrap(name, &programs, &plugins, folder).into_diagnostic()?;
    }
    fs::write(folder.join("template.json"), TEMPLATE).into_diagnostic()?;
    let packwire = programs.join("packwire").display().to_string();
    let surroundings = [
        format!("PACKER_PLUGIN_PATH={}", plugins.display()),
        format!("HOME={}", folder.display()),
        packwire,
        "build".to_owned(),
        "template.json".to_owned(),
    ];
    process::output("env", &surroundings, folder, b"")?;
    Ok(())
}

/// The directory where cargo put this program, and so all others.
fn programs() -> miette::Result<PathBuf> {
    let ours = std::env::current_exe().into_diagnostic()?;
    Ok(ours.parent().map(Path::to_owned).unwrap_or_default())
}

fn wrap(name: &str, programs: &Path, plugins: &Path, folder: &Path) -> std::io::Result<()> {
    let (programs, folder) = (programs.display(), folder.display());
    let script = format!(
        "#!/bin/sh\nexec '{programs}/examples/overheard' '{folder}/{name}' '{programs}/packer-{name}'\n"
    );
    let place = plugins.join(format!("packer-{name}"));
    fs::write(&place, script)?;
    fs::set_permissions(place, fs::Permissions::from_mode(0o755))
}

/// What is the same in every run.
fn redacted(line: &str, folder: &Path) -> String {
    let line = line.replace("<external capability>", "<cap>").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let line = without_marks(&readable(&line)).replace(&folder.display().to_string(), "/work");
    let temporary = format!("{}/", std::env::temp_dir().display());
    short(&without_chance(&line.replace(&temporary, "/tmp/")))
}

/// Bytes as text, where they are one.
fn readable(line: &str) -> String {
    let Some((before, rest)) = line.split_once("0x\"") else { return line.to_owned() };
    let Some((digits, after)) = rest.split_once('"') else { return line.to_owned() };
    let bytes =
        digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16));
    let text = bytes.collect::<Result<Vec<u8>, _>>().ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.map_or_else(|| line.to_owned(), |text| format!("{before}{text:?}{after}"))
}

/// A file's identity and times.
fn without_marks(line: &str) -> String {
    const MARK: &str = r#"\"mark\":{"#;
    let Some((before, rest)) = line.split_once(MARK) else { return line.to_owned() };
    let after = rest.split_once('}').map_or("", |(_, after)| after);
    format!("{before}{MARK}…}}{after}")
}

/// Ids, tokens and names of temporary files: 16 and more hexadecimal digits.
fn without_chance(line: &str) -> String {
    let by_chance = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter) || letter == '-';
    let mut text = String::new();
    let mut run = String::new();
    for letter in line.chars().map(Some).chain([None]) {
        match letter {
            Some(letter) if by_chance(letter) => run.push(letter),
            _ => {
                let digits = run.bytes().any(|byte| byte.is_ascii_digit());
                text.push_str(if run.len() >= 16 && digits { "…" } else { &run });
                run.clear();
                text.extend(letter);
            }
        }
    }
    text
}

/// Cuts long texts within quotation marks.
fn short(line: &str) -> String {
    let mut text = String::new();
    let (mut inside, mut escaped, mut length) = (false, false, 0);
    for letter in line.chars() {
        let mark = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        if mark {
            (inside, length) = (!inside, 0);
        }
        length += 1;
        match length {
            _ if mark || !inside => text.push(letter),
            ..=LONG => text.push(letter),
            _ if text.ends_with('…') => {}
            _ => text.push('…'),
        }
    }
    text
}

/// What one link said and SPEC.md does not show, and the other way round. Lines that begin with `#` are notes.
fn difference(name: &str, heard: &[String], shown: &[Block<'_>]) -> Vec<String> {
    let Some(block) = shown.iter().find(|block| block.of == name) else {
        return vec![format!("{name}: there is no block for it")];
    };
    let notes = |line: &&str| line.starts_with('#') || line.is_empty();
    let mut left: Vec<&str> = block.lines.iter().copied().filter(|line| !notes(line)).collect();
    let mut told = Vec::new();
    for line in heard {
        match left.iter().position(|shown| shown == line) {
            Some(place) => drop(left.swap_remove(place)),
            None => told.push(format!("{name}: said and not shown: {line}")),
        }
    }
    told.extend(left.iter().map(|line| format!("{name}: shown and not said: {line}")));
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_redacted() {
        let line = r#"plugin → host  ByteStream.write(bytes = 0x"2f746d702f61310a")"#;
        assert_eq!(
            redacted(line, Path::new("/tmp/a1")),
            r#"plugin → host  ByteStream.write(bytes = "/work\n")"#
        );
        let line =
            r#"(token = "8e4911807d4d47eeef221bbd9dc8291c", build = <external capability>, size = 24)"#;
        assert_eq!(redacted(line, Path::new("/x")), r#"(token = "…", build = <cap>, size = 24)"#);
        let line = r#"(entry = "{\"mark\":{\"number\":7},\"target\":\"a\"}")"#;
        assert_eq!(redacted(line, Path::new("/x")), r#"(entry = "{\"mark\":{…},\"target\":\"a\"}")"#);
        let long = format!("(a = \"{}\", b = \"c\")", "x y ".repeat(50));
        assert_eq!(redacted(&long, Path::new("/x")).chars().count(), 6 + LONG - 1 + 1 + 11);
    }

    #[test]
    fn lines_are_compared_as_a_bag_and_notes_are_nobodys() {
        let spec = "```transcript b\n# a note\none\ntwo\none\n```\n";
        let heard = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let told = |lines: &[&str]| difference("b", &heard(lines), &blocks(spec));
        assert_eq!(told(&["one", "one", "two"]), Vec::<String>::new());
        assert_eq!(
            told(&["one", "two", "six"]),
            ["b: said and not shown: six", "b: shown and not said: one"]
        );
        assert_eq!(difference("c", &[], &blocks(spec)), ["c: there is no block for it"]);
    }
}
