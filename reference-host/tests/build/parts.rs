//! What becomes of a run whose parts go wrong, each at its turn: refused, failed, killed or cancelled.

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::rig::{FILE, LOCAL, NULL, Run, SHELL, STAGE, World};
use crate::whole::ROOTFS;

/// A part of a run that waits where it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    DataSource,
    /// A hook that watches what the host does.
    Watcher,
    Builder,
    /// A hook that the builder calls.
    Hook,
    Provisioner,
    PostProcessor,
}

impl Part {
    const ALL: [Self; 6] =
        [Self::DataSource, Self::Watcher, Self::Builder, Self::Hook, Self::Provisioner, Self::PostProcessor];

    /// What is said when its turn has come.
    fn cue(self) -> &'static str {
        match self {
            Self::DataSource => "looking up",
            Self::Watcher => "waiting at packwire_build_started",
            Self::Builder => "Waiting for a machine",
            Self::Hook => "waiting at packer_provision",
            Self::Provisioner => "provisioning",
            Self::PostProcessor => "Given ",
        }
    }

    /// What is there in the end: an artifact that is made stays.
    fn stays(self) -> bool {
        self == Self::PostProcessor
    }

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// A build in which each part does its work, and this one something else.
    fn template(self, otherwise: &str) -> World {
        let does = |part: Self| if part == self { format!(", {otherwise}") } else { String::new() };
        let hook = |part: Self| if part == self { r#""stage-waiting""# } else { "" };
        let template = format!(
            r#"{{
  "data": {{"d": {{"type": "stage", "text": "hello", "say": "looking up"{}}}}},
  "builders": [{{"type": "{}", "name": "b", "target": "made.txt", "content": "{{{{data `d` `/text`}}}}"{}}}],
  "hooks": {{"packwire_build_started": [{}], "packer_provision": [{}]}},
  "provisioners": [{{"type": "stage", "say": ["provisioning"]{}}}],
  "post-processors": [{{"type": "stage"{}}}]
}}"#,
            does(Self::DataSource),
            // Another plugin than the others', unless it is its turn.
            if self == Self::Builder { "stage" } else { "file" },
            does(Self::Builder),
            hook(Self::Watcher),
            hook(Self::Hook),
            does(Self::Provisioner),
            does(Self::PostProcessor),
        );
        World::with(&[STAGE, FILE]).template(&template)
    }
}

/// A run whose part waits, and nobody else does anything.
fn waiting(world: &World, part: Part) -> Run<'_> {
    let run = world.start("build template.json");
    run.until_said(part.cue());
    run
}

fn nothing_but_the_artifact_is_left(world: &World, part: Part) {
    assert_eq!(world.path("made.txt").exists(), part.stays(), "{part:?}");
    assert_eq!(world.ledger_files(), Vec::<String>::new(), "{part:?}");
    assert_eq!(world.left_behind(), Vec::<String>::new(), "{part:?}");
}

#[test]
fn cancelled_at_any_part_a_run_ends_and_leaves_nothing() {
    for part in Part::ALL {
        let world = part.template(r#""waits": true"#);
        let run = waiting(&world, part);
        run.signal(Signal::INT);
        let said = run.said();
        assert_eq!(said.ended, "exit 1", "{said}");
        assert_snapshot!(format!("cancelled_{}", part.name()), said);
        nothing_but_the_artifact_is_left(&world, part);
    }
}

#[test]
fn killed_at_any_part_a_plugin_is_named_and_leaves_nothing() {
    for part in Part::ALL {
        let world = part.template(r#""waits": true"#);
        let run = waiting(&world, part);
        world.process(STAGE).kill();
        let said = run.said();
        // Who watches changes nothing, not by its death either.
        assert_eq!(said.ended, if part == Part::Watcher { "exit 0" } else { "exit 1" }, "{said}");
        assert_snapshot!(format!("killed_{}", part.name()), said);
        nothing_but_the_artifact_is_left(&world, part);
    }
}

#[test]
fn a_failure_of_any_part_is_told_and_leaves_nothing() {
    for part in [Part::DataSource, Part::Builder, Part::Provisioner, Part::PostProcessor] {
        let world = part.template(r#""fail": "it is not my day""#);
        let said = world.run("build template.json");
        assert_eq!(said.ended, "exit 1", "{said}");
        assert_snapshot!(format!("failed_{}", part.name()), said);
        nothing_but_the_artifact_is_left(&world, part);
    }
}

/// A root filesystem in which something runs for ever, or does not run at all.
fn system(commands: &str) -> World {
    let template = format!(
        r#"{{
  "builders": [{{
    "type": "rootfs",
    "name": "system",
    "output": "system.tar",
    "mounts": [
      {{"source": "/bin", "target": "/bin", "read_only": true}},
      {{"source": "/lib", "target": "/lib", "read_only": true}},
      {{"source": "/lib64", "target": "/lib64", "read_only": true, "optional": true}},
      {{"source": "/usr", "target": "/usr", "read_only": true}}
    ]
  }}],
  "provisioners": [{{"type": "shell", "inline": [{commands}]}}],
  "post-processors": [{{"type": "compress", "output": "template.json/system.tar.xz"}}]
}}"#
    );
    World::with(&[ROOTFS, SHELL, "packer-post-processor-compress"]).template(&template)
}

const FOR_EVER: &str = r#""echo up", "tail -f /dev/null""#;

#[test]
fn a_command_that_fails_in_a_root_filesystem_is_told_and_nothing_is_made() {
    let world = system(r#""echo up", "exit 7""#);
    assert_snapshot!(without_isolation(&world.run("build template.json").to_string()));
    assert!(!world.path("system.tar").exists());
}

#[test]
fn a_root_filesystem_that_is_cancelled_leaves_nothing() {
    let world = system(FOR_EVER);
    let run = world.start("build template.json");
    run.until_said("system: up");
    run.signal(Signal::INT);
    assert_snapshot!(without_isolation(&run.said().to_string()));
    assert!(!world.path("system.tar").exists());
}

#[test]
fn a_killed_builder_of_root_filesystems_is_named_and_leaves_nothing() {
    let world = system(FOR_EVER);
    let run = world.start("build template.json");
    run.until_said("system: up");
    // The first of its processes; the others are within the tree.
    world.find_process(ROOTFS).unwrap().kill();
    assert_snapshot!(without_isolation(&run.said().to_string()));
    assert!(!world.path("system.tar").exists());
}

#[test]
fn an_archive_that_cannot_be_made_leaves_what_it_is_made_of() {
    let world = system(r#""echo up""#);
    assert_snapshot!(without_isolation(&world.run("build template.json").to_string()));
    assert!(world.path("system.tar").exists());
}

/// Where a root filesystem is entered depends on the machine.
fn without_isolation(said: &str) -> String {
    said.lines().filter(|line| !line.starts_with("==> system: Commands run")).collect::<Vec<_>>().join("\n")
}

#[test]
fn wrong_configurations_of_every_kind_are_told_at_once() {
    let plugins = [
        ROOTFS,
        NULL,
        LOCAL,
        SHELL,
        "packer-data-source-http",
        "packer-provisioner-file",
        "packer-provisioner-shell-local",
        "packer-post-processor-checksum",
        "packer-post-processor-compress",
        "packer-post-processor-manifest",
        "packer-hook-timings",
        "packer-command-docs",
    ];
    let template = r#"{
  "data": {"release": {"type": "http", "url": "gopher://example", "retries": "often"}},
  "builders": [
    {"type": "rootfs", "output": "system.rar", "mount": []},
    {"type": "null", "communicator": "locla"},
    {"type": "null", "name": "odd", "communicator": "local", "ssh_host": 7}
  ],
  "provisioners": [
    {"type": "file", "source": "nothing"},
    {"type": "shell", "inline": ["true"], "script": "/etc/passwd"},
    {"type": "shell-local", "inlines": ["true"]}
  ],
  "hooks": {"packwire_build_started": ["timing"], "packwire_build_finished": ["timings"]},
  "post-processors": [
    {"type": "compress", "output": "x.7z"},
    {"type": "checksum", "checksum_types": ["md6"]},
    {"type": "manifest", "strip_path": "maybe"}
  ]
}"#;
    let world = World::with(&plugins).template(template);
    assert_snapshot!("refused_names", world.run("validate template.json"));
    let template = template.replace("locla", "local").replace("\"timing\"", "\"timings\"");
    let world = world.template(&template);
    assert_snapshot!("refused_values", world.run("validate template.json"));
    assert_snapshot!("refused_arguments", world.run("docs --nonsense"));
}
