//! The tree as a machine: commands, files, trees and mounts.
use super::*;

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
    let (archive, mut receiver) = pipe();
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
async fn an_upload_that_is_given_up_changes_nothing() {
    let place = with_system();
    let mut building = Building::start(&place, json!({"source": "system", "output": "o.tar"})).await;
    let provisioning = building.provisioning().await;
    let machine = &provisioning.machine;
    machine::upload(machine, "/etc/file", "old", 0o600).await.unwrap();
    let mut given_up = machine.upload("/etc/file", FileInfo::default()).await.unwrap();
    given_up.write("new").await.unwrap();
    given_up.abort().await.unwrap();
    let short = FileInfo { size: Some(9), ..Default::default() };
    let mut upload = machine.upload("/etc/file", short).await.unwrap();
    upload.write("new").await.unwrap();
    assert_eq!(upload.end().await.unwrap(), Outcome::failed("/etc/file: 3 of 9 bytes came"));
    provisioning.answer(Outcome::Done);
    building.made().await.leave().await;
    let names: Vec<_> =
        entries(&place.path().join("o.tar")).into_keys().filter(|name| name.starts_with("etc/")).collect();
    assert_eq!(
        (names, content(&place.path().join("o.tar"), "etc/file").as_deref()),
        (vec!["etc/file".to_owned()], Some("old"))
    );
}

#[tokio::test]
async fn commands_overlap_and_read_their_input() {
    let place = with_system();
    let mut building = Building::start(&place, json!({"source": "system", "output": "o.tar"})).await;
    let provisioning = building.provisioning().await;
    let machine = &provisioning.machine;
    let command = RemoteCommand { stdin: true, ..RemoteCommand::new("cat") };
    let (process, stdin) = machine.command(command).await.unwrap();
    let ((stdout, mut output), (stderr, errors)) = (pipe(), pipe());
    errors.finish(Outcome::Done);
    let running = tokio::spawn(async move { process.run(stdout, stderr, never().offer()).await });
    assert_eq!(run(machine, "echo meanwhile").await.unwrap(), "meanwhile");
    let mut stdin = stdin.unwrap();
    stdin.write("typed").await.unwrap();
    stdin.end().await.unwrap();
    assert_eq!(output.collect(100).await.unwrap(), b"typed");
    output.finish(Outcome::Done);
    assert_eq!(running.await.unwrap().unwrap(), Exit::Status(0));
    provisioning.answer(Outcome::Done);
    building.made().await.leave().await;
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
