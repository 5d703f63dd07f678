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
    use packwire_host::plan::{Plan, PlanError, PlannedComponent, SchemaTexts, Selection};
    use packwire_host::report::Reported as _;
    use packwire_host::template::{RunContext, Template, Variables};

    use super::Rig;

    const TWO: &str = r#"{
        "builders": [{"type": "file", "name": "a"}, {"type": "twin", "name": "b"}],
        "provisioners": [{"type": "shell"}, {"type": "shell", "only": ["b"]}]
    }"#;

    fn plan(rig: &Rig, selection: &Selection) -> Result<Plan, PlanError> {
        plan_of(TWO, rig, selection)
    }

    fn plan_of(text: &str, rig: &Rig, selection: &Selection) -> Result<Plan, PlanError> {
        let template = Template::parse("t.json", text).unwrap();
        let run = RunContext {
            started: time::OffsetDateTime::UNIX_EPOCH,
            template_dir: String::new(),
            pwd: String::new(),
            environment: Default::default(),
            uuid: String::new,
        };
        let resolved = template.resolve(&Variables::settle(&template, &[], &run).unwrap(), &run).unwrap();
        let executable = Some(rig.path().join("packwire"));
        let catalog = Catalog::find(&Environment { executable, ..Environment::default() }).unwrap();
        Plan::of(template.source, resolved, selection, &catalog)
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
        let schema_of = |component: &PlannedComponent| SchemaTexts {
            config: if component.name.text == "shell" { shell } else { "" },
            output: "",
        };
        let (plan, problems) = plan(&rig(), &Selection::default()).unwrap().checked(schema_of).unwrap();
        let sound = plan.clone().without(&problems);
        assert!(sound.builds.len() == 2 && sound.builds.iter().all(|build| build.provisioners.is_empty()));
        let refused = PlanError::BadConfigs { text: plan.source, problems };
        let shown: String = refused.reports().iter().map(|report| report.rendered(false)).collect();
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_schema_that_is_none_names_its_component() {
        let refused = plan(&rig(), &Selection::default())
            .unwrap()
            .checked(|_| SchemaTexts { config: "{", output: "" })
            .unwrap_err();
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

    const PROCESSED: &str = r#"{
        "data": {
            "late": {"type": "http", "url": "{{data `early` `/next`}}"},
            "unused": {"type": "http", "url": "x"},
            "early": {"type": "http", "url": "x"}
        },
        "builders": [{"type": "file", "x": "{{data `late`}}"}],
        "provisioners": [{"type": "shell", "inline": "{{build `Hots`}} {{data `early` `/nxet`}}", "n": "{{data `early`}}"}],
        "post-processors": ["sum", ["zip", {"type": "sum", "name": "last"}, "zip"]]
    }"#;

    fn processed(selection: &Selection) -> Result<Plan, PlanError> {
        let names = [
            "builder-file",
            "provisioner-shell",
            "data-source-http",
            "post-processor-sum",
            "post-processor-zip",
        ];
        let rig = names.iter().fold(Rig::new(), |rig, name| rig.plugin(&format!("packer-{name}")));
        plan_of(PROCESSED, &rig, selection)
    }

    #[test]
    fn who_asks_for_a_value_stands_behind_who_yields_it() {
        let plan = processed(&Selection::default()).unwrap();
        let shown: Vec<_> =
            plan.data.iter().map(|source| (source.name.as_str(), source.is_asked_for)).collect();
        assert_eq!(shown, [("unused", false), ("early", true), ("late", true)]);
    }

    #[test]
    fn a_post_processor_that_is_not_wanted_ends_its_sequence() {
        let sequences = |except: &str| {
            let selection = Selection { only: Vec::new(), except: vec![except.to_owned()] };
            let build = processed(&selection).unwrap().builds.remove(0);
            let sequence = |sequence: &Vec<_>| sequence.len();
            build.sequences.iter().map(sequence).collect::<Vec<_>>()
        };
        assert_eq!(sequences("last"), [1, 1]);
        assert_eq!(sequences("zip"), [1]);
        let unknown = Selection { only: Vec::new(), except: vec!["lats".to_owned()] };
        let refused = processed(&unknown).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`-except` names build or post-processor `lats`, which does not exist"
        );
    }

    #[test]
    fn what_is_asked_of_others_is_checked_by_their_schemas_and_late_values_are_no_mistakes() {
        let schemas_of = |component: &PlannedComponent| match component.name.text.as_str() {
            "http" => SchemaTexts { config: "", output: r#"{"properties": {"next": {"type": "string"}}}"# },
            "file" => SchemaTexts { config: "", output: r#"{"properties": {"Path": {}}}"# },
            "shell" => SchemaTexts {
                config: r#"{
                    "properties": {"inline": {"type": "array"}, "n": {"type": "integer"}, "more": {}},
                    "required": ["more"], "anyOf": [{"properties": {"n": {"const": 1}}}]
                }"#,
                output: "",
            },
            _ => SchemaTexts::default(),
        };
        let (plan, problems) = processed(&Selection::default()).unwrap().checked(schemas_of).unwrap();
        let refused = PlanError::BadConfigs { text: plan.source, problems };
        let shown: String = refused.reports().iter().map(|report| report.rendered(false)).collect();
        insta::assert_snapshot!(shown);
    }
}
