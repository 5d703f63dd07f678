//! Directories of a machine that is none, as archives.
use std::io::Read;

use super::{File, State};
use crate::tree::{Archive, Entry, Inside, Kind, TreeError, Writer};

/// Reads what an archive has, under the names that it gets below `path`.
pub(super) fn unpack(archive: &[u8], path: &str) -> Result<Unpacked, TreeError> {
    let mut archive = Archive::of(archive);
    let mut unpacked = Unpacked(State::default());
    while let Some(entry) = archive.next()? {
        let mut content = Vec::new();
        archive.content().read_to_end(&mut content).map_err(|error| TreeError::Damaged(error.to_string()))?;
        unpacked.add(entry, content, path);
    }
    Ok(unpacked)
}

/// What came out of an archive.
pub(super) struct Unpacked(State);

impl Unpacked {
    fn add(&mut self, entry: Entry, content: Vec<u8>, below: &str) {
        let Entry { path, kind, mode, modified: _ } = entry;
        let name = name(below, &path);
        let file = |content| File { content, mode: Some(mode) };
        match kind {
            Kind::Directory => drop(self.0.directories.insert(name)),
            Kind::File { .. } => drop(self.0.files.insert(name, file(content))),
            Kind::Symlink(target) => drop(self.0.links.insert(name, target.to_string_lossy().into_owned())),
            Kind::Hardlink(first) => {
                let first = self.0.files.get(&self::name(below, &first)).cloned().unwrap_or_default();
                drop(self.0.files.insert(name, first));
            }
        }
    }

    pub(super) fn merge_into(self, state: &mut State) {
        let State { files, directories, links, .. } = self.0;
        state.files.extend(files);
        state.directories.extend(directories);
        state.links.extend(links);
    }
}

/// Packs what is below a path. The error is for people.
pub(super) fn pack(state: &State, path: &str) -> Result<Vec<u8>, String> {
    let files = state.files.iter().map(|(name, file)| {
        let kind = Kind::File { size: file.content.len() as u64 };
        (name, kind, file.mode.unwrap_or(0o644), file.content.as_slice())
    });
    let directories = state.directories.iter().map(|name| (name, Kind::Directory, 0o755, &[][..]));
    let links = state.links.iter();
    let links = links.map(|(name, target)| (name, Kind::Symlink(target.into()), 0o777, &[][..]));
    let root = format!("{}/", path.trim_end_matches('/'));
    let mut archive = Vec::new();
    let mut writer = Writer::new(&mut archive);
    let mut is_there = state.directories.contains(path);
    for (name, kind, mode, content) in directories.chain(files).chain(links) {
        let Some(name) = name.strip_prefix(&root) else { continue };
        is_there = true;
        let path = Inside::parse(name.as_bytes())?;
        let entry = Entry { path, kind, mode, modified: 0 };
        writer.append(&entry, content).map_err(|error| error.to_string())?;
    }
    writer.finish().map_err(|error| error.to_string())?;
    if is_there { Ok(archive) } else { Err(format!("there is no directory {path}")) }
}

fn name(below: &str, path: &Inside) -> String {
    let name = path.to_path();
    let below = below.trim_end_matches('/');
    if name.as_os_str().is_empty() { below.to_owned() } else { format!("{below}/{}", name.display()) }
}
