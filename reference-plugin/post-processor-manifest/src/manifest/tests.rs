//! The post-processor on artifacts of a host under test.
use std::path::Path;

use packwire_plugin::{
    FilesArtifact, InputFate,
    testing::{Host, Processed},
};
use serde_json::{Value, json};

use super::*;

fn host(directory: &Path, name: &str) -> Host {
    let context = Context {
        build_name: name.to_owned(),
        builder_type: "file".to_owned(),
        run_id: "run-1".to_owned(),
        ..Context::default()
    };
    Host::new().with_context(context).working_in(directory)
}

async fn run(host: &Host, config: Value, files: &[&Path]) -> Result<Processed, Stop> {
    let files = files.iter().map(|&file| file.to_owned()).collect();
    host.post_process(Manifest, config, FilesArtifact::new("x", "7", "X", files)).await
}

fn names(directory: &Path) -> Vec<String> {
    let all = fs::read_dir(directory).unwrap();
    all.map(|one| one.unwrap().file_name().into_string().unwrap()).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_build_is_listed_and_its_artifact_handed_on() {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk");
    fs::write(&disk, "abc").unwrap();
    let host = host(directory.path(), "b");
    let config = json!({"output": "a/list.json", "custom_data": {"stage": "test"}});
    let processed = run(&host, config, &[&disk, Path::new("/nowhere/x")]).await.unwrap();
    assert_eq!(processed.input, InputFate::ForceKeep);
    let info = processed.finished.describe().await.unwrap();
    assert_eq!((info.builder_id.as_str(), info.id.as_str(), info.files.len()), ("x", "7", 2));
    processed.finished.destroy().await.unwrap();
    assert!(disk.exists(), "the input belongs to its builder");

    let mut list = read(&directory.path().join("a/list.json"));
    let time = list["builds"][0]["build_time"].take().as_u64().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((now - 60..=now).contains(&time), "{time}");
    let files = json!([{"name": disk, "size": 3}, {"name": "/nowhere/x", "size": 0}]);
    assert_eq!(
        list,
        json!({
            "builds": [{
                "name": "b", "builder_type": "file", "build_time": null, "files": files,
                "artifact_id": "7", "packer_run_uuid": "run-1", "custom_data": {"stage": "test"},
            }],
            "last_run_uuid": "run-1",
        })
    );
    assert_eq!(names(&directory.path().join("a")), ["list.json"]);
    assert_eq!(host.remembered(), [""; 0]);
}

#[tokio::test]
async fn a_list_can_be_the_same_whenever_and_wherever_it_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let config = json!({"strip_path": true, "strip_time": true});
    run(&host(directory.path(), "b"), config, &[Path::new("/nowhere/x")]).await.unwrap();
    let list = read(&directory.path().join("packer-manifest.json"));
    assert_eq!(list["builds"][0]["files"], json!([{"name": "x", "size": 0}]));
    assert_eq!(list["builds"][0].get("build_time"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_that_share_a_list_lose_no_entry() {
    let directory = tempfile::tempdir().unwrap();
    let running: Vec<_> = (0..24)
        .map(|number| {
            let host = host(directory.path(), &format!("b{number:02}"));
            tokio::spawn(async move { run(&host, json!({"output": "a/list.json"}), &[]).await.map(drop) })
        })
        .collect();
    for one in running {
        one.await.unwrap().unwrap();
    }
    let list = read(&directory.path().join("a/list.json"));
    let mut found: Vec<_> =
        list["builds"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, (0..24).map(|number| format!("b{number:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_no_list_stays_and_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let precious = directory.path().join("precious");
    fs::write(&precious, "of somebody else").unwrap();
    let host = host(directory.path(), "b");
    let Stop::Failed(told) = run(&host, json!({"output": "precious"}), &[]).await.unwrap_err() else {
        panic!()
    };
    let expected = "precious is there, and is no list of builds: expected value at line 1 column 1";
    assert!(told[0].summary.ends_with(expected), "{}", told[0].summary);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "of somebody else");
    assert_eq!((names(directory.path()), host.remembered()), (vec!["precious".to_owned()], vec![]));
}

#[tokio::test]
async fn waiting_for_others_can_be_cancelled() {
    let directory = tempfile::tempdir().unwrap();
    let held = fs::File::open(directory.path()).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let host = host(directory.path(), "b");
    let cancelling = async {
        while host.told().is_empty() {
            tokio::task::yield_now().await;
        }
        host.cancel();
    };
    let (stopped, ()) = tokio::join!(run(&host, json!({}), &[]), cancelling);
    assert_eq!(stopped.unwrap_err(), Stop::Cancelled);
    assert_eq!((names(directory.path()), host.remembered()), (vec![], vec![]));
}
