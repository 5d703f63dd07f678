//! The post-processor on artifacts of a host under test.
use packwire_plugin::testing::{Host, Processed};
use serde_json::{Value, json};

use super::*;

/// A directory with the files of an artifact in it.
struct Place(tempfile::TempDir);

impl Place {
    fn with(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            let path = place.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn host(&self) -> Host {
        let context = Context { build_name: "b".into(), builder_type: "file".into(), ..Context::default() };
        Host::new().with_context(context).working_in(self.0.path())
    }

    async fn run(&self, host: &Host, config: Value, files: &[&str]) -> Result<Processed, String> {
        let files = files.iter().map(|file| self.path(file)).collect();
        let processed = host.post_process(Checksum, config, FilesArtifact::new("x", "7", "X", files)).await;
        processed.map_err(|stop| match stop {
            Stop::Failed(diagnostics) => self.told(&diagnostics[0].summary),
            Stop::Cancelled => "cancelled".to_owned(),
        })
    }

    /// A text without the place.
    fn told(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let all = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = all.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn every_file_has_a_line_in_the_output_of_every_type() {
    let place = Place::with(&[("out/disk", "abc"), ("out/info", "")]);
    let host = place.host();
    let config =
        json!({"checksum_types": ["md5", "sha1"], "output": "sums/{{ .BuildName }}.{{ .ChecksumType }}"});
    let processed = place.run(&host, config, &["out/disk", "out/info"]).await.unwrap();
    insta::assert_snapshot!([place.read("sums/b.md5"), place.read("sums/b.sha1")].concat(), @"
    900150983cd24fb0d6963f7d28e17f72	disk
    d41d8cd98f00b204e9800998ecf8427e	info
    a9993e364706816aba3e25717850c26c9cd0d89d	disk
    da39a3ee5e6b4b0d3255bfef95601890afd80709	info
    ");
    assert_eq!(processed.input, InputFate::ForceKeep);
    let info = processed.finished.describe().await.unwrap();
    assert_eq!((info.builder_id.as_str(), info.id.as_str()), (BUILDER_ID, "7"));
    insta::assert_snapshot!(place.told(&[info.files.join("\n"), info.description].join("\n")), @"
    out/disk
    out/info
    sums/b.md5
    sums/b.sha1
    Stored checksums: sums/b.md5, sums/b.sha1
    ");
    assert_eq!(host.told()[0], "say: Making md5, sha1 checksums of 2 files");
    assert_eq!(host.told()[1], "progress: checksums, 3 bytes");
    processed.finished.destroy().await.unwrap();
    assert!(!place.path("out/disk").exists() && !place.path("sums/b.md5").exists());
}

#[tokio::test]
async fn several_types_and_builds_may_share_an_output_and_a_second_run_changes_its_own_lines_only() {
    let place = Place::with(&[("disk", "abc"), ("SUMS", "0\tother\n")]);
    let config = json!({"checksum_types": ["md5", "sha1"], "output": "SUMS"});
    place.run(&place.host(), config.clone(), &["disk"]).await.unwrap();
    fs::write(place.path("disk"), "").unwrap();
    place.run(&place.host(), config, &["disk"]).await.unwrap();
    insta::assert_snapshot!(place.read("SUMS"), @"
    0	other
    d41d8cd98f00b204e9800998ecf8427e	disk
    da39a3ee5e6b4b0d3255bfef95601890afd80709	disk
    ");
}

#[tokio::test]
async fn builds_that_share_an_output_lose_no_lines() {
    let names: Vec<_> = (0..12).map(|number| format!("disk{number}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), "abc")).collect();
    let place = std::sync::Arc::new(Place::with(&files));
    let running: Vec<_> = names
        .iter()
        .map(|name| {
            let (place, name) = (place.clone(), name.clone());
            tokio::spawn(async move {
                place.run(&place.host(), json!({"output": "SUMS"}), &[&name]).await.map(drop)
            })
        })
        .collect();
    for one in running {
        one.await.unwrap().unwrap();
    }
    assert_eq!(place.read("SUMS").lines().count(), 12);
}

#[tokio::test]
async fn an_artifact_without_files_is_handed_on() {
    let place = Place::with(&[]);
    let host = place.host();
    let processed = place.run(&host, json!({}), &[]).await.unwrap();
    assert_eq!(processed.finished.describe().await.unwrap().builder_id, "x");
    assert_eq!(host.told(), ["say: The artifact has no files to make checksums of"]);
    assert!(place.names().is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_or_written_fails_and_leaves_nothing() {
    let place = Place::with(&[("disk", "abc"), ("directory/x", ""), ("new\nline", ""), ("binary", "")]);
    fs::write(place.path("binary"), [0xff]).unwrap();
    let before = place.names();
    let check = async |output: &str, file: &str| {
        let host = place.host();
        let config = json!({"checksum_types": ["md5", "sha1"], "output": output});
        let told = place.run(&host, config, &["disk", file]).await.unwrap_err();
        assert_eq!(place.names(), before);
        assert_eq!(host.remembered(), [""; 0]);
        told
    };
    let told = [
        check("SUMS", "gone").await,
        check("SUMS", "directory").await,
        check("SUMS", "new\nline").await,
        check("disk", "disk").await,
        check("directory/../disk", "disk").await,
        check("directory", "disk").await,
        check("binary", "disk").await,
        check("disk/below", "disk").await,
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    gone cannot be read: No such file or directory (os error 2)
    directory is no file: checksums are made of files only
    `new\nline` cannot stand in a line: there is a line end in it
    disk is a file of the artifact itself
    directory/../disk is a file of the artifact itself
    directory cannot be written: it is a directory
    binary cannot be written: stream did not contain valid UTF-8
    disk/below cannot be made: Not a directory (os error 20)
    ");
}

#[tokio::test]
async fn reading_can_be_cancelled() {
    let place = Place::with(&[]);
    // Larger than what is read before the cancellation; sparse, so that it takes no room.
    File::create(place.path("disk")).unwrap().set_len(1 << 40).unwrap();
    let host = place.host();
    let cancelling = async {
        while host.told().len() < 2 {
            tokio::task::yield_now().await;
        }
        host.cancel();
    };
    let (told, ()) = tokio::join!(place.run(&host, json!({"output": "a/b/SUMS"}), &["disk"]), cancelling);
    assert_eq!(told.unwrap_err(), "cancelled");
    assert_eq!(place.names(), ["disk"]);
}
