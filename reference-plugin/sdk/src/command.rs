//! Commands of the host's own command line, as their authors write them.
use packwire_wire::{
    Component, HostCommand, HostCommandRun as CommandRun, OfferedCapability, OfferedHostCommand,
};

use crate::{Stop, plugin::described};

/// The exit status of a command that was cancelled, as a shell has it after Ctrl-C.
const CANCELLED: i32 = 130;

/// A word that a user types after the host's own name.
pub trait Command: Send + Sync + 'static {
    /// One line for lists.
    const SUMMARY: &'static str;
    /// CommonMark for whoever wants to use it.
    const DOCUMENTATION: &'static str = "";

    /// Does what the arguments say, any number of times; answers the exit status.
    ///
    /// A failure is told to the user, and is exit status 1; cancelled is 130.
    fn run(&self, run: CommandRun) -> impl Future<Output = Result<u8, Stop>> + Send;
}

pub(crate) struct ServedCommand<C>(C);

impl<C: Command> ServedCommand<C> {
    pub(crate) fn offer(name: &str, command: C) -> Component<OfferedCapability> {
        let capability = OfferedCapability::Command(OfferedHostCommand::new(Self(command)));
        described(name, (C::SUMMARY, C::DOCUMENTATION), capability)
    }
}

impl<C: Command> HostCommand for ServedCommand<C> {
    async fn run(&self, run: CommandRun) -> i32 {
        let ui = run.ui.clone();
        match self.0.run(run).await {
            Ok(status) => i32::from(status),
            Err(Stop::Cancelled) => CANCELLED,
            Err(Stop::Failed(diagnostics)) => {
                for diagnostic in diagnostics {
                    let lines = [diagnostic.summary, diagnostic.detail].join("\n");
                    // Where this cannot be said either, the status alone has to say it.
                    drop(ui.error(lines.trim_end()).await);
                }
                1
            }
        }
    }
}
