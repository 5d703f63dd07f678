//! The content of the output: a list of builds, and whatever else stands there.
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use packwire_plugin::ArtifactInfo;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::config::Order;

const BUILDS: &str = "builds";
const LAST_RUN: &str = "last_run_uuid";

/// A build as it is listed; the names are Packer's.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    name: String,
    builder_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_time: Option<u64>,
    files: Vec<Listed>,
    artifact_id: String,
    packer_run_uuid: String,
    custom_data: Option<BTreeMap<String, String>>,
}

/// A file of the build.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    /// Bytes; 0 where there is no such file any more.
    size: u64,
}

impl Entry {
    pub(crate) fn of(order: &Order, artifact: &ArtifactInfo) -> Self {
        let Order { strip_path, strip_time, custom_data, context, output: _ } = order;
        let files = artifact.files.iter().map(|file| {
            let path = Path::new(&context.working_dir).join(file);
            let stripped = path.file_name().filter(|_| *strip_path);
            Listed {
                name: stripped.map_or_else(|| file.clone(), |name| name.to_string_lossy().into_owned()),
                size: fs::metadata(&path).map_or(0, |metadata| metadata.len()),
            }
        });
        Self {
            name: context.build_name.clone(),
            builder_type: context.builder_type.clone(),
            build_time: (!strip_time).then(now),
            files: files.collect(),
            artifact_id: artifact.id.clone(),
            packer_run_uuid: context.run_id.clone(),
            custom_data: custom_data.clone(),
        }
    }
}

fn now() -> u64 {
    // A clock before 1970 is as good as none.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What is there, empty for nothing, with one entry more. A forced run begins anew, unless it has already.
///
/// # Errors
/// Why what is there is no list.
pub(crate) fn with(there: &str, entry: Entry, force: bool) -> Result<String, String> {
    let run = Value::from(entry.packer_run_uuid.clone());
    let mut list = read(there)?;
    if force && list.get(LAST_RUN) != Some(&run) {
        list = Map::new();
    }
    match list.entry(BUILDS).or_insert_with(|| json!([])) {
        Value::Array(builds) => builds.push(json!(entry)),
        builds @ Value::Null => *builds = json!([entry]),
        _ => return Err(format!("its `{BUILDS}` is no list")),
    }
    drop(list.insert(LAST_RUN.to_owned(), run));
    let text = serde_json::to_string_pretty(&list).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}

fn read(there: &str) -> Result<Map<String, Value>, String> {
    match there.trim() {
        "" => Ok(Map::new()),
        text => serde_json::from_str(text).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, run: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            builder_type: "file".to_owned(),
            build_time: None,
            files: vec![Listed { name: "/out/disk".to_owned(), size: 3 }],
            artifact_id: "7".to_owned(),
            packer_run_uuid: run.to_owned(),
            custom_data: Some([("stage".to_owned(), "test".to_owned())].into()),
        }
    }

    fn names(list: &str) -> Vec<String> {
        let list: Value = serde_json::from_str(list).unwrap();
        list["builds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_list_looks_like_packers() {
        insta::assert_snapshot!(with("", entry("disk", "r1"), false).unwrap(), @r#"
        {
          "builds": [
            {
              "name": "disk",
              "builder_type": "file",
              "files": [
                {
                  "name": "/out/disk",
                  "size": 3
                }
              ],
              "artifact_id": "7",
              "packer_run_uuid": "r1",
              "custom_data": {
                "stage": "test"
              }
            }
          ],
          "last_run_uuid": "r1"
        }
        "#);
    }

    #[test]
    fn entries_are_added_and_what_is_there_stays() {
        let there = r#"{"note": [1.50, {"b": 1, "a": 2}], "builds": [{"name": "old", "odd": null}], "last_run_uuid": "r0"}"#;
        let list = with(there, entry("disk", "r1"), false).unwrap();
        assert_eq!(names(&list), ["old", "disk"]);
        let list: Value = serde_json::from_str(&list).unwrap();
        assert_eq!(list["note"].to_string(), r#"[1.5,{"b":1,"a":2}]"#);
        assert_eq!(list["builds"][0].to_string(), r#"{"name":"old","odd":null}"#);
        assert_eq!(list["last_run_uuid"], "r1");
        assert_eq!(names(&with(r#"{"builds": null}"#, entry("disk", "r1"), false).unwrap()), ["disk"]);
    }

    #[test]
    fn a_forced_run_begins_anew_once() {
        let first = with("", entry("old", "r0"), false).unwrap();
        let second = with(&first, entry("one", "r1"), true).unwrap();
        assert_eq!(names(&second), ["one"]);
        assert_eq!(names(&with(&second, entry("two", "r1"), true).unwrap()), ["one", "two"]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let refused = |there| with(there, entry("disk", "r1"), true).unwrap_err();
        let told = ["[]", "{", "precious", r#"{"builds": {}, "last_run_uuid": "r1"}"#].map(refused);
        insta::assert_snapshot!(told.join("\n"), @"
        invalid type: sequence, expected a map at line 1 column 0
        EOF while parsing an object at line 1 column 1
        expected value at line 1 column 1
        its `builds` is no list
        ");
    }
}
