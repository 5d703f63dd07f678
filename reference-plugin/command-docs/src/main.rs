//! packer-command-docs: `packwire docs`, what there is and how it is used.
//!
//! | Typed | Says |
//! | --- | --- |
//! | `packwire docs` | all components that the host knows: kind, name, summary |
//! | `packwire docs builder` | those of one kind |
//! | `packwire docs builder file` | one component: its documentation as it is, CommonMark, and a table of its options |
//! | `packwire docs --json …` | the same as JSON, for programs |
//! | `packwire docs --template-schema` | one JSON Schema (2020-12) of a whole template, for editors |
//! | `packwire docs --help` | this, in short |
//!
//! The options are read from the component's `configSchema`, whatever language its plugin is written in: members of
//! members as `outer.inner`, of elements as `outer[].inner`, of maps as `outer.*.inner`.
//!
//! The exit status is 0; 1 where there is no such component; 2 where the command line means nothing.
mod arguments;
mod described;
mod docs;
mod options;
mod page;
mod template_schema;
#[cfg(test)]
mod tests;

packwire_plugin::serve_command!("docs", docs::Docs);
