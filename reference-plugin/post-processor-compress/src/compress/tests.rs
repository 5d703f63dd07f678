//! The post-processor on artifacts of a host under test, its outputs read again.
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
};

use packwire_plugin::testing::{Host, Processed};
use serde_json::{Value, json};

use super::*;

/// A directory with the files of an artifact in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for (name, content) in [("in/disk", "abc"), ("in/b/disk", "other"), ("in/b/empty/x", "")] {
            fs::create_dir_all(place.path(name).parent().unwrap()).unwrap();
            fs::write(place.path(name), content).unwrap();
        }
        std::os::unix::fs::symlink("../disk", place.path("in/b/link")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn host(&self) -> Host {
        Host::new().working_in(self.0.path())
    }

    async fn run(&self, host: &Host, config: Value, files: &[&str]) -> Result<Processed, String> {
        let files = files.iter().map(|file| self.path(file)).collect();
        let processed = host.post_process(Compress, config, FilesArtifact::new("x", "7", "X", files)).await;
        processed.map_err(|stop| match stop {
            Stop::Failed(diagnostics) => {
                diagnostics[0].summary.replace(&format!("{}/", self.0.path().display()), "")
            }
            Stop::Cancelled => "cancelled".to_owned(),
        })
    }

    fn names(&self) -> Vec<String> {
        let all = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = all.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The bytes of an output, decompressed by what it ends in.
    fn decoded(&self, name: &str) -> Vec<u8> {
        let file = File::open(self.path(name)).unwrap();
        let mut reader: Box<dyn Read> = match Path::new(name).extension().unwrap().to_str().unwrap() {
            "gz" => Box::new(flate2::read::GzDecoder::new(file)),
            "xz" => Box::new(lzma_rust2::XzReader::new(file, false)),
            "zst" => Box::new(ruzstd::decoding::StreamingDecoder::new(file).unwrap()),
            _ => Box::new(file),
        };
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    }
}

/// What is in an archive: contents by name, with what links lead to.
type Listing = BTreeMap<String, String>;

fn in_tar(bytes: &[u8]) -> Listing {
    let mut archive = tar::Archive::new(bytes);
    let listed = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        assert_eq!((entry.header().uid().unwrap(), entry.header().gid().unwrap()), (0, 0));
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        content += &entry.link_name().unwrap().map_or(String::new(), |to| format!("-> {}", to.display()));
        (entry.path().unwrap().display().to_string(), content)
    });
    listed.collect()
}

fn in_zip(path: &Path) -> Listing {
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let listed = (0..archive.len()).map(|at| {
        let mut entry = archive.by_index(at).unwrap();
        let mut content = if entry.is_symlink() { "-> ".to_owned() } else { String::new() };
        entry.read_to_string(&mut content).unwrap();
        (entry.name().unwrap().into_owned(), content)
    });
    listed.collect()
}

fn all() -> Listing {
    let all = [
        ("b/", ""),
        ("b/disk", "other"),
        ("b/empty/", ""),
        ("b/empty/x", ""),
        ("b/link", "-> ../disk"),
        ("disk", "abc"),
    ];
    all.map(|(name, content)| (name.to_owned(), content.to_owned())).into()
}

#[tokio::test]
async fn an_archive_of_every_format_has_all_files_and_directories() {
    let place = Place::new();
    for name in ["out.tar", "out.tar.gz", "out.tar.xz", "out.tar.zst"] {
        place.run(&place.host(), json!({"output": name}), &["in/disk", "in/b"]).await.unwrap();
        assert_eq!(in_tar(&place.decoded(name)), all(), "{name}");
    }
    place.run(&place.host(), json!({"output": "out.zip"}), &["in/disk", "in/b"]).await.unwrap();
    assert_eq!(in_zip(&place.path("out.zip")), all());
}

#[tokio::test]
async fn one_file_is_compressed_alone() {
    let place = Place::new();
    fs::write(place.path("in/large"), vec![7; 3_000_000]).unwrap();
    for (name, level) in [("out.gz", json!(9)), ("out.xz", json!(1)), ("out.zst", json!(null))] {
        let mut config = json!({"output": name, "compression_level": level});
        if level.is_null() {
            drop(config.as_object_mut().unwrap().remove("compression_level"));
        }
        place.run(&place.host(), config, &["in/large"]).await.unwrap();
        assert!(place.decoded(name) == vec![7; 3_000_000], "{name}");
        assert!(place.path(name).metadata().unwrap().len() < 300_000, "{name}");
    }
}

#[tokio::test]
async fn the_artifact_is_the_output_and_the_input_may_go() {
    let place = Place::new();
    let (host, output) = (place.host(), place.path("a/b/out.gz"));
    let path = output.display().to_string();
    let processed = place.run(&host, json!({"output": "a/b/out.gz"}), &["in/disk"]).await.unwrap();
    assert_eq!(processed.input, InputFate::Discard);
    let info = processed.finished.describe().await.unwrap();
    assert_eq!((info.builder_id.as_str(), &info.id, &info.files), (BUILDER_ID, &path, &vec![path.clone()]));
    let told = host.told();
    assert!(told.contains(&format!("say: Compressing into {path}")), "{told:?}");
    assert!(told.contains(&"progress: compressing, 3 bytes".to_owned()), "{told:?}");
    assert!(place.path("in/disk").exists(), "only hosts destroy");
    processed.finished.destroy().await.unwrap();
    assert!(!output.exists());
}

#[tokio::test]
async fn archives_of_the_same_files_are_the_same() {
    let place = Place::new();
    for name in ["one.tar.gz", "two.tar.gz", "one.zip", "two.zip"] {
        place.run(&place.host(), json!({"output": name}), &["in/disk", "in/b"]).await.unwrap();
    }
    for (one, two) in [("one.tar.gz", "two.tar.gz"), ("one.zip", "two.zip")] {
        assert!(fs::read(place.path(one)).unwrap() == fs::read(place.path(two)).unwrap(), "{one}");
    }
}

#[tokio::test]
async fn what_cannot_be_compressed_fails_and_leaves_nothing() {
    let place = Place::new();
    let before = place.names();
    let check = async |output: &str, files: &[&str]| {
        let host = place.host();
        let told = place.run(&host, json!({"output": output}), files).await.unwrap_err();
        assert_eq!((place.names(), host.remembered()), (before.clone(), vec![]));
        told
    };
    let told = [
        check("a/out.gz", &["in/disk", "in/b/disk"]).await,
        check("a/out.zst", &["in/b"]).await,
        check("a/out.tar", &[]).await,
        check("a/out.tar", &["in/gone"]).await,
        check("in/disk", &["in/disk"]).await,
        check("in/b/../disk", &["in/disk"]).await,
        check("in/b/new/out.tar", &["in/b"]).await,
        check("in", &["in/disk"]).await,
        check("in/disk/out.tar", &["in/b"]).await,
    ];
    insta::assert_snapshot!(told.join("\n"), @"
    this format takes exactly one file, and the artifact has more: use a .tar.gz, .tar.xz, .tar.zst or .zip
    this format takes exactly one file, and the artifact has more: use a .tar.gz, .tar.xz, .tar.zst or .zip
    the artifact has no files to compress
    in/gone cannot be read: No such file or directory (os error 2)
    the output is in/disk itself, or in it
    the output is in/disk itself, or in it
    the output is in/b itself, or in it
    in cannot be written: it is a directory
    in/disk/out.tar cannot be made: Not a directory (os error 20)
    ");
}

#[tokio::test]
async fn compressing_can_be_cancelled_in_every_format_and_leaves_nothing() {
    for name in ["a/out.tar", "a/out.tar.gz", "a/out.tar.zst", "a/out.xz", "a/out.zip"] {
        let place = Place::new();
        // Sparse, so that it takes no room; more than can be compressed before the cancellation.
        File::create(place.path("large")).unwrap().set_len(1 << 40).unwrap();
        let (host, before) = (place.host(), place.names());
        let cancelling = async {
            while !host.told().iter().any(|line| line.starts_with("progress")) {
                tokio::task::yield_now().await;
            }
            host.cancel();
        };
        let (told, ()) = tokio::join!(place.run(&host, json!({"output": name}), &["large"]), cancelling);
        assert_eq!(told.unwrap_err(), "cancelled");
        assert_eq!((place.names(), host.remembered()), (before, vec![]), "{name}");
    }
}

#[tokio::test]
async fn a_failure_leaves_the_output_of_an_earlier_run() {
    let place = Place::new();
    fs::write(place.path("out.gz"), "old").unwrap();
    place.run(&place.host(), json!({"output": "out.gz"}), &["in/disk", "in/b/disk"]).await.unwrap_err();
    assert_eq!(fs::read_to_string(place.path("out.gz")).unwrap(), "old");
    place.run(&place.host(), json!({"output": "out.gz"}), &["in/disk"]).await.unwrap();
    assert_eq!(place.decoded("out.gz"), b"abc");
}
