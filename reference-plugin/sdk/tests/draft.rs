//! Files that appear whole or not at all, as a component writes them.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use packwire_plugin::{
    Context, Diagnostic, FilesArtifact, InputFate, PostProcess, PostProcessRun, PostProcessed, PostProcessor,
    Recover, Recovering, Stop, config::Empty, draft, meter, testing::Host,
};
use serde_json::json;

/// Writes `new` into files, then does what it was told to.
#[derive(Clone)]
struct Writer {
    targets: Vec<PathBuf>,
    then: Arc<Then>,
}

/// What to do with the first of the files.
type Then = dyn Fn(&Path) -> Result<(), Stop> + Send + Sync;

impl PostProcessor for Writer {
    type Config = Empty;
    type PostProcess = Self;
    const SUMMARY: &'static str = "Writes files";

    fn prepare(&self, _: Empty, _: &Context) -> Result<Self, Vec<Diagnostic>> {
        Ok(self.clone())
    }
}

impl PostProcess for Writer {
    async fn run(self, run: PostProcessRun) -> Result<PostProcessed, Stop> {
        let Self { targets, then } = self;
        let first = targets[0].clone();
        draft::write(&targets, &run.environment, |files| async move {
            files.into_iter().for_each(|mut file| file.write_all(b"new").unwrap());
            then(&first)
        })
        .await?;
        Ok(PostProcessed::nothing(InputFate::Keep))
    }
}

impl Recover for Writer {
    type Config = Empty;

    async fn recover(&self, remembered: &str, _: &Recovering<Empty>) -> Result<(), Stop> {
        draft::recover(remembered)
    }
}

fn writer(targets: &[PathBuf], then: impl Fn(&Path) -> Result<(), Stop> + Send + Sync + 'static) -> Writer {
    Writer { targets: targets.to_vec(), then: Arc::new(then) }
}

async fn run(host: &Host, writer: Writer) -> Result<(), String> {
    let disk = FilesArtifact::new("test.disk", "7", "A disk", vec![]);
    match host.post_process(writer, json!({}), disk).await {
        Ok(_) => Ok(()),
        Err(Stop::Failed(diagnostics)) => Err(diagnostics[0].summary.clone()),
        Err(Stop::Cancelled) => Err("cancelled".to_owned()),
    }
}

fn names(directory: &Path) -> Vec<String> {
    let all = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn files_appear_whole_with_the_directories_above_them() {
    let place = tempfile::tempdir().unwrap();
    let (host, targets) = (Host::new(), [place.path().join("a/b/one"), place.path().join("a/two")]);
    let root = place.path().to_owned();
    let looks = move |_: &Path| {
        let drafts = [names(&root.join("a/b")), names(&root.join("a"))].concat();
        assert_eq!(drafts.iter().filter(|name| name.ends_with(".draft")).count(), 2, "{drafts:?}");
        assert!(!drafts.iter().any(|name| name == "one" || name == "two"), "{drafts:?}");
        Ok(())
    };
    run(&host, writer(&targets, looks)).await.unwrap();
    assert_eq!(
        [names(&place.path().join("a")), names(&place.path().join("a/b"))].concat(),
        ["b", "two", "one"]
    );
    assert_eq!(fs::read_to_string(&targets[0]).unwrap(), "new");
    assert_eq!(host.remembered(), [""; 0]);
}

#[tokio::test]
async fn nothing_is_made_before_the_host_remembers_it() {
    let place = tempfile::tempdir().unwrap();
    let host = Host::new();
    let (seen, root) = (host.clone(), place.path().to_owned());
    let looks = move |_: &Path| {
        let draft = names(&root).remove(0);
        assert!(seen.remembered()[0].contains(&draft), "{:?}", seen.remembered());
        Ok(())
    };
    run(&host, writer(&[place.path().join("one")], looks)).await.unwrap();
    let steps: Vec<_> = host.told().iter().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(steps, ["remember", "update", "settle"]);
}

#[tokio::test]
async fn of_a_failure_nothing_is_left_and_what_was_there_stays() {
    let place = tempfile::tempdir().unwrap();
    let old = place.path().join("old");
    fs::write(&old, "old").unwrap();
    for stop in [Stop::failed("no"), Stop::Cancelled] {
        let host = Host::new();
        let targets = [place.path().join("a/b/one"), old.clone()];
        let told = run(&host, writer(&targets, move |_| Err(stop.clone()))).await.unwrap_err();
        assert!(told == "no" || told == "cancelled", "{told}");
        assert_eq!(names(place.path()), ["old"]);
        assert_eq!(host.remembered(), [""; 0]);
    }
    assert_eq!(fs::read_to_string(&old).unwrap(), "old");
}

#[tokio::test]
async fn one_file_that_cannot_be_put_in_its_place_takes_the_others_away() {
    let place = tempfile::tempdir().unwrap();
    let targets = [place.path().join("one"), place.path().join("two")];
    let in_the_way = targets[1].clone();
    let host = Host::new();
    let told = run(
        &host,
        writer(&targets, move |_| {
            fs::create_dir(&in_the_way).unwrap();
            Ok(())
        }),
    )
    .await
    .unwrap_err();
    assert!(told.contains("two cannot be put in its place: Is a directory"), "{told}");
    assert_eq!(names(place.path()), ["two"]);
    assert_eq!(host.remembered(), [""; 0]);
}

/// Adds a byte to a file that others add to as well.
#[derive(Clone)]
struct Adder(PathBuf);

impl PostProcessor for Adder {
    type Config = Empty;
    type PostProcess = Self;
    const SUMMARY: &'static str = "Adds a byte";

    fn prepare(&self, _: Empty, _: &Context) -> Result<Self, Vec<Diagnostic>> {
        Ok(self.clone())
    }
}

impl PostProcess for Adder {
    async fn run(self, run: PostProcessRun) -> Result<PostProcessed, Stop> {
        let Self(target) = self;
        let targets = [target.clone(), target.with_file_name("beside")];
        let held = draft::write(&targets, &run.environment, |mut files| async move {
            let held = draft::hold(&[target.clone(), target.clone()], &run.cancellation).await?;
            let mut content = fs::read(&target).unwrap_or_default();
            tokio::task::yield_now().await;
            content.push(b'.');
            files[0].write_all(&content).unwrap();
            Ok(held)
        });
        drop(held.await?);
        Ok(PostProcessed::nothing(InputFate::Keep))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_a_file_loses_nothing_of_what_others_add() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("shared");
    let adding: Vec<_> = (0..20)
        .map(|_| {
            let adder = Adder(target.clone());
            tokio::spawn(async move {
                let disk = FilesArtifact::new("test.disk", "7", "A disk", vec![]);
                Host::new().post_process(adder, json!({}), disk).await.map(drop)
            })
        })
        .collect();
    for one in adding {
        one.await.unwrap().unwrap();
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), ".".repeat(20));
}

#[tokio::test]
async fn waiting_for_a_held_file_can_be_cancelled() {
    let place = tempfile::tempdir().unwrap();
    let never = packwire_plugin::Cancellation::local(tokio_util::sync::CancellationToken::new());
    let cancelled = packwire_plugin::Cancellation::local(tokio_util::sync::CancellationToken::new());
    let files = [place.path().join("one"), place.path().join("two")];
    let held = draft::hold(&files, &never).await.unwrap();
    let cancelling = async { cancelled.token().cancel() };
    let (stopped, ()) = tokio::join!(draft::hold(&files[1..], &cancelled), cancelling);
    assert_eq!(stopped.unwrap_err(), Stop::Cancelled);
    drop(held);
    drop(draft::hold(&files[1..], &never).await.unwrap());
    let nowhere = draft::hold(&[place.path().join("no/where")], &never).await.unwrap_err();
    assert!(
        matches!(nowhere, Stop::Failed(why) if why[0].summary.contains("no cannot be locked: No such file"))
    );
}

#[tokio::test]
async fn what_is_replaced_keeps_its_mode_and_links_are_followed() {
    let place = tempfile::tempdir().unwrap();
    let (old, link) = (place.path().join("old"), place.path().join("link"));
    fs::write(&old, "old").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("old", &link).unwrap();
    run(&Host::new(), writer(std::slice::from_ref(&link), |_| Ok(()))).await.unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&old).unwrap(), "new");
    assert_eq!(old.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
}

#[tokio::test]
async fn only_files_are_replaced() {
    let place = tempfile::tempdir().unwrap();
    let refused =
        |target: PathBuf| async move { run(&Host::new(), writer(&[target], |_| Ok(()))).await.unwrap_err() };
    assert!(refused(place.path().to_owned()).await.ends_with("cannot be written: it is a directory"));
    assert!(refused("/dev/null".into()).await.ends_with("cannot be written: it is no regular file"));
}

#[tokio::test]
async fn what_a_crash_left_is_removed_and_what_came_later_stays() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("a/one");
    let host = Host::new();
    // The book as a crash leaves it: once while the draft is written, once when it is in its place.
    let remembered = |host: &Host| host.remembered().remove(0);
    let during = Arc::new(std::sync::Mutex::new(String::new()));
    let (seen, notes) = (host.clone(), during.clone());
    let notes_it = move |_: &Path| {
        *notes.lock().unwrap() = remembered(&seen);
        Ok(())
    };
    run(&host, writer(std::slice::from_ref(&target), notes_it)).await.unwrap();
    let during = during.lock().unwrap().clone();
    let after = host.told().iter().find_map(|line| line.strip_prefix("update: ").map(str::to_owned)).unwrap();

    draft::recover(&during).unwrap();
    assert!(target.exists(), "it was complete, and is not what was being written");
    draft::recover(&after).unwrap();
    assert!(names(place.path()).is_empty());
    draft::recover(&after).unwrap();

    fs::create_dir(place.path().join("a")).unwrap();
    fs::write(&target, "of a later build").unwrap();
    draft::recover(&after).unwrap();
    assert!(target.exists());
    assert_eq!(
        draft::recover("{}").unwrap_err(),
        Stop::failed(
            "what was remembered is of no draft: invalid type: map, expected a sequence at line 1 column 0"
        )
    );
}

/// Copies zeros without end, or just one.
#[derive(Clone, Copy)]
struct Copying {
    endless: bool,
}

impl PostProcessor for Copying {
    type Config = Empty;
    type PostProcess = Self;
    const SUMMARY: &'static str = "Copies zeros";

    fn prepare(&self, _: Empty, _: &Context) -> Result<Self, Vec<Diagnostic>> {
        Ok(*self)
    }
}

impl PostProcess for Copying {
    async fn run(self, run: PostProcessRun) -> Result<PostProcessed, Stop> {
        let zeros = std::io::Read::take(std::io::repeat(0), if self.endless { u64::MAX } else { 1 });
        let copied = meter::shown(&run.ui, &run.cancellation, "zeros", 0, |meter| {
            let copied = std::io::copy(&mut meter.of(zeros), &mut std::io::sink());
            copied.map_err(|error| Stop::failed(error.to_string()))
        });
        assert_eq!(copied.await?, 1);
        Ok(PostProcessed::nothing(InputFate::Keep))
    }
}

#[tokio::test]
async fn long_work_is_shown_and_can_be_cancelled() {
    let disk = || FilesArtifact::new("test.disk", "7", "A disk", vec![]);
    let host = Host::new();
    host.post_process(Copying { endless: false }, json!({}), disk()).await.unwrap();
    let cancelling = async {
        while host.told().len() < 2 {
            tokio::task::yield_now().await;
        }
        host.cancel();
    };
    let (stopped, ()) =
        tokio::join!(host.post_process(Copying { endless: true }, json!({}), disk()), cancelling);
    assert_eq!(stopped.unwrap_err(), Stop::Cancelled);
    assert_eq!(host.told(), ["progress: zeros, 0 bytes"; 2]);
}

#[tokio::test]
async fn a_file_in_place_of_a_directory_is_told_and_stays() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("file"), "old").unwrap();
    let host = Host::new();
    let told = run(&host, writer(&[place.path().join("file/one")], |_| Ok(()))).await.unwrap_err();
    assert!(told.ends_with("file/one cannot be made: Not a directory (os error 20)"), "{told}");
    assert_eq!((names(place.path()), host.remembered()), (vec!["file".to_owned()], vec![]));
}
