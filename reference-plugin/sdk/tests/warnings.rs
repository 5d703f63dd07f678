//! A component warns of what is odd, whatever its kind, and works all the same.

use packwire_plugin::{
    Build, BuildRun, Builder, Built, Connection, ConnectionRun, Connector, Context, DataSource, Diagnostic,
    FilesArtifact, InputFate, PostProcess, PostProcessRun, PostProcessed, PostProcessor, Provision,
    ProvisionRun, Provisioner, Query, QueryRun, Stop,
    testing::{Host, Machine},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// Two options, of which one makes the other meaningless.
#[derive(Deserialize, JsonSchema)]
struct Options {
    #[serde(default)]
    fast: bool,
    level: Option<u8>,
}

impl Options {
    fn needless(&self) -> Vec<Diagnostic> {
        let told = || Diagnostic::warning("`level` has no effect with `fast`").at("/level");
        if self.fast { self.level.iter().map(|_| told()).collect() } else { Vec::new() }
    }

    fn checked(self) -> Result<Self, Vec<Diagnostic>> {
        match self.level {
            Some(level @ 10..) => Err(vec![Diagnostic::error(format!("{level} is no level")).at("/level")]),
            _ => Ok(self),
        }
    }
}

/// A component of every kind that prepares.
struct Odd;

macro_rules! prepares {
    ($Kind:ident, $Work:ident) => {
        impl $Kind for Odd {
            type Config = Options;
            type $Work = Options;
            const SUMMARY: &'static str = "Has two options";

            fn prepare(&self, options: Options, _: &Context) -> Result<Options, Vec<Diagnostic>> {
                options.checked()
            }

            fn warnings(&self, options: &Options, _: &Context) -> Vec<Diagnostic> {
                options.needless()
            }
        }
    };
}

prepares!(Builder, Build);
prepares!(Provisioner, Provision);
prepares!(PostProcessor, PostProcess);
prepares!(DataSource, Query);
prepares!(Connector, Connection);

impl Build for Options {
    async fn run(self, _: BuildRun) -> Result<Built, Stop> {
        Ok(Built::nothing())
    }
}

impl Provision for Options {
    async fn run(self, _: ProvisionRun) -> Result<(), Stop> {
        Ok(())
    }
}

impl PostProcess for Options {
    async fn run(self, _: PostProcessRun) -> Result<PostProcessed, Stop> {
        Ok(PostProcessed::nothing(InputFate::Keep))
    }
}

impl Query for Options {
    type Output = bool;

    async fn run(self, _: QueryRun) -> Result<bool, Stop> {
        Ok(self.fast)
    }
}

impl Connection for Options {
    type Communicator = Machine;

    async fn open(self, _: ConnectionRun) -> Result<Machine, Stop> {
        Ok(Machine::new())
    }
}

const TOLD: &str = r#"warning: `level` has no effect with `fast` at "/level""#;

fn odd() -> Value {
    json!({"fast": true, "level": 3})
}

#[tokio::test]
async fn every_kind_warns_and_works() {
    let host = Host::new();
    host.build(Odd, odd()).await.unwrap();
    host.provision(Odd, odd(), &Machine::new()).await.unwrap();
    let disk = FilesArtifact::new("test.disk", "7", "A disk", Vec::new());
    host.post_process(Odd, odd(), disk).await.unwrap();
    host.query(Odd, odd()).await.unwrap();
    host.open(Odd, odd()).await.unwrap().leave().await;
    let warnings = host.told().into_iter().filter(|line| line.starts_with("warning: "));
    assert_eq!(warnings.collect::<Vec<_>>(), [TOLD; 5]);
}

#[tokio::test]
async fn a_warning_stands_beside_what_is_wrong() {
    let refused = Host::new().query(Odd, json!({"fast": true, "level": 11})).await.unwrap_err();
    let Stop::Failed(diagnostics) = refused else { panic!("{refused:?}") };
    let told: Vec<_> = diagnostics.iter().map(|one| (one.is_error(), one.summary.as_str())).collect();
    assert_eq!(told, [(false, "`level` has no effect with `fast`"), (true, "11 is no level")]);
}

#[tokio::test]
async fn nothing_is_said_of_what_is_in_order() {
    let host = Host::new();
    assert_eq!(host.query(Odd, json!({"level": 3})).await.unwrap(), json!(false));
    assert!(host.told().is_empty());
}
