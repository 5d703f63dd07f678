//! A communicator that a builder lends, used as provisioners use it.

use std::rc::Rc;

use packwire_schema::communicator_capnp::communicator;

use super::outcome::read_exit;
use super::{Outcome, Sink, Stage};

/// A line that does nothing, and means the same to every shell.
const NOTHING: &str = "exit 0";
/// What the diary calls a command that was run so, with the event and how it ended.
pub(crate) const RAN: &str = "Hook.command";

/// What the hook that is lent does with the communicator that it is given, beside asking what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Use {
    #[default]
    Nothing,
    /// It runs a command that does nothing.
    Runs,
    /// It runs one, closes the communicator as one borrower, and runs another one as the next borrower.
    RunsAndCloses,
}

impl Stage {
    /// Uses a machine in an event as it was asked for, and writes down how the commands ended.
    pub(super) async fn use_machine(
        self: &Rc<Self>,
        lane: usize,
        event: &str,
        machine: &communicator::Client,
    ) {
        let ran = async |when: &str| {
            let told = self.run_nothing(machine).await.told();
            self.diary.end(self.diary.begin(lane, RAN, format!("{event}{when}: {told}"), 0));
        };
        if self.machine_use.get() != Use::Nothing {
            ran("").await;
        }
        if self.machine_use.get() == Use::RunsAndCloses {
            // What it answers is not what this is about.
            let closed = machine.close_request().send().promise;
            drop(tokio::time::timeout(self.info_within, closed).await);
            ran(", closed").await;
        }
    }

    async fn run_nothing(self: &Rc<Self>, machine: &communicator::Client) -> Outcome {
        match tokio::time::timeout(self.info_within, self.exit_of_nothing(machine)).await {
            Ok(exit) => exit.unwrap_or_else(|error| Outcome::Threw(error.extra)),
            Err(_) => Outcome::Threw("no answer came".to_owned()),
        }
    }

    async fn exit_of_nothing(self: &Rc<Self>, machine: &communicator::Client) -> capnp::Result<Outcome> {
        let mut request = machine.command_request();
        request.get().init_command().set_line(NOTHING);
        let answer = request.send().promise.await?;
        let process = answer.get()?.get_process()?;
        let mut request = process.run_request();
        request.get().set_stdout(self.lend_stream(&Rc::<Sink>::default()));
        request.get().set_stderr(self.lend_stream(&Rc::<Sink>::default()));
        request.get().set_cancellation(self.lend_cancellation());
        let exit = read_exit(request.send().promise.await?.get()?.get_exit()?);
        process.close_request().send().promise.await?;
        exit
    }
}
