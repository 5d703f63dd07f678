//! Configurations: a JSON text becomes an author's type, or all that is wrong with it, found together.
//!
//! Three sieves, each finer: the text is I-JSON and an object, it fits the schema made from the type, serde decodes
//! it. What passed is an ordinary value; what only the author can know to be wrong is said by the component's
//! `prepare`, and what is merely odd by its `warnings`. Keys that resemble no known one do not keep the author from
//! looking at the rest: all is told at once. Nothing here needs a link, so that a configuration is tested as a
//! function: [`read`].
mod json;
mod length;
mod problem;
mod schema;

use std::{marker::PhantomData, sync::OnceLock};

use jsonschema::Validator;
use packwire_wire::{Context, Diagnostic, Prepared};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use length::Length;
pub use schema::schema_of;

/// What a configuration may be: any `#[derive(Deserialize, JsonSchema)]` struct.
///
/// Its `examples` are shown to users and tried by the conformance suite, which prepares them. Where running them costs
/// nothing and leaves nothing, say so, and the suite runs the first without a scenario:
///
/// ```
/// # use schemars::JsonSchema;
/// # use serde::Deserialize;
/// #[derive(Deserialize, JsonSchema)]
/// #[schemars(extend("examples" = [{"size": 1}], "x-packwire-safe-to-run" = true))]
/// struct Disk {
///     /// In MiB.
///     size: u32,
/// }
/// # let schema = packwire_plugin::schema_of::<Disk>();
/// # assert!(schema.contains(r#""x-packwire-safe-to-run":true"#), "{schema}");
/// ```
pub trait Config: DeserializeOwned + JsonSchema + Send + 'static {}
impl<C: DeserializeOwned + JsonSchema + Send + 'static> Config for C {}

/// The configuration of what has nothing to configure.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize, JsonSchema)]
pub struct Empty {}

/// Reads one configuration, as `prepare` does before it asks the component.
///
/// # Errors
/// All that is wrong with it, each with a JSON Pointer.
pub fn read<C: Config>(text: &str) -> Result<C, Vec<Diagnostic>> {
    match Reader::new().read(text) {
        (Some(config), told) if !told.iter().any(Diagnostic::is_error) => Ok(config),
        (_, problems) => Err(problems),
    }
}

/// Reads the configurations of one component.
pub(crate) struct Reader<C> {
    schema: Value,
    /// Made when the first configuration comes: a host attaches many plugins that it never asks.
    validator: OnceLock<Result<Validator, String>>,
    config: PhantomData<fn() -> C>,
}

impl<C: Config> Reader<C> {
    pub(crate) fn new() -> Self {
        Self { schema: schema::closed_schema_of::<C>(), validator: OnceLock::new(), config: PhantomData }
    }

    /// The schema, for the component's description.
    pub(crate) fn schema(&self) -> String {
        self.schema.to_string()
    }

    /// Reads a configuration and has the author check it; `warnings` looks at it before.
    pub(crate) fn prepare<T>(
        &self,
        text: &str,
        context: &Context,
        warnings: impl FnOnce(&C, &Context) -> Vec<Diagnostic>,
        check: impl FnOnce(C, &Context) -> Result<T, Vec<Diagnostic>>,
    ) -> Prepared<T> {
        let (config, mut told) = self.read(text);
        let object = config.and_then(|config| {
            told.extend(warnings(&config, context));
            check(config, context).map_err(|problems| told.extend(problems)).ok()
        });
        let told = problem::bounded(told);
        match object {
            Some(object) if !told.iter().any(Diagnostic::is_error) => {
                Prepared { diagnostics: told, object: Some(object) }
            }
            _ => Prepared::refused(told),
        }
    }

    /// All that is to be told of a configuration, and its value, unless what is wrong leaves none that the author could
    /// judge: keys that nobody knows are left out of it.
    fn read(&self, text: &str) -> (Option<C>, Vec<Diagnostic>) {
        let mut value = match json::read(text) {
            Ok(value) => value,
            Err(problems) => return (None, problems),
        };
        let Misfits { problems: mut told, strangers } = self.misfits(&value);
        let Some(strangers) = strangers else { return (None, told) };
        if let Value::Object(members) = &mut value {
            members.retain(|key, _| !strangers.contains(key));
        }
        told.extend(problem::deprecations(&value, &self.schema));
        match serde_path_to_error::deserialize(value) {
            Ok(config) => (Some(config), told),
            Err(error) => {
                told.push(problem::undecodable(&error));
                (None, told)
            }
        }
    }

    /// All places at which the configuration does not fit the schema.
    fn misfits(&self, value: &Value) -> Misfits {
        let made = self
            .validator
            .get_or_init(|| jsonschema::draft202012::new(&self.schema).map_err(|error| error.to_string()));
        match made {
            Ok(validator) => {
                let errors: Vec<_> = validator.iter_errors(value).collect();
                let mut problems: Vec<_> =
                    errors.iter().flat_map(|error| problem::misfit(error, &self.schema)).collect();
                let twins = problem::case_twins(value, &self.schema, &problems);
                let strangers = errors.iter().map(|error| problem::strangers(error, &self.schema));
                let strangers = strangers.collect::<Option<Vec<_>>>().filter(|_| twins.is_empty());
                problems.extend(twins);
                Misfits { problems, strangers: strangers.map(|keys| keys.concat()) }
            }
            Err(why) => {
                let bug = format!("a bug in the plugin: its schema is none: {why}");
                Misfits { problems: vec![Diagnostic::error(bug)], strangers: None }
            }
        }
    }
}

/// How a configuration does not fit its schema.
struct Misfits {
    problems: Vec<Diagnostic>,
    /// The keys that nobody knows, where nothing else is wrong: without them the rest can be judged.
    strangers: Option<Vec<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    /// A cloud.
    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "read by nobody: what counts is that it can be read")]
    struct Cloud {
        /// Where.
        region: String,
        #[serde(default)]
        size: u8,
        #[serde(default)]
        disks: Vec<Disk>,
        #[schemars(extend("deprecated" = true))]
        #[serde(default)]
        zone: Option<String>,
        mode: Option<Mode>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "as above")]
    struct Disk {
        gigabytes: u32,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Fast,
        Slow,
    }

    fn problems(text: &str) -> String {
        told(&Reader::<Cloud>::new().read(text).1)
    }

    fn told(diagnostics: &[Diagnostic]) -> String {
        let told = diagnostics
            .iter()
            .map(|one| format!("{:7} {}: {}", format!("{:?}", one.severity), one.path, one.summary));
        told.collect::<Vec<_>>().join("\n")
    }

    /// What is told by an author who never uses zones and finds every region too far.
    fn judged(text: &str) -> (String, bool) {
        let warnings = |cloud: &Cloud, _: &Context| {
            cloud.zone.iter().map(|_| Diagnostic::warning("a zone has no effect").at("/zone")).collect()
        };
        let far = |cloud: Cloud, _: &Context| match cloud.region.as_str() {
            "here" => Ok(()),
            _ => Err(vec![Diagnostic::error("it is too far").at("/region")]),
        };
        let prepared = Reader::<Cloud>::new().prepare(text, &Context::default(), warnings, far);
        (told(&prepared.diagnostics), prepared.object.is_some())
    }

    #[test]
    fn a_warning_leaves_an_object_and_stands_beside_an_error() {
        let (warned, prepared) = judged(r#"{"region": "here", "zone": "z"}"#);
        assert!(prepared);
        insta::assert_snapshot!(warned, @r"
        Warning /zone: `zone` is deprecated
        Warning /zone: a zone has no effect
        ");
        let (refused, prepared) = judged(r#"{"region": "x", "zone": "z"}"#);
        assert!(!prepared);
        insta::assert_snapshot!(refused, @r"
        Warning /zone: `zone` is deprecated
        Warning /zone: a zone has no effect
        Error   /region: it is too far
        ");
    }

    #[test]
    fn what_only_the_author_knows_is_told_beside_a_key_that_nobody_knows() {
        let (told, prepared) = judged(r#"{"region": "x", "quux": 1}"#);
        assert!(!prepared);
        insta::assert_snapshot!(told, @r"
        Error   /quux: there is no option `quux`
        Error   /region: it is too far
        ");
    }

    #[test]
    fn the_author_is_not_asked_where_a_key_may_have_been_meant_for_another() {
        for text in [
            r#"{"region": "x", "sise": 1}"#,
            r#"{"region": "x", "Size": 1}"#,
            r#"{"region": "x", "size": ""}"#,
        ] {
            let (told, prepared) = judged(text);
            assert!(!prepared && !told.contains("too far"), "{told}");
        }
    }

    #[test]
    fn many_warnings_are_cut_and_stay_warnings() {
        let many = |_: &Cloud, _: &Context| vec![Diagnostic::warning("odd"); 150];
        let text = r#"{"region": "x"}"#;
        let prepared = Reader::<Cloud>::new().prepare(text, &Context::default(), many, |_, _| Ok(()));
        assert!(prepared.object.is_some() && prepared.diagnostics.len() == 101);
        let wrong = |_, _: &Context| Err::<(), _>(vec![Diagnostic::error("wrong")]);
        let prepared = Reader::<Cloud>::new().prepare(text, &Context::default(), many, wrong);
        assert!(prepared.diagnostics[0].is_error());
    }

    #[test]
    fn a_configuration_that_fits_is_read_without_a_word() {
        assert_eq!(problems(r#"{"region": "x", "disks": [{"gigabytes": 1}], "mode": "fast"}"#), "");
    }

    #[test]
    fn all_problems_are_found_together_each_with_its_place() {
        insta::assert_snapshot!(
            problems(r#"{"size": 300, "disks": [{"gigabytes": "1"}, {"gigabyte": 1}], "mode": "fats", "a/b~c": 1, "regoin": "x"}"#),
            @r#"
        Error   /size: value is greater than the maximum of 255
        Error   /disks/0/gigabytes: must be an integer, not a string
        Error   /disks/1/gigabyte: there is no option `gigabyte`; did you mean `gigabytes`?
        Error   /disks/1/gigabytes: `gigabytes` is missing
        Error   /mode: must be one of "fast", "slow"
        Error   /a~1b~0c: there is no option `a/b~c`
        Error   /regoin: there is no option `regoin`; did you mean `region`?
        Error   /region: `region` is missing
        "#
        );
    }

    #[test]
    fn a_key_in_another_case_is_refused() {
        insta::assert_snapshot!(problems(r#"{"region": "x", "Region": "y"}"#), @"Error   /Region: there is no option `Region`; it is written `region`");
    }

    #[test]
    fn a_deprecated_key_is_a_warning() {
        insta::assert_snapshot!(problems(r#"{"region": "x", "zone": "y"}"#), @"Warning /zone: `zone` is deprecated");
    }

    #[test]
    fn what_is_no_json_object_is_a_diagnostic() {
        let texts = [
            "",
            "nonsense",
            "[]",
            "null",
            "{\"region\": NaN}",
            "{} {}",
            "\u{feff}{}",
            r#"{"region": "\ud800"}"#,
        ];
        let told: Vec<_> = texts.iter().map(|text| format!("{text:?}\n{}", problems(text))).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        ""
        Error   : the configuration is not JSON: EOF while parsing a value at line 1 column 0
        "nonsense"
        Error   : the configuration is not JSON: expected ident at line 1 column 2
        "[]"
        Error   : the configuration is not a JSON object
        "null"
        Error   : the configuration is not a JSON object
        "{\"region\": NaN}"
        Error   : the configuration is not JSON: expected value at line 1 column 12
        "{} {}"
        Error   : the configuration is not JSON: trailing characters at line 1 column 4
        "\u{feff}{}"
        Error   : the configuration is not JSON: expected value at line 1 column 1
        "{\"region\": \"\\ud800\"}"
        Error   : the configuration is not JSON: unexpected end of hex escape at line 1 column 19
        "#);
    }

    #[test]
    fn a_duplicate_key_is_refused_wherever_it_stands() {
        insta::assert_snapshot!(problems(r#"{"region": "x", "region": "x", "disks": [{"gigabytes": 1, "gigabytes": 2}]}"#), @r#"
        Error   /region: the same key stands twice in one object
        Error   /disks/0/gigabytes: the same key stands twice in one object
        "#);
    }

    #[test]
    fn a_value_is_not_told_since_it_may_be_a_secret() {
        assert!(
            !problems(r#"{"region": ["hunter2"], "mode": "hunter2", "size": "hunter2"}"#).contains("hunter2")
        );
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let disks = vec![r#"{"gigabytes": ""}"#; 5000].join(",");
        let text = format!(r#"{{"region": "x", "disks": [{disks}]}}"#);
        let prepared =
            Reader::<Cloud>::new().prepare(&text, &Context::default(), |_, _| vec![], |_, _| Ok(()));
        assert_eq!(prepared.diagnostics.len(), 101);
        assert_eq!(prepared.diagnostics[100].summary, "and 4900 problems more");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            drop(Reader::<Cloud>::new().read(&text));
        }

        #[test]
        fn no_object_makes_it_panic(text in r#"\{("(region|size|disks|mode|zone)":([0-9]{1,20}|"[a-z]{0,3}"|null|\[\]|\{\}|1e999|-0.0),?){0,4}\}"#) {
            drop(Reader::<Cloud>::new().read(&text));
        }
    }
}
