//! A communicator that the plugin opened, used by the suite.

use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use packwire_schema::communicator_capnp::communicator;
use packwire_schema::stream_capnp::byte_stream;

use super::outcome::{read_exit, read_outcome};
use super::{Actor, Cast, Outcome, Running, Sink, Stage, pour};
use crate::check::{Checked, Stop};
use crate::components::text;
use crate::rig::Rig;
use crate::scenario::{Key, Shell};
use crate::talk::Object;

/// How long a command of the suite's may take.
const COMMAND: Duration = Duration::from_secs(30);

/// A communicator, with the object that keeps it.
pub(crate) struct Opened {
    pub(crate) client: communicator::Client,
    _object: Object,
}

/// A command that was run to its end.
pub(crate) struct Ran {
    pub(crate) exit: Outcome,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// What the end of its standard input answered, if it had one.
    pub(crate) stdin: Option<Outcome>,
}

/// A command in progress.
pub(crate) struct Command {
    pub(crate) running: Running,
    pub(crate) stdin: Option<byte_stream::Client>,
    pub(crate) stdout: Rc<Sink>,
    pub(crate) stderr: Rc<Sink>,
}

impl Opened {
    /// Opens a communicator whose commands the suite speaks.
    pub(crate) async fn open(rig: &Rig, cast: &Cast, actor: &Actor) -> Result<Option<Self>, Stop> {
        let Some(Shell::Posix) = actor.part.shell else {
            cast.needs(actor, Key::Shell);
            return Ok(None);
        };
        let stage = actor.stage(rig)?;
        let Some(object) = actor.prepare(rig, &cast.session, &stage, &actor.good()).await? else {
            return Ok(None);
        };
        let running = object.start(rig, &stage).map_err(|error| Stop::rig("a run cannot begin", error))?;
        match actor.ends(rig, &cast.session, &running).await?.outcome {
            Outcome::Communicator(Some(client)) => Ok(Some(Self { client, _object: object })),
            other => cast.session.plugin.lacks(
                format!("the {} opens a communicator, so that the rule can be tried", actor.title),
                other.told(),
            ),
        }
    }

    /// Asks for a command and runs it, with streams of this stage.
    pub(crate) async fn start(
        &self,
        rig: &Rig,
        stage: &Rc<Stage>,
        line: &str,
        with_stdin: bool,
    ) -> capnp::Result<Command> {
        let mut request = self.client.command_request();
        let mut command = request.get().init_command();
        command.set_line(line);
        command.set_stdin(with_stdin);
        self.run_command(rig, stage, request).await
    }

    /// The same on a terminal.
    pub(crate) async fn start_on_terminal(
        &self,
        rig: &Rig,
        stage: &Rc<Stage>,
        line: &str,
    ) -> capnp::Result<Command> {
        let mut request = self.client.command_request();
        let mut command = request.get().init_command();
        command.set_line(line);
        command.set_pty(true);
        self.run_command(rig, stage, request).await
    }

    async fn run_command(
        &self,
        rig: &Rig,
        stage: &Rc<Stage>,
        request: capnp::capability::Request<
            communicator::command_params::Owned,
            communicator::command_results::Owned,
        >,
    ) -> capnp::Result<Command> {
        let answer = request.send().promise.await?;
        let answer = answer.get()?;
        let stdin = answer.has_stdin().then(|| answer.get_stdin()).transpose()?;
        let (stdout, stderr) = (Rc::<Sink>::default(), Rc::<Sink>::default());
        let mut request = answer.get_process()?.run_request();
        request.get().set_stdout(stage.lend_stream(&stdout));
        request.get().set_stderr(stage.lend_stream(&stderr));
        request.get().set_cancellation(stage.lend_cancellation());
        let exit = request.send().promise;
        let answered = async move {
            let exit = read_exit(exit.await?.get()?.get_exit()?)?;
            Ok((exit, String::new(), String::new()))
        };
        Ok(Command { running: Running::of(rig, stage, answered.boxed_local()), stdin, stdout, stderr })
    }

    /// Keeps the communicator for as long as a stage, beyond the life of this value.
    pub(crate) fn keep_with(self, stage: &Stage) {
        stage.kept.borrow_mut().push(self);
    }

    /// Runs a command to its end; an error is why it came to none.
    pub(crate) async fn run(
        &self,
        rig: &Rig,
        actor: &Actor,
        line: &str,
        input: Option<&[u8]>,
    ) -> Result<Ran, Stop> {
        self.run_on(rig, &actor.stage(rig)?, line, input).await
    }

    /// The same with streams of a stage that was set for it.
    pub(crate) async fn run_on(
        &self,
        rig: &Rig,
        stage: &Rc<Stage>,
        line: &str,
        input: Option<&[u8]>,
    ) -> Result<Ran, Stop> {
        let threw = |error: capnp::Error| Outcome::Threw(error.extra);
        let command = match self.start(rig, stage, line, input.is_some()).await {
            Ok(command) => command,
            Err(error) => return Ok(Ran { exit: threw(error), stdout: vec![], stderr: vec![], stdin: None }),
        };
        let feed = async {
            match (&command.stdin, input) {
                (Some(stdin), Some(input)) => Some(pour(stdin, input).await.unwrap_or_else(threw)),
                _ => None,
            }
        };
        let fed = tokio::time::timeout(rig.stretch(COMMAND), feed);
        let (ended, fed) = tokio::join!(command.running.end(rig, COMMAND), fed);
        let never = || Outcome::Threw("no answer came".to_owned());
        let exit = ended.map_or_else(never, |ended| ended.outcome);
        let stdin = fed.unwrap_or_else(|_| Some(never()));
        let (stdout, stderr) =
            (command.stdout.bytes.take().into_kept(), command.stderr.bytes.take().into_kept());
        Ok(Ran { exit, stdout, stderr, stdin })
    }

    /// Does something in a new directory on the machine, which is removed whatever comes of it: the machine may be this
    /// one, whose temporary directory is looked at afterwards.
    pub(crate) async fn in_directory(
        &self,
        rig: &Rig,
        cast: &Cast,
        actor: &Actor,
        work: impl AsyncFnOnce(&str) -> Checked,
    ) -> Checked {
        let directory = self.directory(rig, cast, actor).await?;
        let worked = work(&directory).await;
        let removed = self.run(rig, actor, &format!("rm -rf {directory}"), None).await;
        worked.and(removed.map(drop))
    }

    async fn directory(&self, rig: &Rig, cast: &Cast, actor: &Actor) -> Result<String, Stop> {
        let ran = self.run(rig, actor, "mktemp -d", None).await?;
        let path = String::from_utf8_lossy(&ran.stdout).trim_end().to_owned();
        if matches!(ran.exit, Outcome::Status(0)) && path.starts_with('/') {
            return Ok(path);
        }
        let expected =
            format!("`mktemp -d` makes a directory by the {}, so that the rule can be tried", actor.title);
        cast.session.plugin.lacks(expected, format!("{} and {path:?}", ran.exit.told()))
    }

    /// Whether it says that it can do something beyond commands and files.
    pub(crate) async fn has(&self, feature: &str) -> bool {
        let Ok(answer) = self.client.info_request().send().promise.await else { return false };
        let features = answer.get().and_then(|answer| answer.get_info()?.get_features());
        features.is_ok_and(|features| features.iter().any(|one| text(one).is_ok_and(|one| one == feature)))
    }

    /// Begins an upload.
    pub(crate) async fn upload(&self, path: &str, size: i64) -> capnp::Result<byte_stream::Client> {
        self.upload_with_mode(path, size, -1).await
    }

    /// Begins an upload of a file whose mode is known; -1 is none.
    pub(crate) async fn upload_with_mode(
        &self,
        path: &str,
        size: i64,
        mode: i32,
    ) -> capnp::Result<byte_stream::Client> {
        let mut request = self.client.upload_request();
        request.get().set_path(path);
        let mut file = request.get().init_file();
        file.set_size(size);
        file.set_mode(mode);
        request.send().promise.await?.get()?.get_content()
    }

    /// Downloads a file.
    pub(crate) async fn download(&self, stage: &Rc<Stage>, path: &str) -> capnp::Result<(Outcome, Vec<u8>)> {
        let sink = Rc::<Sink>::default();
        let outcome = self.download_into(stage, path, &sink).await?;
        Ok((outcome, sink.bytes.take().into_kept()))
    }

    /// The same into a stream that can be looked at afterwards.
    pub(crate) async fn download_into(
        &self,
        stage: &Rc<Stage>,
        path: &str,
        sink: &Rc<Sink>,
    ) -> capnp::Result<Outcome> {
        let mut request = self.client.download_request();
        request.get().set_path(path);
        request.get().set_content(stage.lend_stream(sink));
        request.get().set_cancellation(stage.lend_cancellation());
        read_outcome(request.send().promise.await?.get()?.get_outcome()?)
    }

    /// Begins to send a directory.
    pub(crate) async fn upload_tree(&self, path: &str) -> capnp::Result<byte_stream::Client> {
        let mut request = self.client.upload_tree_request();
        request.get().set_path(path);
        request.send().promise.await?.get()?.get_archive()
    }

    /// Downloads a directory as an archive.
    pub(crate) async fn download_tree(
        &self,
        stage: &Rc<Stage>,
        path: &str,
    ) -> capnp::Result<(Outcome, Vec<u8>)> {
        let sink = Rc::<Sink>::default();
        let outcome = self.download_tree_into(stage, path, &sink).await?;
        Ok((outcome, sink.bytes.take().into_kept()))
    }

    /// The same into a stream that can be looked at afterwards.
    pub(crate) async fn download_tree_into(
        &self,
        stage: &Rc<Stage>,
        path: &str,
        sink: &Rc<Sink>,
    ) -> capnp::Result<Outcome> {
        let mut request = self.client.download_tree_request();
        request.get().set_path(path);
        request.get().set_archive(stage.lend_stream(sink));
        request.get().set_cancellation(stage.lend_cancellation());
        read_outcome(request.send().promise.await?.get()?.get_outcome()?)
    }
}
