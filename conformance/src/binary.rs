//! What kind of machine a binary is for.
//!
//! The system does not start one of another kind, and the C library then takes it for a shell script, whose mistakes
//! say nothing to anybody.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// As much of a file as tells its kind.
type Head = [u8; 20];

/// What a binary is for, if this machine cannot run it.
pub(crate) fn foreign(path: &Path) -> Option<String> {
    let theirs = head(path)?;
    let ours = head(Path::new("/proc/self/exe"))?;
    let made_for = made_for(&theirs).filter(|_| !same_family(&theirs, &ours))?;
    (!is_emulated(&theirs)).then_some(made_for)
}

fn head(path: &Path) -> Option<Head> {
    let mut head = Head::default();
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    Some(head)
}

fn made_for(head: &Head) -> Option<String> {
    Some(match head {
        [0x7f, b'E', b'L', b'F', ..] => architecture(machine(head)),
        [b'M', b'Z', ..] => "Windows".to_owned(),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => "macOS, or for Java".to_owned(),
        _ => return None,
    })
}

/// The number that the head of an ELF file has for its architecture.
fn machine(head: &Head) -> u16 {
    let bytes = [head[18], head[19]];
    if head[5] == 2 { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
}

fn architecture(machine: u16) -> String {
    match machine {
        3 => "x86".to_owned(),
        8 => "mips".to_owned(),
        21 => "powerpc64".to_owned(),
        22 => "s390x".to_owned(),
        40 => "arm".to_owned(),
        62 => "x86_64".to_owned(),
        183 => "aarch64".to_owned(),
        243 => "riscv".to_owned(),
        other => format!("another architecture (ELF machine {other})"),
    }
}

/// Whether one machine runs both: most that have 64 bits run the programs of their elders.
fn same_family(one: &Head, other: &Head) -> bool {
    let family = |head: &Head| match machine(head) {
        3 | 62 => 62,
        40 | 183 => 183,
        other => other,
    };
    one[..4] == other[..4] && family(one) == family(other)
}

/// Whether the system was told of a program that runs such files: its rule begins with the same bytes.
fn is_emulated(head: &Head) -> bool {
    let begins = format!("magic {:02x}{:02x}", head[0], head[1]);
    let rules = fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
    rules
        .filter_map(|rule| fs::read_to_string(rule.path()).ok())
        .any(|rule| rule.lines().any(|line| line.starts_with(&begins)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of an ELF file for this machine, with little ends first.
    fn elf(machine: u8) -> Head {
        let mut head = Head::default();
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        head[18] = machine;
        head
    }

    #[test]
    fn the_kind_of_a_binary_is_named() {
        let told = |head: &Head| made_for(head).unwrap_or_default();
        assert_eq!(
            [62, 183, 243, 99].map(|machine| told(&elf(machine))),
            ["x86_64", "aarch64", "riscv", "another architecture (ELF machine 99)"]
        );
        assert_eq!(told(b"MZ\x90\0                "), "Windows");
        assert_eq!(told(b"#!/bin/sh\n          "), "");
        assert!(same_family(&elf(3), &elf(62)) && !same_family(&elf(183), &elf(62)));
    }

    #[test]
    fn what_runs_here_is_not_foreign() {
        assert_eq!(foreign(Path::new("/proc/self/exe")), None);
        assert_eq!(foreign(Path::new("/bin/sh")), None);
    }
}
