//! A disk that is full, wherever something is written: what is told, and that no part of it stays.
//!
//! The disk is a small one in memory, which only a run in namespaces of its own sees: `unshare -Urm`.

use std::path::Path;
use std::process::{Command, Stdio};

use insta::assert_snapshot;

use crate::rig::{FILE, Said, World};
use crate::whole::ROOTFS;

/// Half as large as the disk, and larger.
const HALF: usize = 600 << 10;
const TOO_LARGE: usize = 4 << 20;

/// Text that no compression makes much smaller than half of it.
fn text(length: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    });
    words.take(length / 16).collect()
}

/// Runs `packwire` where `small` is a disk of 1 MiB; and lists what is on it then.
fn run(world: &World, first: &str, line: &str) -> Said {
    require_namespaces();
    std::fs::create_dir(world.path("small")).unwrap();
    let script = format!(
        r#"mount -t tmpfs -o size=1m,mode=700 tmpfs small && {first} || exit 99
        "$@"
        status=$?
        echo "--- on the small disk ---"
        find small -mindepth 1 | sort
        exit $status"#
    );
    let unshare = ["unshare", "-Urm", "sh", "-c", &script, "sh"];
    world.start_through(&unshare, line).said()
}

fn built(plugins: &[&str], template: &str) -> Said {
    let world = World::with(plugins).template(template);
    std::fs::create_dir(world.path("tree")).unwrap();
    let world = world.file("half", &text(HALF)).file("tree/large", &text(TOO_LARGE));
    run(&world, "true", "build template.json")
}

#[test]
fn a_file_that_does_not_fit_is_told_and_its_draft_is_gone() {
    let template = r#"{"builders": [{"type": "file", "source": "tree/large", "target": "small/out/copy"}]}"#;
    assert_snapshot!(built(&[FILE], template));
}

#[test]
fn a_root_filesystem_that_does_not_fit_is_told_and_its_draft_is_gone() {
    let template = r#"{"builders": [{"type": "rootfs", "source": "tree", "output": "small/system.tar"}]}"#;
    let said = built(&[ROOTFS], template).to_string();
    assert_snapshot!(without_isolation(&said));
}

#[test]
fn an_image_that_does_not_fit_is_told_and_its_draft_is_gone() {
    let template = r#"{"builders": [
        {"type": "rootfs", "source": "tree", "output": "small/system", "format": "oci"}
    ]}"#;
    let said = built(&[ROOTFS], template).to_string();
    assert_snapshot!(without_isolation(&said));
}

#[test]
fn a_tree_that_does_not_fit_where_it_is_worked_on_is_told_and_gone() {
    let template = r#"{"builders": [{"type": "rootfs", "source": "tree", "output": "system.tar"}]}"#;
    let world = World::with(&[ROOTFS]).template(template);
    std::fs::create_dir(world.path("tree")).unwrap();
    let small = world.path("small").display().to_string();
    let world = world.file("tree/large", &text(TOO_LARGE)).variable("TMPDIR", &small);
    let said = run(&world, "true", "build template.json").to_string();
    assert_snapshot!(without_isolation(&said));
    assert!(!world.path("system.tar").exists());
}

#[test]
fn an_archive_that_does_not_fit_is_told_and_what_it_is_made_of_stays() {
    let template = r#"{
      "builders": [{"type": "file", "source": "half", "target": "small/copy"}],
      "post-processors": [{"type": "compress", "output": "small/copy.tar"}]
    }"#;
    assert_snapshot!(built(&[FILE, "packer-post-processor-compress"], template));
}

// host.ledger-durable
#[test]
fn what_the_ledger_has_no_room_for_is_not_made() {
    let template = r#"{"builders": [{"type": "file", "content": "x", "target": "out/note"}]}"#;
    let world = World::with(&[FILE]).template(template);
    let small = world.path("small").display().to_string();
    let world = world.variable("XDG_STATE_HOME", &small);
    let said = run(&world, "! cat /dev/zero > small/full 2> /dev/null", "build template.json");
    assert_snapshot!(said);
    assert!(!world.path("out").exists());
}

#[test]
fn what_the_ledger_has_no_more_room_for_is_removed() {
    let template = r#"{"builders": [{"type": "file", "content": "x", "target": "out/note"}]}"#;
    let world = World::with(&[FILE]).template(template);
    let small = world.path("small").display().to_string();
    let world = world.variable("XDG_STATE_HOME", &small);
    // Two pages are for the run and what it is about to make, and there is none for what it has made.
    let fill = format!("head -c {} /dev/zero > small/full", (1 << 20) - 2 * rustix::param::page_size());
    assert_snapshot!(run(&world, &fill, "build template.json"));
    assert!(!world.path("out").exists());
}

/// Where root filesystems are entered depends on the machine.
fn without_isolation(said: &str) -> String {
    said.lines().filter(|line| !line.contains("Commands run")).collect::<Vec<_>>().join("\n")
}

/// Without namespaces there is no full disk, and a test that is not made is not passed.
fn require_namespaces() {
    #[expect(clippy::disallowed_methods, reason = "it is waited for")]
    let mut unshare = Command::new("unshare");
    let tried = unshare.args(["-Urm", "true"]).stdin(Stdio::null()).output();
    let why = match tried {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let setting = |name: &str| std::fs::read_to_string(Path::new("/proc/sys").join(name)).ok();
    panic!(
        "`unshare -Urm true` is needed for a full disk, and fails: {}\n{}",
        why.trim_end(),
        way_out(setting)
    );
}

/// The command to run where namespaces are forbidden, by the kernel's settings.
fn way_out(setting: impl Fn(&str) -> Option<String>) -> String {
    let forbidding = [
        ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
    ];
    let is_set = |name: &str, value: &str| setting(name).is_some_and(|set| set.trim() == value);
    let found = forbidding.into_iter().find(|(name, value, _)| is_set(name, value));
    let command = found.map_or(
        "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN …",
        |(_, _, command)| command,
    );
    format!("Run first: {command}")
}

#[test]
fn where_namespaces_are_forbidden_the_way_out_is_told() {
    let ubuntu = |name: &str| match name {
        "kernel/unprivileged_userns_clone" => Some("1\n".to_owned()),
        "kernel/apparmor_restrict_unprivileged_userns" => Some("1\n".to_owned()),
        _ => None,
    };
    assert_eq!(way_out(ubuntu), "Run first: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
    assert!(way_out(|_| None).starts_with("Run first: docker run "));
}
