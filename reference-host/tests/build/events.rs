//! Events of a build: hooks, late values in provisioners, and what runs when one failed.

use insta::assert_snapshot;

use crate::rig::{LOCAL, STAGE, World};

fn staged(rest: &str) -> World {
    let template = format!(
        r#"{{"builders": [{{"type": "stage", "name": "b", "target": "made.txt", "generated": {{"Host": "example", "Count": 2}}}}], {rest}}}"#
    );
    World::with(&[STAGE]).template(&template)
}

// host.resolves-before-prepare, host.hooks-in-order
#[test]
fn hooks_run_before_the_provisioners_which_know_what_the_builder_knows() {
    let world = staged(
        r#""hooks": {"packer_provision": ["stage", {"type": "stage-failing", "except": ["b"]}]},
        "provisioners": [{"type": "stage", "say": ["at {{build `Host`}}"], "times": "{{build `Count`}}"}]"#,
    );
    assert_snapshot!(world.run("build template.json"));
}

// host.hooks-in-order
#[test]
fn a_hook_that_fails_ends_the_build() {
    let world = staged(
        r#""hooks": {"packer_provision": ["stage-failing", "stage"], "packer_cleanup_provision": ["stage"]},
        "provisioners": [{"type": "stage", "say": ["never"]}]"#,
    );
    assert_snapshot!(world.run("build template.json"));
    assert!(!world.path("made.txt").exists());
}

/// A provisioner that fails, and one that runs then.
const FAILING: &str = r#""provisioners": [{"type": "stage", "fail": "it broke"}, {"type": "stage", "say": ["never"]}],
    "error-cleanup-provisioner": {"type": "stage", "say": ["cleaning up {{build `Host`}}"]}"#;

#[test]
fn what_failed_is_cleaned_up_after() {
    assert_snapshot!(staged(FAILING).run("build template.json"));
}

#[test]
fn what_failed_stays_where_the_user_wants_it() {
    assert_snapshot!(staged(FAILING).run("build -on-error=abort template.json"));
}

#[test]
fn a_clean_up_that_fails_does_not_hide_why_it_was_needed() {
    let world = staged(
        r#""provisioners": [{"type": "stage", "fail": "it broke"}],
        "hooks": {"packer_cleanup_provision": ["stage-failing"]},
        "error-cleanup-provisioner": {"type": "stage", "fail": "the clean-up broke too"}"#,
    );
    assert_snapshot!(world.run("build template.json"));
}

// host.communicator-granted
#[test]
fn a_provisioner_opens_communicators_where_it_is_granted() {
    let template = |grant: &str| {
        format!(
            r#"{{"builders": [{{"type": "stage"}}], "provisioners": [{{"type": "stage", "open": "local"{grant}}}]}}"#
        )
    };
    let world = World::with(&[STAGE, LOCAL]);
    let world = world.template(&template(r#", "grant": ["communicator"]"#));
    assert_snapshot!(world.run("build template.json"));
    let world = world.template(&template(""));
    assert_snapshot!(world.run("build template.json"));
}

// host.prepares-late
#[test]
fn a_late_value_that_is_wrong_fails_when_it_is_known() {
    let world = staged(
        r#""provisioners": [{"type": "stage", "say": ["{{build `Host`}}"], "times": "{{build `Host`}}"}]"#,
    );
    assert_snapshot!(world.run("build template.json"));
}

// host.masks-output
#[test]
fn what_the_builder_calls_secret_is_masked() {
    let template = r#"{
      "builders": [{"type": "stage", "generated": {"Password": "correct horse"}}],
      "provisioners": [{"type": "stage", "say": ["the password is {{build `Password`}}"]}]
    }"#;
    let said = World::with(&[STAGE]).template(template).run("build template.json");
    assert!(said.stdout.contains("==> stage: the password is <sensitive>\n"), "{said}");
}

// host.own-events-watch
#[test]
fn hooks_watch_what_the_host_does_and_change_nothing() {
    let events = ["build", "provisioner", "post_processor"].map(|what| {
        format!(
            r#""packwire_{what}_started": ["stage-failing", "stage"], "packwire_{what}_finished": ["stage"]"#
        )
    });
    let world = staged(&format!(
        r#""hooks": {{{}}}, "provisioners": [{{"type": "stage"}}],
        "post-processors": [{{"type": "stage"}}, [{{"type": "stage", "target": "1.txt"}}, {{"type": "stage", "fail": "no"}}]]"#,
        events.join(", ")
    ));
    // A run's id is a new one each time.
    let said = world.run("build template.json").to_string();
    let masked: Vec<_> = said.lines().map(without_id).collect();
    assert_snapshot!(masked.join("\n"));
}

fn without_id(line: &str) -> String {
    let Some((before, id)) = line.split_once(r#""PackerRunUUID":""#) else { return line.to_owned() };
    let after = id.split_once('"').map_or("", |(_, after)| after);
    format!(r#"{before}"PackerRunUUID":"ID"{after}"#)
}

// host.unknown-event
#[test]
fn an_event_that_nobody_has_heard_of_is_refused() {
    let template =
        r#"{"builders": [{"type": "stage"}], "provisioners": [{"type": "stage", "say": ["unsaid"]}]}"#;
    let world = World::with(&[]).misheard("packer_provision", "packer_something").template(template);
    let said = world.run("build template.json");
    assert_eq!(said.ended, "exit 1", "{said}");
    assert!(said.stdout.contains("this host knows no event `packer_something`"), "{said}");
    assert!(!said.stdout.contains("unsaid"), "{said}");
}
