//! The templates of docs/templates.md are templates.

use crate::rig::Rig;

const PAGE: &str = include_str!("../../../docs/templates.md");

#[test]
fn every_template_of_the_documentation_passes() {
    let blocks = PAGE.split("```json\n").skip(1).filter_map(|block| block.split_once("```"));
    let templates: Vec<&str> = blocks.map(|(template, _)| template).collect();
    assert!(templates.len() >= 5, "{} templates are found", templates.len());
    for template in templates {
        let said = Rig::with_template(template).run("validate -syntax-only template.json");
        assert!(said.contains("--- exit 0 ---"), "{template}\n{said}");
    }
}
