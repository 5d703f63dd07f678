//! The plugin as a process: real trees, real namespaces, real archives.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in a test ends it")]
mod rig;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    path::Path,
    sync::Arc,
    time::Duration,
};

use packwire_plugin::{
    Cancellation, Context, Exit, OnError, Outcome, RemoteCommunicator, Stop,
    machine::{self, Line},
};
use rig::{Building, GRACE, system};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn place() -> Arc<tempfile::TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

fn with_system() -> Arc<tempfile::TempDir> {
    let place = place();
    system(&place.path().join("system"));
    place
}

fn never() -> Cancellation {
    Cancellation::local(CancellationToken::new())
}

async fn run(machine: &RemoteCommunicator, line: &str) -> Result<String, Stop> {
    machine::output(machine, line, &never()).await
}

/// The names in a tar file, each with owner and kind.
fn entries(path: &Path) -> BTreeMap<String, (u64, u64, tar::EntryType)> {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let header = entry.header();
        let owner = (header.uid().unwrap(), header.gid().unwrap(), header.entry_type());
        (entry.path().unwrap().display().to_string(), owner)
    });
    entries.collect()
}

fn content(path: &Path, name: &str) -> Option<String> {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    archive.entries().unwrap().map(Result::unwrap).find_map(|mut entry| {
        let mut text = String::new();
        (entry.path().unwrap() == Path::new(name)).then(|| entry.read_to_string(&mut text).unwrap())?;
        Some(text)
    })
}

fn names(directory: &Path) -> Vec<String> {
    let all = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A command line that nothing else on this machine has, and that takes long.
fn long(place: &Path) -> String {
    let unique: u64 = place
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(7, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()) % 100_000_000);
    format!("sleep 1{unique:09}")
}

/// Whether a process with such a command line lives.
fn lives(command: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ") == command
    })
}

async fn until(condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap();
}

#[tokio::test]
async fn a_tree_is_provisioned_in_namespaces_and_packed() {
    let place = with_system();
    let config = json!({"source": "system", "output": "out/a.tar", "isolation": "namespaces"});
    let mut building = Building::start(&place, config).await;
    let provisioning = building.provisioning().await;
    assert_eq!(provisioning.data["ConnType"], "rootfs");
    let machine = &provisioning.machine;
    assert_eq!(run(machine, "id -u; pwd; echo $HOME").await.unwrap(), "0\n/\n/root");
    assert_eq!(run(machine, "cat /proc/1/cmdline").await.unwrap().split('\0').nth(1), Some("__inside"));
    run(machine, &format!("test ! -e {}", place.path().display())).await.unwrap();
    run(machine, "echo x > /dev/null && test -c /dev/urandom && test -d /dev/shm").await.unwrap();
    run(machine, "echo made > /etc/made; echo gone > /dev/shm/gone").await.unwrap();
    provisioning.answer(Outcome::Done);
    let made = building.made().await;
    let output = place.path().join("out/a.tar");
    let entries = entries(&output);
    assert_eq!(content(&output, "etc/made").as_deref(), Some("made\n"));
    for name in ["proc", "dev", "etc/resolv.conf"] {
        assert!(!entries.contains_key(name), "{name} was made for the build alone");
    }
    assert!(entries.values().all(|(uid, gid, _)| (*uid, *gid) == (0, 0)), "{entries:?}");
    assert_eq!(
        (made.info.builder_id.as_str(), &made.info.files[..]),
        ("packwire.rootfs", &[output.display().to_string()][..])
    );
    assert_eq!(made.data["Digest"], made.info.id.as_str());
    assert_eq!(*made.host.ledger.lock().unwrap(), [None]);
    assert_eq!((made.destroy().await, made.destroy().await), (Outcome::Done, Outcome::Done));
    assert!(!output.exists() && !made.host.temporary().exists());
    made.leave().await;
}

#[tokio::test]
async fn the_status_and_the_signal_of_a_command_are_told() {
    let place = with_system();
    let mut building = Building::start(&place, json!({"source": "system", "output": "o.tar"})).await;
    let provisioning = building.provisioning().await;
    let mut lines = Vec::new();
    let keep = |line| {
        lines.push(line);
        std::future::ready(())
    };
    let line = "echo out; echo err >&2; exit 7";
    let exit = machine::run(&provisioning.machine, line, &never(), keep).await.unwrap();
    lines.sort_by_key(|line| matches!(line, Line::Stderr(_)));
    assert_eq!(exit, Exit::Status(7));
    assert_eq!(lines, [Line::Stdout("out".to_owned()), Line::Stderr("err".to_owned())]);
    let killed = machine::run(&provisioning.machine, "kill -SEGV $$", &never(), |_| async {}).await.unwrap();
    assert_eq!(killed, Exit::Signal("SEGV".to_owned()));
    provisioning.answer(Outcome::Done);
    building.made().await.leave().await;
}

#[tokio::test]
async fn an_empty_tree_is_filled_from_this_machine() {
    let place = place();
    let mut building = Building::start(&place, json!({"output": "o.tar"})).await;
    let provisioning = building.provisioning().await;
    let machine = &provisioning.machine;
    machine::upload(machine, "script", "echo from $0 > \"$ROOTFS/made\"; test \"$ROOTFS\" -ef .", 0o700)
        .await
        .unwrap();
    run(machine, "sh ./script").await.unwrap();
    provisioning.answer(Outcome::Done);
    let made = building.made().await;
    let told = made.host.told();
    assert_eq!(told[1], "There is no /bin/sh in the tree");
    assert!(told[2].starts_with("Commands run on this machine"), "{told:?}");
    assert_eq!(content(&place.path().join("o.tar"), "made").as_deref(), Some("from ./script\n"));
    made.leave().await;
}

#[tokio::test]
async fn the_owners_and_devices_of_an_archive_are_in_the_output() {
    let place = place();
    let mut archive = tar::Builder::new(File::create(place.path().join("source.tar")).unwrap());
    let mut add = |name: &str, kind: tar::EntryType, uid: u64, gid: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_uid(uid);
        header.set_gid(gid);
        header.set_mode(0o4755);
        header.set_mtime(77);
        header.set_size(0);
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        archive.append_data(&mut header, name, std::io::empty()).unwrap();
    };
    add("home", tar::EntryType::Directory, 0, 0);
    add("home/alice", tar::EntryType::Directory, 1000, 1001);
    add("home/alice/note", tar::EntryType::Regular, 1000, 1001);
    add("null", tar::EntryType::Char, 0, 5);
    drop(archive.into_inner().unwrap());
    let config = json!({"source": "source.tar", "output": "o.tar", "isolation": "directory"});
    let mut building = Building::start(&place, config).await;
    let provisioning = building.provisioning().await;
    run(&provisioning.machine, "chmod 0 home/alice/note; umask 077; mkdir -p new/sub").await.unwrap();
    provisioning.answer(Outcome::Done);
    let made = building.made().await;
    let entries = entries(&place.path().join("o.tar"));
    assert_eq!(entries["home/alice"], (1000, 1001, tar::EntryType::Directory));
    assert_eq!(entries["home/alice/note"], (1000, 1001, tar::EntryType::Regular));
    assert_eq!(entries["null"], (0, 5, tar::EntryType::Char));
    assert_eq!(entries["new/sub"], (0, 0, tar::EntryType::Directory));
    made.leave().await;
}

#[tokio::test]
async fn the_same_source_makes_the_same_bytes() {
    let place = with_system();
    let mut digests = Vec::new();
    for output in ["one.tar.zst", "two.tar.zst", "one", "two"] {
        let mut building = Building::start(&place, json!({"source": "system", "output": output})).await;
        building.provisioning().await.answer(Outcome::Done);
        let made = building.made().await;
        digests.push(made.info.id.clone());
        made.leave().await;
    }
    assert_eq!((&digests[0], &digests[2]), (&digests[1], &digests[3]));
    assert_ne!(digests[0], digests[2]);
}

#[tokio::test]
async fn an_image_says_what_it_was_told_and_no_secret() {
    let place = with_system();
    let config = json!({
        "source": "system", "output": "image",
        "image": {"tag": "t", "env": {"SEEN": "here"}, "user": "1000"},
        "build_env": {"TOKEN": "hunter2222"},
    });
    let mut building = Building::start(&place, config).await;
    let provisioning = building.provisioning().await;
    assert_eq!(run(&provisioning.machine, "echo $SEEN $TOKEN").await.unwrap(), "here hunter2222");
    provisioning.answer(Outcome::Done);
    let made = building.made().await;
    assert_eq!(*made.host.masked.lock().unwrap(), ["hunter2222"]);
    let index: Value =
        serde_json::from_slice(&fs::read(place.path().join("image/index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], made.info.id.as_str());
    assert_eq!(made.info.files.len(), 5, "{:?}", made.info.files);
    let all: Vec<u8> = made.info.files.iter().flat_map(|file| fs::read(file).unwrap()).collect();
    let all = String::from_utf8_lossy(&all);
    assert!(all.contains("SEEN=here") && !all.contains("hunter"));
    assert_eq!(made.destroy().await, Outcome::Done);
    assert!(!place.path().join("image").exists());
    made.leave().await;
}

#[tokio::test]
async fn files_and_trees_go_in_and_out_and_stay_inside() {
    let place = with_system();
    fs::write(place.path().join("secret"), "outside").unwrap();
    std::os::unix::fs::symlink(place.path(), place.path().join("system/out")).unwrap();
    let mut building = Building::start(&place, json!({"source": "system", "output": "o.tar"})).await;
    let provisioning = building.provisioning().await;
    let machine = &provisioning.machine;
    machine::upload(machine, "/tmp/a", vec![7; 700_000], 0o640).await.unwrap();
    assert_eq!(run(machine, "ls -l /tmp/a").await.unwrap().get(..10), Some("-rw-r-----"));
    assert!(machine::download(machine, "tmp/a", &never(), 1_000_000).await.unwrap() == vec![7; 700_000]);
    for path in ["/out/secret", "/etc/../out/secret", "/nowhere/a"] {
        machine::upload(machine, path, "x", 0o600).await.unwrap_err();
        machine::download(machine, path, &never(), 100).await.unwrap_err();
    }
    machine::upload(machine, "../../secret", "inside", 0o600).await.unwrap();
    assert_eq!(run(machine, "cat /secret").await.unwrap(), "inside");
    assert_eq!(fs::read_to_string(place.path().join("secret")).unwrap(), "outside");
    let archive = tree_of(machine, "/etc").await;
    let mut upload = machine.upload_tree("/root").await.unwrap();
    run(machine, "echo new > /etc/new").await.unwrap();
    upload.write(tree_of(machine, "/etc").await).await.unwrap();
    assert_eq!(upload.end().await.unwrap(), Outcome::Done);
    assert_eq!(run(machine, "cat /root/new").await.unwrap(), "new");
    assert!(archive.len() >= 1024);
    provisioning.answer(Outcome::Done);
    building.made().await.leave().await;
}

async fn tree_of(machine: &RemoteCommunicator, path: &str) -> Vec<u8> {
    let (archive, mut receiver) = packwire_plugin::pipe();
    let receive = async {
        let bytes = receiver.collect(10_000_000).await;
        receiver.finish(Outcome::Done);
        bytes.unwrap()
    };
    let (answer, bytes) = tokio::join!(machine.download_tree(path, archive, never().offer()), receive);
    assert_eq!(answer.unwrap(), Outcome::Done);
    bytes
}

#[tokio::test]
async fn mounts_are_seen_and_not_packed() {
    let place = with_system();
    fs::create_dir(place.path().join("shared")).unwrap();
    fs::write(place.path().join("shared/file"), "shared").unwrap();
    let config = json!({
        "source": "system", "output": "o.tar",
        "mounts": [
            {"source": "shared", "target": "/mnt/shared"},
            {"source": "shared/file", "target": "/etc/one", "read_only": true},
        ],
    });
    let mut building = Building::start(&place, config).await;
    let provisioning = building.provisioning().await;
    let machine = &provisioning.machine;
    assert_eq!(run(machine, "cat /mnt/shared/file /etc/one").await.unwrap(), "sharedshared");
    run(machine, "echo x > /etc/one").await.unwrap_err();
    machine::upload(machine, "/mnt/shared/new", "from inside", 0o600).await.unwrap();
    assert_eq!(fs::read_to_string(place.path().join("shared/new")).unwrap(), "from inside");
    provisioning.answer(Outcome::Done);
    let made = building.made().await;
    let entries = entries(&place.path().join("o.tar"));
    assert!(!entries.keys().any(|name| name.starts_with("mnt") || name == "etc/one"), "{entries:?}");
    made.leave().await;
}

#[tokio::test]
async fn an_empty_tree_borrows_the_programs_of_this_machine() {
    let place = place();
    let borrowed = |path: &str| json!({"source": path, "target": path, "read_only": true, "optional": true});
    let mounts = ["/bin", "/lib", "/lib64", "/usr", "/no/such/thing"].map(borrowed);
    let mut building = Building::start(&place, json!({"output": "o.tar", "mounts": mounts})).await;
    let provisioning = building.provisioning().await;
    let machine = &provisioning.machine;
    run(machine, "mkdir /etc && echo new > /tmp/draft && cp /tmp/draft /etc/release").await.unwrap();
    run(machine, "test ! -e /no").await.unwrap();
    provisioning.answer(Outcome::Done);
    let made = building.made().await;
    let output = place.path().join("o.tar");
    assert_eq!(entries(&output).into_keys().collect::<Vec<_>>(), ["etc", "etc/release"]);
    assert_eq!(content(&output, "etc/release").as_deref(), Some("new\n"));
    made.leave().await;
}

#[tokio::test]
async fn nothing_that_a_command_started_outlives_the_build() {
    for isolation in ["namespaces", "directory", "chroot"] {
        let place = with_system();
        let long = long(place.path());
        if isolation == "chroot" && !rustix::process::geteuid().is_root() {
            continue;
        }
        let config = json!({"source": "system", "output": "o.tar", "isolation": isolation});
        let mut building = Building::start(&place, config).await;
        let provisioning = building.provisioning().await;
        run(&provisioning.machine, &format!("{long} > /dev/null 2>&1 &")).await.unwrap();
        until(|| lives(&long)).await;
        provisioning.answer(Outcome::Done);
        building.made().await.leave().await;
        assert!(!lives(&long), "{isolation}");
        assert!(!entries(&place.path().join("o.tar")).contains_key("dev"), "{isolation}");
    }
}

#[tokio::test]
async fn a_cancelled_build_ends_its_commands_and_leaves_nothing() {
    let place = with_system();
    let long = long(place.path());
    let mut building = Building::start(&place, json!({"source": "system", "output": "a/o.tar"})).await;
    let provisioning = building.provisioning().await;
    let machine = provisioning.machine.clone();
    let command = format!("({long}) & {long}");
    let running = tokio::spawn(async move { machine::run(&machine, command, &never(), |_| async {}).await });
    until(|| lives(&long)).await;
    building.cancellation.cancel();
    let (host, why) = building.failure().await;
    drop((running.await, provisioning));
    assert_eq!(why, "cancelled");
    assert!(!lives(&long));
    assert_eq!(names(place.path()), ["system"]);
    assert!(host.ledger.lock().unwrap().iter().all(Option::is_none));
}

#[tokio::test]
async fn a_failed_build_leaves_nothing() {
    let place = with_system();
    let mut building = Building::start(&place, json!({"source": "system", "output": "a/o.tar"})).await;
    let provisioning = building.provisioning().await;
    run(&provisioning.machine, "echo > /etc/x").await.unwrap();
    provisioning.answer(Outcome::failed("no"));
    let (_, why) = building.failure().await;
    assert_eq!((why.as_str(), names(place.path())), ("no", vec!["system".to_owned()]));
}

#[tokio::test]
async fn the_commands_of_a_killed_plugin_end_with_it() {
    let place = with_system();
    let long = long(place.path());
    let mut building = Building::start(&place, json!({"source": "system", "output": "o.tar"})).await;
    let provisioning = building.provisioning().await;
    run(&provisioning.machine, &format!("{long} > /dev/null 2>&1 &")).await.unwrap();
    until(|| lives(&long)).await;
    kill_process(Pid::from_raw(building.attached.id().try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    building.outcome().await.unwrap_err();
    until(|| !lives(&long)).await;
    drop(provisioning);
    building.attached.leave(GRACE).await;
}

#[tokio::test]
async fn what_a_killed_plugin_left_is_recovered_and_twice() {
    let place = with_system();
    let config = json!({"source": "system", "output": "a/b/image"});
    let mut building = Building::start(&place, config.clone()).await;
    building.host.stalling.0.store(true, std::sync::atomic::Ordering::Relaxed);
    building.provisioning().await.answer(Outcome::Done);
    building.host.stalling.1.notified().await;
    assert!(names(&place.path().join("a/b"))[0].starts_with(".image."));
    kill_process(Pid::from_raw(building.attached.id().try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    building.outcome().await.unwrap_err();
    building.attached.leave(GRACE).await;
    let host = building.host;
    let left = host.ledger.lock().unwrap().clone();
    assert_eq!(host.recover(config.clone()).await, Outcome::Done);
    assert_eq!(*host.ledger.lock().unwrap(), [None]);
    *host.ledger.lock().unwrap() = left;
    assert_eq!(host.recover(config).await, Outcome::Done);
    fs::remove_dir_all(host.temporary()).unwrap();
    assert_eq!(names(place.path()), ["system"]);
}

#[tokio::test]
async fn who_wants_to_look_at_a_failure_keeps_the_tree() {
    let place = with_system();
    let abort = Context { on_error: OnError::Abort, ..Context::default() };
    let config = json!({"source": "system", "output": "o.tar"});
    let mut building = Building::start_with(&place, config, abort).await;
    building.provisioning().await.answer(Outcome::failed("no"));
    let (host, _) = building.failure().await;
    let told = host.told();
    let tree = Path::new(told.last().unwrap().strip_prefix("The tree stays as it is: ").unwrap());
    assert!(tree.join("bin/sh").exists());
    fs::remove_dir_all(tree.parent().unwrap()).unwrap();
    assert_eq!(names(place.path()), ["system"]);
}

#[tokio::test]
async fn an_existing_output_is_replaced_by_force_only() {
    let place = with_system();
    fs::write(place.path().join("o.tar"), "old").unwrap();
    let config = json!({"source": "system", "output": "o.tar"});
    let (_, why) = Building::start(&place, config.clone()).await.failure().await;
    assert!(why.ends_with("o.tar exists"), "{why}");
    let forced = Context { force: true, ..Context::default() };
    let mut building = Building::start_with(&place, config, forced).await;
    building.provisioning().await.answer(Outcome::Done);
    building.made().await.leave().await;
    assert!(fs::metadata(place.path().join("o.tar")).unwrap().len() > 3);
    assert_eq!(names(place.path()), ["o.tar", "system"]);
}

#[tokio::test]
async fn a_source_that_is_none_is_named() {
    let place = place();
    fs::write(place.path().join("bad.tar"), vec![7; 2000]).unwrap();
    for (source, told) in [("nowhere", "cannot be read"), ("bad.tar", "cannot be unpacked")] {
        let config = json!({"source": source, "output": "o.tar"});
        let (_, why) = Building::start(&place, config).await.failure().await;
        assert!(why.contains(source) && why.contains(told), "{why}");
    }
    assert_eq!(names(place.path()), ["bad.tar"]);
}
