//! The machine: a communicator that does as the scenario says.

use std::rc::Rc;

use packwire_schema::communicator_capnp::{communicator, exit, remote_process, tunnel};
use packwire_schema::stream_capnp::byte_stream;
use packwire_schema::work_capnp::{diagnostic::Severity, outcome};

use super::received::Received;
use super::stream::{Sink, end, write};
use super::{Outcome, Stage, open};
use crate::components::text;
use crate::scenario::Answered;
use crate::talk::foreign;

/// What fits on the disk of the machine.
const DISK: usize = 16 << 20;
const FILES: usize = 4096;

/// How commands end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As the scenario says.
    #[default]
    Script,
    Status(i32),
    /// With this status, but for those that remove files, which end as the scenario says.
    UnlessRemoving(i32),
    /// The connection is lost after half of the output.
    Lost,
    /// With a member that nobody knows.
    Foreign,
}

struct Machine {
    stage: Rc<Stage>,
    lane: usize,
}

impl Stage {
    pub(super) fn lend_machine(self: &Rc<Self>) -> communicator::Client {
        capnp_rpc::new_client(Machine { stage: self.clone(), lane: self.lane() })
    }

    /// How many calls the machine has had.
    pub(crate) fn machine_steps(&self) -> usize {
        self.steps.get()
    }

    /// One more call of the machine; it may be the one that throws.
    fn step(&self) -> capnp::Result<()> {
        let step = self.steps.replace(self.steps.get() + 1);
        match self.breaks_at.get() {
            Some(at) if step >= at => Err(capnp::Error::failed("the suite's machine is broken".to_owned())),
            _ => Ok(()),
        }
    }

    /// Puts a file on the machine; the answer is a problem.
    fn put(&self, path: String, content: &Received) -> Option<String> {
        let mut files = self.files.borrow_mut();
        let taken: usize = files.values().map(Vec::len).sum();
        let bytes = content.whole().filter(|bytes| taken + bytes.len() <= DISK && files.len() < FILES);
        let Some(bytes) = bytes else {
            return Some(format!(
                "the disk of the suite's machine, of {} MiB and {FILES} files, is full",
                DISK >> 20
            ));
        };
        files.insert(path, bytes.to_vec());
        None
    }

    /// What the scenario says of a command.
    fn answer_to(&self, line: &str) -> Option<&Answered> {
        self.part.machine.iter().find(|answer| line.contains(&answer.command))
    }

    /// The files that were not there when the run began.
    pub(crate) fn new_files(&self) -> Vec<String> {
        let files = self.files.borrow();
        files.keys().filter(|path| !self.part.files.contains_key(*path)).cloned().collect()
    }
}

impl Machine {
    async fn called(&self, name: &'static str, text: String) -> capnp::Result<()> {
        self.stage.act(self.lane, name, text, &open()).await?;
        self.stage.step()
    }
}

pub(super) fn fail(outcome: outcome::Builder<'_>, summary: &str) {
    let mut diagnostic = outcome.init_failed(1).get(0);
    diagnostic.set_severity(Severity::Error);
    diagnostic.set_summary(summary);
}

impl communicator::Server for Machine {
    async fn info(
        self: Rc<Self>,
        _: communicator::InfoParams,
        mut results: communicator::InfoResults,
    ) -> capnp::Result<()> {
        self.called("Communicator.info", String::new()).await?;
        let mut info = results.get().init_info();
        info.set_type("conformance");
        info.set_system("linux");
        info.set_host("192.0.2.1");
        info.set_port(22);
        info.set_user("root");
        info.init_features(1).set(0, "dial");
        Ok(())
    }

    async fn command(
        self: Rc<Self>,
        params: communicator::CommandParams,
        mut results: communicator::CommandResults,
    ) -> capnp::Result<()> {
        let command = params.get()?.get_command()?;
        let line = text(command.get_line())?;
        self.called("Communicator.command", line.clone()).await?;
        let stage = self.stage.clone();
        if command.get_stdin() {
            results.get().set_stdin(stage.lend_stream(&Rc::default()));
        }
        let lane = stage.lane();
        results.get().set_process(capnp_rpc::new_client(Process { stage, lane, line }));
        Ok(())
    }

    async fn upload(
        self: Rc<Self>,
        params: communicator::UploadParams,
        mut results: communicator::UploadResults,
    ) -> capnp::Result<()> {
        let params = params.get()?;
        let (path, size) = (text(params.get_path())?, params.get_file()?.get_size());
        self.called("Communicator.upload", path.clone()).await?;
        let stage = self.stage.clone();
        let sink = Sink::ending_in(move |came| {
            if size >= 0 && usize::try_from(size) != Ok(came.total()) {
                return Some(format!("{} bytes came, {size} were announced", came.total()));
            }
            stage.put(path, came)
        });
        results.get().set_content(self.stage.lend_stream(&sink));
        Ok(())
    }

    async fn download(
        self: Rc<Self>,
        params: communicator::DownloadParams,
        mut results: communicator::DownloadResults,
    ) -> capnp::Result<()> {
        let params = params.get()?;
        let path = text(params.get_path())?;
        self.called("Communicator.download", path.clone()).await?;
        let content = params.get_content()?;
        let bytes = self.stage.files.borrow().get(&path).cloned();
        let mut answer = results.get();
        let Some(bytes) = bytes else {
            content.abort_request().send().promise.await?;
            fail(answer.init_outcome(), &format!("there is no file {path} on the suite's machine"));
            return Ok(());
        };
        answer.reborrow().init_file().set_size(i64::try_from(bytes.len()).unwrap_or(-1));
        match super::pour(&content, &bytes).await? {
            Outcome::Done if self.stage.foreign_transfers.get() => {
                answer.set_outcome(foreign::<outcome::Owned>()?.get_root()?)?;
            }
            Outcome::Done => answer.init_outcome().set_done(()),
            other => fail(answer.init_outcome(), &format!("the content ended with {}", other.told())),
        }
        Ok(())
    }

    async fn upload_tree(
        self: Rc<Self>,
        params: communicator::UploadTreeParams,
        mut results: communicator::UploadTreeResults,
    ) -> capnp::Result<()> {
        let path = text(params.get()?.get_path())?;
        self.called("Communicator.uploadTree", path.clone()).await?;
        let stage = self.stage.clone();
        let sink = Sink::ending_in(move |came| stage.put(path, came));
        results.get().set_archive(self.stage.lend_stream(&sink));
        Ok(())
    }

    async fn download_tree(
        self: Rc<Self>,
        params: communicator::DownloadTreeParams,
        mut results: communicator::DownloadTreeResults,
    ) -> capnp::Result<()> {
        let params = params.get()?;
        self.called("Communicator.downloadTree", text(params.get_path())?).await?;
        // An archive without an entry is two blocks of zeros.
        match super::pour(&params.get_archive()?, &[0; 1024]).await? {
            Outcome::Done if self.stage.foreign_transfers.get() => {
                results.get().set_outcome(foreign::<outcome::Owned>()?.get_root()?)?;
            }
            Outcome::Done => results.get().init_outcome().set_done(()),
            other => fail(results.get().init_outcome(), &format!("the archive ended with {}", other.told())),
        }
        Ok(())
    }

    async fn dial(
        self: Rc<Self>,
        params: communicator::DialParams,
        mut results: communicator::DialResults,
    ) -> capnp::Result<()> {
        self.called("Communicator.dial", text(params.get()?.get_host())?).await?;
        let (stage, lane) = (self.stage.clone(), self.stage.lane());
        results.get().set_tunnel(capnp_rpc::new_client(Tunnel { stage, lane }));
        results.get().set_outgoing(self.stage.lend_stream(&Rc::default()));
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _: communicator::CloseParams,
        _: communicator::CloseResults,
    ) -> capnp::Result<()> {
        self.stage.act(self.lane, "Communicator.close", String::new(), &open()).await
    }
}

/// A connection from the machine to somebody who says nothing and hangs up.
struct Tunnel {
    stage: Rc<Stage>,
    lane: usize,
}

impl tunnel::Server for Tunnel {
    async fn run(
        self: Rc<Self>,
        params: tunnel::RunParams,
        mut results: tunnel::RunResults,
    ) -> capnp::Result<()> {
        self.stage.act(self.lane, "Tunnel.run", String::new(), &open()).await?;
        self.stage.step()?;
        end(&params.get()?.get_incoming()?).await?;
        if self.stage.foreign_tunnels.get() {
            return results.get().set_outcome(foreign::<outcome::Owned>()?.get_root()?);
        }
        results.get().init_outcome().set_done(());
        Ok(())
    }

    async fn close(self: Rc<Self>, _: tunnel::CloseParams, _: tunnel::CloseResults) -> capnp::Result<()> {
        self.stage.act(self.lane, "Tunnel.close", String::new(), &open()).await
    }
}

/// One command.
struct Process {
    stage: Rc<Stage>,
    lane: usize,
    line: String,
}

impl remote_process::Server for Process {
    async fn run(
        self: Rc<Self>,
        params: remote_process::RunParams,
        mut results: remote_process::RunResults,
    ) -> capnp::Result<()> {
        let Self { stage, lane, line } = &*self;
        let number = stage.diary.begin(*lane, "RemoteProcess.run", line.clone(), 0);
        stage.step()?;
        let params = params.get()?;
        let (stdout, stderr) = (params.get_stdout()?, params.get_stderr()?);
        let cancellation = params.get_cancellation()?;
        let stopped = async {
            if cancellation.wait_request().send().promise.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        // Held, only the cancellation that was passed ends the command.
        tokio::select! {
            biased;
            passed = stage.commands.pass() => {
                passed?;
                let answer = stage.answer_to(line);
                stage.print(answer, &stdout, &stderr).await?;
                if answer.is_some_and(|answer| answer.removes) {
                    stage.files.borrow_mut().retain(|path, _| !names(line, path));
                }
                stage.end_as(answer, results.get())?;
            }
            () = stopped => {
                end(&stdout).await?;
                end(&stderr).await?;
                results.get().init_exit().set_cancelled(());
            }
        }
        stage.diary.end(number);
        Ok(())
    }

    async fn close(
        self: Rc<Self>,
        _: remote_process::CloseParams,
        _: remote_process::CloseResults,
    ) -> capnp::Result<()> {
        self.stage.act(self.lane, "RemoteProcess.close", String::new(), &open()).await
    }
}

impl Stage {
    /// Writes what a command prints.
    async fn print(
        &self,
        answer: Option<&Answered>,
        stdout: &byte_stream::Client,
        stderr: &byte_stream::Client,
    ) -> capnp::Result<()> {
        let printed = |text: fn(&Answered) -> &String| {
            let text = answer.map(|answer| self.filled_text(text(answer)).repeat(answer.repeat.unwrap_or(1)));
            text.unwrap_or_default().into_bytes()
        };
        let (out, err) = (printed(|answer| &answer.stdout), printed(|answer| &answer.stderr));
        let out = if self.ending.get() == Ending::Lost { &out[..out.len() / 2] } else { &out };
        for (stream, bytes) in [(stdout, out), (stderr, &err[..])] {
            for chunk in bytes.chunks(16 << 10) {
                write(stream, chunk).await?;
            }
            end(stream).await?;
        }
        Ok(())
    }

    fn end_as(
        &self,
        answer: Option<&Answered>,
        mut results: remote_process::run_results::Builder<'_>,
    ) -> capnp::Result<()> {
        let removes = answer.is_some_and(|answer| answer.removes);
        let status = match self.ending.get() {
            Ending::UnlessRemoving(status) if !removes => status,
            Ending::Script | Ending::UnlessRemoving(_) => answer.map_or(0, |answer| answer.status),
            Ending::Status(status) => status,
            Ending::Lost => {
                results.init_exit().set_lost("the suite lost the connection to its machine");
                return Ok(());
            }
            Ending::Foreign => return results.set_exit(foreign::<exit::Owned>()?.get_root()?),
        };
        results.init_exit().set_status(status);
        Ok(())
    }
}

/// Whether a line names a path, or a directory that it is below.
fn names(line: &str, path: &str) -> bool {
    let of_a_path = |one: &char| one.is_alphanumeric() || "/._-+~@%".contains(*one);
    let mut above = std::path::Path::new(path).ancestors().filter_map(|one| one.to_str());
    above.any(|one| {
        one.len() > 1
            && line.match_indices(one).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + one.len()..].trim_start_matches('/').chars().next();
                !before.is_some_and(|one| of_a_path(&one)) && !after.is_some_and(|one| of_a_path(&one))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_files_and_directories_above_them() {
        for line in ["rm -f '/tmp/a/b.sh'", "rm -rf /tmp/a/", "unlink /x; rm -r \"/tmp/a\""] {
            assert!(names(line, "/tmp/a/b.sh"), "{line}");
        }
        for line in ["rm -f /tmp/a/b.sh.old", "rm -rf /other/tmp/a", "rm -f /tmp/c", "rm -rf /"] {
            assert!(!names(line, "/tmp/a/b.sh"), "{line}");
        }
    }
}
