//! An image in the OCI image layout: one layer, and documents that name each other by their digests.
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::compression::{Compression, compress};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// The name by which a layout's tools find an image.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What an image says of itself.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct Image {
    /// The name by which tools find the image in the layout. Missing: `latest`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9]+([-._:@/+][A-Za-z0-9]+)*$"))]
    pub(crate) tag: Option<String>,
    /// The program that a container of the image starts, with its first arguments.
    #[serde(default)]
    pub(crate) entrypoint: Vec<String>,
    /// More arguments, or without an entry point the whole command.
    #[serde(default)]
    pub(crate) cmd: Vec<String>,
    /// Environment of containers, and of the commands of this build.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// What people and programs want to know of the image.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// Where the command starts.
    pub(crate) workdir: Option<String>,
    /// As whom the command runs: a name or number, and perhaps a group after a colon.
    pub(crate) user: Option<String>,
    /// The architecture, in Go's words. Missing: this machine's.
    #[schemars(length(min = 1))]
    pub(crate) architecture: Option<String>,
    /// How the layer is compressed.
    #[serde(default)]
    pub(crate) compression: LayerCompression,
}

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LayerCompression {
    /// Read by everything.
    #[default]
    Gzip,
    /// Faster; read by tools from about 2021 on.
    Zstd,
}

/// A document or layer, as others name it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: u64,
}

/// Writes an image into an empty directory; `layer` writes its only layer, uncompressed. Brings back the digest of
/// the manifest. The same layer makes the same image.
///
/// # Errors
/// One line for people.
pub(crate) fn write(
    directory: &Path,
    image: &Image,
    created: u64,
    layer: impl FnOnce(&mut dyn Write) -> Result<(), String>,
) -> Result<String, String> {
    let blobs = directory.join("blobs/sha256");
    let told = |error: io::Error| format!("the image cannot be written: {error}");
    fs::create_dir_all(&blobs).map_err(told)?;
    let (compression, media_type) = match image.compression {
        LayerCompression::Gzip => (Compression::Gzip, LAYER_GZIP),
        LayerCompression::Zstd => (Compression::Zstd, LAYER_ZSTD),
    };
    let draft = blobs.join("layer");
    let file = File::create_new(&draft).map_err(told)?;
    let (uncompressed, blob) = compress(compression, Digesting::new(file), |into| {
        let mut content = Digesting::new(into);
        layer(&mut content)?;
        Ok(content.finish().0)
    })?;
    let (digest, size, file) = blob.finish();
    // Some file systems say only then that they are full.
    file.sync_data().map_err(told)?;
    fs::rename(&draft, blobs.join(hex(&digest))).map_err(told)?;
    let layer = Descriptor { media_type, digest, size };
    let documents = || -> io::Result<String> {
        let config = add(&blobs, CONFIG, &config(image, &uncompressed, created))?;
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        let manifest = add(&blobs, MANIFEST, &manifest)?;
        let digest = manifest.digest.clone();
        fs::write(directory.join("index.json"), index(image, &manifest).to_string())?;
        fs::write(directory.join("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}).to_string())?;
        Ok(digest)
    };
    documents().map_err(told)
}

fn index(image: &Image, manifest: &Descriptor) -> Value {
    let Descriptor { media_type, digest, size } = manifest;
    let tag = image.tag.as_deref().unwrap_or("latest");
    let manifest = json!({
        "mediaType": media_type,
        "digest": digest,
        "size": size,
        "platform": {"architecture": architecture(image), "os": "linux"},
        "annotations": {REF_NAME: tag},
    });
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]})
}

fn config(image: &Image, uncompressed: &str, created: u64) -> Value {
    let Image { tag: _, entrypoint, cmd, env, labels, workdir, user, architecture: _, compression: _ } =
        image;
    let mut config = serde_json::Map::new();
    let mut put = |key: &str, value: Value, empty: bool| {
        if !empty {
            drop(config.insert(key.to_owned(), value));
        }
    };
    let pairs: Vec<_> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    put("User", json!(user), user.is_none());
    put("Env", json!(pairs), pairs.is_empty());
    put("Entrypoint", json!(entrypoint), entrypoint.is_empty());
    put("Cmd", json!(cmd), cmd.is_empty());
    put("WorkingDir", json!(workdir), workdir.is_none());
    put("Labels", json!(labels), labels.is_empty());
    let created = moment(created);
    json!({
        "created": created,
        "architecture": architecture(image),
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [uncompressed]},
        "history": [{"created": created, "created_by": "packer-builder-rootfs"}],
    })
}

/// Go's word for an architecture.
fn architecture(image: &Image) -> &str {
    image.architecture.as_deref().unwrap_or(match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "loongarch64" => "loong64",
        other => other,
    })
}

/// Seconds since 1970 as RFC 3339.
fn moment(seconds: u64) -> String {
    let moment =
        i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    moment
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// Writes a document under its digest.
fn add(blobs: &Path, media_type: &'static str, document: &Value) -> io::Result<Descriptor> {
    let bytes = document.to_string().into_bytes();
    let digest = digest(Sha256::new_with_prefix(&bytes));
    fs::write(blobs.join(hex(&digest)), &bytes)?;
    Ok(Descriptor { media_type, digest, size: bytes.len() as u64 })
}

fn digest(hash: Sha256) -> String {
    let mut text = "sha256:".to_owned();
    for byte in hash.finalize() {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
    }
    text
}

fn hex(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}

/// A writer that knows the digest and the size of what was written.
pub(crate) struct Digesting<W> {
    into: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Digesting<W> {
    pub(crate) fn new(into: W) -> Self {
        Self { into, hash: Sha256::new(), size: 0 }
    }

    /// The digest and the size of what was written, and what it was written into.
    pub(crate) fn finish(self) -> (String, u64, W) {
        (digest(self.hash), self.size, self.into)
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.into.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, io::Read};

    use super::*;

    fn image(compression: LayerCompression) -> Image {
        Image {
            tag: Some("1.0".to_owned()),
            cmd: vec!["/bin/sh".to_owned()],
            env: [("A".to_owned(), "b".to_owned())].into(),
            compression,
            ..Image::default()
        }
    }

    fn written(directory: &Path, image: &Image) -> String {
        write(directory, image, 1_700_000_000, |into| into.write_all(b"a layer").map_err(|e| e.to_string()))
            .unwrap()
    }

    fn json(path: &Path) -> Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// Reads a blob by its descriptor, as a tool does that trusts nobody.
    fn blob(directory: &Path, descriptor: &Value, seen: &mut BTreeSet<String>) -> Vec<u8> {
        let name = descriptor["digest"].as_str().unwrap();
        let bytes = fs::read(directory.join("blobs").join(name.replace(':', "/"))).unwrap();
        assert_eq!(bytes.len() as u64, descriptor["size"].as_u64().unwrap());
        assert_eq!(digest(Sha256::new_with_prefix(&bytes)), name);
        assert!(seen.insert(hex(name).to_owned()));
        bytes
    }

    #[test]
    fn every_digest_and_size_is_right_and_nothing_else_is_there() {
        for (compression, media_type) in
            [(LayerCompression::Gzip, LAYER_GZIP), (LayerCompression::Zstd, LAYER_ZSTD)]
        {
            let (place, mut seen) = (tempfile::tempdir().unwrap(), BTreeSet::new());
            let id = written(place.path(), &image(compression));
            assert_eq!(json(&place.path().join("oci-layout")), json!({"imageLayoutVersion": "1.0.0"}));
            let index = json(&place.path().join("index.json"));
            let named = &index["manifests"][0];
            assert_eq!(
                (named["digest"].as_str(), &named["annotations"][REF_NAME]),
                (Some(id.as_str()), &json!("1.0"))
            );
            let manifest: Value = serde_json::from_slice(&blob(place.path(), named, &mut seen)).unwrap();
            let config: Value =
                serde_json::from_slice(&blob(place.path(), &manifest["config"], &mut seen)).unwrap();
            assert_eq!(manifest["layers"][0]["mediaType"], media_type);
            let layer = blob(place.path(), &manifest["layers"][0], &mut seen);
            let mut content = Vec::new();
            crate::compression::decompressed(io::Cursor::new(layer))
                .unwrap()
                .read_to_end(&mut content)
                .unwrap();
            assert_eq!(content, b"a layer");
            assert_eq!(config["rootfs"]["diff_ids"], json!([digest(Sha256::new_with_prefix(&content))]));
            assert_eq!(config["config"], json!({"Env": ["A=b"], "Cmd": ["/bin/sh"]}));
            assert_eq!(config["created"], "2023-11-14T22:13:20Z");
            let there: BTreeSet<_> = fs::read_dir(place.path().join("blobs/sha256"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            assert_eq!(there, seen);
        }
    }

    #[test]
    fn the_same_layer_makes_the_same_image() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let image = image(LayerCompression::Gzip);
        assert_eq!(written(one.path(), &image), written(other.path(), &image));
    }
}
