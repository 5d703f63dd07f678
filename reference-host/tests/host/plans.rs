//! Whole outputs of commands that resolve variables and plugins.

use crate::rig::Rig;

const TEMPLATE: &str = r#"{
  "variables": {"name": null, "size": null, "secret": "hunter22"},
  "sensitive-variables": ["secret"],
  "builders": [{"type": "file", "name": "{{user `name`}}", "target": "{{user `secret`}}"}],
  "provisioners": [{"type": "shel"}]
}"#;

fn rig() -> Rig {
    Rig::with_template(TEMPLATE).plugin("packer-builder-file").plugin("packer-provisioner-shell")
}

#[test]
fn all_unset_variables_are_told_at_once() {
    insta::assert_snapshot!(rig().run("validate template.json"));
}

#[test]
fn an_unknown_variable_on_the_command_line_is_refused() {
    insta::assert_snapshot!(rig().run("build -var nmae=x -var size=1 template.json"));
}

#[test]
fn an_unknown_variable_in_a_file_is_refused() {
    let rig = rig().file("vars.json", r#"{"name": "a", "size": 1, "sice": 2}"#);
    insta::assert_snapshot!(rig.run("build -var-file=vars.json template.json"));
}

#[test]
fn a_wrong_variable_file_is_shown() {
    insta::assert_snapshot!(
        rig().file("vars.json", "{\"name\": [1]}").run("build -var-file vars.json template.json")
    );
}

#[test]
fn a_component_that_nobody_offers_is_refused() {
    insta::assert_snapshot!(rig().run("build -var name=a -var size=1 template.json"));
}

#[test]
fn an_unknown_build_on_the_command_line_is_refused() {
    insta::assert_snapshot!(rig().run("build -var name=alpha -var size=1 -only=alhpa template.json"));
    insta::assert_snapshot!(rig().run("build -var name=alpha -var size=1 -except=alpha template.json"));
}

#[test]
fn plugins_lists_what_was_found_and_what_was_not_taken() {
    let rig = rig().file("packer-builder-text", "").plugin("packer-plugin-many");
    insta::assert_snapshot!(rig.variable("PACKER_PLUGIN_PATH", "relative").run("plugins"));
}

#[test]
fn a_wrong_config_file_is_shown() {
    let rig = Rig::new().file("config.json", "{\"builder\": {}}");
    let config = rig.path().join("config.json");
    let rig = rig.variable("PACKER_CONFIG", config.to_str().unwrap());
    insta::assert_snapshot!(rig.run("plugins"));
}

#[test]
fn the_log_tells_what_was_found_and_no_secret() {
    let rig = rig().variable("PACKER_LOG", "1").variable("PACKER_LOG_PATH", "host.log");
    insta::assert_snapshot!(rig.run("build -var name=hunter22 -var size=1 template.json"));
    let logged = std::fs::read_to_string(rig.path().join("host.log")).unwrap();
    assert!(logged.contains("packwire: [INFO] packwire v"), "{logged}");
    assert!(!logged.contains("hunter22"), "{logged}");
}

#[test]
fn a_log_that_cannot_be_written_is_an_error() {
    insta::assert_snapshot!(rig().variable("PACKER_LOG_PATH", "gone/host.log").run("version"));
}

#[test]
fn a_secret_too_short_to_mask_is_told() {
    insta::assert_snapshot!(rig().run("build -var name=a -var size=1 -var secret=abc template.json"));
}

mod of {
    //! Plans themselves.

    use packwire_host::catalog::{Catalog, Environment};
    use packwire_host::plan::{Plan, PlanError, PlannedComponent, Selection};
    use packwire_host::report::Reported as _;
    use packwire_host::template::{RunContext, Template, Variables};

    use super::Rig;

    const TWO: &str = r#"{
        "builders": [{"type": "file", "name": "a"}, {"type": "twin", "name": "b"}],
        "provisioners": [{"type": "shell"}, {"type": "shell", "only": ["b"]}]
    }"#;

    fn plan(rig: &Rig, selection: &Selection) -> Result<Plan, PlanError> {
        let template = Template::parse("t.json", TWO).unwrap();
        let run = RunContext {
            started: time::OffsetDateTime::UNIX_EPOCH,
            template_dir: String::new(),
            pwd: String::new(),
            environment: Default::default(),
            uuid: String::new,
        };
        let builds = template.resolve(&Variables::settle(&template, &[], &run).unwrap(), &run).unwrap();
        let executable = Some(rig.path().join("packwire"));
        let catalog = Catalog::find(&Environment { executable, ..Environment::default() }).unwrap();
        Plan::of(template.source, builds, selection, &catalog)
    }

    fn rig() -> Rig {
        let rig = Rig::new().plugin("packer-builder-file").plugin("packer-provisioner-shell");
        std::os::unix::fs::symlink("packer-builder-file", rig.path().join("packer-builder-twin")).unwrap();
        rig
    }

    #[test]
    fn one_process_serves_every_use_of_one_file() {
        let plan = plan(&rig(), &Selection::default()).unwrap();
        assert_eq!(plan.plugins.len(), 2);
        assert_eq!(plan.builds[0].builder.plugin, plan.builds[1].builder.plugin);
        assert_eq!(plan.builds[1].provisioners.len(), 2);
    }

    #[test]
    fn wrong_configurations_are_told_once_and_point_into_the_template() {
        let shell =
            r#"{"properties": {"inline": {}}, "required": ["inline"], "additionalProperties": false}"#;
        let schema_of = |component: &PlannedComponent| (component.name.text == "shell").then_some(shell);
        let (plan, problems) = plan(&rig(), &Selection::default()).unwrap().checked(schema_of).unwrap();
        let sound = plan.clone().without(&problems);
        assert!(sound.builds.len() == 2 && sound.builds.iter().all(|build| build.provisioners.is_empty()));
        let refused = PlanError::BadConfigs { text: plan.source, problems };
        let shown: String = refused.reports().iter().map(|report| report.rendered(false)).collect();
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_schema_that_is_none_names_its_component() {
        let refused = plan(&rig(), &Selection::default()).unwrap().checked(|_| Some("{")).unwrap_err();
        assert_eq!(refused.to_string(), "the builder `file` has a configuration schema that cannot be used");
    }

    #[test]
    fn a_build_that_is_not_selected_needs_no_plugin() {
        let selection = Selection { only: vec!["a".to_owned()], except: Vec::new() };
        let rig = rig();
        std::fs::remove_file(rig.path().join("packer-builder-twin")).unwrap();
        let plan = plan(&rig, &selection).unwrap();
        assert_eq!(plan.builds.iter().map(|build| build.name.as_str()).collect::<Vec<_>>(), ["a"]);
    }
}
