//! Ways in which a build ends before its time, and what is left then.
use super::*;

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
    building.plugin.kill().await.unwrap();
    building.running.await.unwrap().unwrap_err();
    until(|| !lives(&long)).await;
    drop(provisioning);
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
    building.plugin.kill().await.unwrap();
    building.running.await.unwrap().unwrap_err();
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
    building.outcome().await.unwrap();
    let told = building.host.told();
    let tree = Path::new(told.last().unwrap().strip_prefix("The tree stays as it is: ").unwrap());
    assert!(tree.join("bin/sh").exists());
    fs::remove_dir_all(tree.parent().unwrap()).unwrap();
    assert_eq!(building.plugin.leave().await, Ok(Ended::Exited(0)));
    assert_eq!(names(place.path()), ["system"]);
}

#[tokio::test]
async fn sigterm_and_the_end_of_the_host_leave_nothing_and_the_status_is_4() {
    for is_terminated in [true, false] {
        let place = with_system();
        let long = long(place.path());
        let mut building = Building::start(&place, json!({"source": "system", "output": "a/o.tar"})).await;
        let provisioning = building.provisioning().await;
        run(&provisioning.machine, &format!("{long} > /dev/null 2>&1 &")).await.unwrap();
        until(|| lives(&long)).await;
        let plugin = building.plugin;
        let ended = if is_terminated { plugin.terminate().await } else { plugin.lose_host().await };
        assert_eq!(ended, Ok(Ended::Exited(4)));
        assert!(!lives(&long));
        // Empty: a host that is gone cannot be given back what it has lent.
        assert_eq!(fs::remove_dir(building.host.temporary()).is_err(), is_terminated);
        assert_eq!(names(place.path()), ["system"]);
    }
}
