//! A command that shows what it was given.

use packwire_plugin::{Command, CommandRun, Kind, Stop};

use crate::lent;

/// The command.
pub(crate) struct Stage;

impl Command for Stage {
    const SUMMARY: &'static str = "Shows what it was given";

    async fn run(&self, run: CommandRun) -> Result<u8, Stop> {
        match run.arguments.first().map(String::as_str) {
            Some("exit") => Ok(run.arguments.get(1).and_then(|status| status.parse().ok()).unwrap_or(1)),
            Some("fail") => Err(Stop::failed("it failed")),
            Some("wait") => {
                run.ui.say("waiting").await?;
                run.ui.flush().await?;
                run.cancellation.cancelled().await;
                Err(Stop::Cancelled)
            }
            Some("wait-in-a-directory") => {
                let directory = run.environment.temp_dir().await??;
                drop(std::fs::write(std::path::Path::new(&directory.given).join("file"), "file"));
                run.ui.say("in a directory").await?;
                run.ui.flush().await?;
                run.cancellation.cancelled().await;
                Err(Stop::Cancelled)
            }
            Some("lent") => lent::each(&run.ui, &run.environment).await.map(|()| 0),
            Some("hold") => lent::hold(&run).await,
            Some("take") => lent::take(&run).await,
            Some("components") => components(&run).await,
            Some("directory") => {
                let directory = run.environment.temp_dir().await??;
                run.ui
                    .say(format!("a directory: {}", std::path::Path::new(&directory.given).is_dir()))
                    .await?;
                Ok(0)
            }
            _ => {
                for argument in &run.arguments {
                    run.ui.say(format!("[{argument}]")).await?;
                }
                run.ui.error("to stderr").await?;
                Ok(0)
            }
        }
    }
}

/// All there are; and that what is asked for by its name can be called.
async fn components(run: &CommandRun) -> Result<u8, Stop> {
    for component in run.components.list().await? {
        run.ui.message(format!("{} {}", component.kind(), component.name)).await?;
    }
    let missing = run.components.find(Kind::Builder, "nobody").await?;
    run.ui.say(format!("builder nobody: {}", missing.is_some())).await?;
    let found = run.components.find(Kind::Builder, "stage").await?;
    let prepared = match found.map(|component| component.capability) {
        Some(packwire_plugin::RemoteCapability::Builder(builder)) => {
            builder.prepare("{}".to_owned(), packwire_plugin::Context::default()).await?
        }
        _ => return Err(Stop::failed("there is no builder `stage`")),
    };
    run.ui.say(format!("builder stage prepares: {}", prepared.object.is_some())).await?;
    Ok(0)
}
