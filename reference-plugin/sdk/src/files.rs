//! The artifact that most small builders make: local files.
use std::{io, path::PathBuf};

use packwire_wire::{Artifact, ArtifactDestroy, ArtifactInfo, Diagnostic, Outcome};

/// Local files as an artifact. Destroying it removes them.
#[derive(Debug, Clone)]
pub struct FilesArtifact {
    info: ArtifactInfo,
    paths: Vec<PathBuf>,
}

impl FilesArtifact {
    /// Files of one build, by their absolute paths. `builder_id` names the kind of artifact, `id` this one.
    pub fn new(
        builder_id: impl Into<String>,
        id: impl Into<String>,
        description: impl Into<String>,
        paths: Vec<PathBuf>,
    ) -> Self {
        let info = ArtifactInfo {
            builder_id: builder_id.into(),
            id: id.into(),
            description: description.into(),
            files: paths.iter().map(|path| path.display().to_string()).collect(),
            extensions: String::new(),
        };
        Self { info, paths }
    }
}

impl Artifact for FilesArtifact {
    async fn describe(&self) -> ArtifactInfo {
        self.info.clone()
    }

    async fn destroy(&self, _: ArtifactDestroy) -> Outcome {
        let mut left = Vec::new();
        for path in &self.paths {
            match tokio::fs::remove_file(path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    left.push(Diagnostic::error(format!("{} cannot be removed: {error}", path.display())));
                }
                _ => {}
            }
        }
        if left.is_empty() { Outcome::Done } else { Outcome::Failed(left) }
    }
}
