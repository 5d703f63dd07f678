//! What is made, of what, and what is not.
use super::*;

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
