//! The services of a host.

use std::rc::Rc;

use packwire_schema::environment_capnp::{environment, lease, ledger_entry};
use packwire_schema::work_capnp::{diagnostic, outcome};

use super::{Stage, open};
use crate::components::text;
use crate::talk::foreign_severity;

/// A file that stands where a private key would.
const NO_KEY: &str = "the suite makes no keys\n";

/// What a host gives that is asked for a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Services {
    #[default]
    Given,
    Refused,
    /// All but that of which the reason speaks.
    Without(&'static str),
    /// Nothing, and the reason has a severity that nobody knows.
    ForeignSeverity,
}

struct Environment {
    stage: Rc<Stage>,
    lane: usize,
}

impl Stage {
    pub(super) fn lend_environment(self: &Rc<Self>) -> environment::Client {
        capnp_rpc::new_client(Environment { stage: self.clone(), lane: self.lane() })
    }

    /// An entry of the ledger with this text.
    pub(super) fn lend_entry(self: &Rc<Self>, text: String) -> ledger_entry::Client {
        capnp_rpc::new_client(self.give("LedgerEntry.made", text))
    }

    fn give(self: &Rc<Self>, name: &'static str, text: String) -> Given {
        let lane = self.lane();
        self.diary.end(self.diary.begin(lane, name, text, 0));
        Given { stage: self.clone(), lane }
    }
}

impl Environment {
    async fn called(&self, name: &'static str, text: String) -> capnp::Result<()> {
        self.stage.act(self.lane, name, text, &open()).await
    }

    fn lease(&self, what: &str) -> lease::Client {
        capnp_rpc::new_client(self.stage.give("Lease.made", what.to_owned()))
    }

    /// A new directory below that of the run.
    fn directory(&self, name: &str) -> capnp::Result<String> {
        let path = self.stage.directory.join(format!("{name}-{}", self.stage.lane()));
        std::fs::create_dir_all(&path)?;
        Ok(path.display().to_string())
    }
}

/// What the host says where it gives no such thing.
pub(crate) fn refusal(what: &str) -> String {
    format!("the suite lends no {what}")
}

fn refuse(mut list: capnp::struct_list::Builder<'_, diagnostic::Owned>, what: &str) {
    let mut one = list.reborrow().get(0);
    one.set_severity(diagnostic::Severity::Error);
    one.set_summary(refusal(what));
}

/// Answers the call where the host gives nothing.
macro_rules! unless_refused {
    ($self:ident, $results:ident, $what:literal) => {
        match $self.stage.services.get() {
            Services::Given => {}
            Services::Without(what) if what != $what => {}
            Services::Refused | Services::Without(_) => {
                refuse($results.get().init_diagnostics(1), $what);
                return Ok(());
            }
            Services::ForeignSeverity => {
                let told = foreign_severity()?;
                let outcome::Failed(told) = told.get_root::<outcome::Reader<'_>>()?.which()? else {
                    return Ok(());
                };
                return $results.get().set_diagnostics(told?);
            }
        }
    };
}

impl environment::Server for Environment {
    async fn communicator(
        self: Rc<Self>,
        params: environment::CommunicatorParams,
        mut results: environment::CommunicatorResults,
    ) -> capnp::Result<()> {
        let params = params.get()?;
        self.called("Environment.communicator", text(params.get_type())?).await?;
        unless_refused!(self, results, "communicator");
        let diary = &self.stage.diary;
        diary.end(diary.begin(self.lane, "Communicator.config", text(params.get_config())?, 0));
        results.get().set_communicator(self.stage.lend_machine());
        Ok(())
    }

    async fn cache(
        self: Rc<Self>,
        params: environment::CacheParams,
        mut results: environment::CacheResults,
    ) -> capnp::Result<()> {
        self.called("Environment.cache", text(params.get()?.get_key())?).await?;
        unless_refused!(self, results, "cache");
        let directory = self.directory("cache")?;
        results.get().set_path(format!("{directory}/entry"));
        results.get().set_lease(self.lease("cache"));
        Ok(())
    }

    async fn remember(
        self: Rc<Self>,
        params: environment::RememberParams,
        mut results: environment::RememberResults,
    ) -> capnp::Result<()> {
        let entry = text(params.get()?.get_entry())?;
        let Self { stage, lane } = &*self;
        stage.act(*lane, "Environment.remember", entry.clone(), &stage.remembering).await?;
        unless_refused!(self, results, "ledger");
        results.get().set_entry(self.stage.lend_entry(entry));
        Ok(())
    }

    async fn temp_dir(
        self: Rc<Self>,
        _: environment::TempDirParams,
        mut results: environment::TempDirResults,
    ) -> capnp::Result<()> {
        self.called("Environment.tempDir", String::new()).await?;
        unless_refused!(self, results, "directory");
        results.get().set_path(self.directory("temp")?);
        results.get().set_lease(self.lease("tempDir"));
        Ok(())
    }

    async fn port(
        self: Rc<Self>,
        params: environment::PortParams,
        mut results: environment::PortResults,
    ) -> capnp::Result<()> {
        self.called("Environment.port", String::new()).await?;
        unless_refused!(self, results, "port");
        let params = params.get()?;
        let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
        match (params.get_min()..=params.get_max()).find(free) {
            Some(port) => {
                results.get().set_port(port);
                results.get().set_lease(self.lease("port"));
            }
            None => refuse(results.get().init_diagnostics(1), "such port"),
        }
        Ok(())
    }

    async fn serve(
        self: Rc<Self>,
        params: environment::ServeParams,
        mut results: environment::ServeResults,
    ) -> capnp::Result<()> {
        self.called("Environment.serve", text(params.get()?.get_directory())?).await?;
        unless_refused!(self, results, "server");
        refuse(results.get().init_diagnostics(1), "server");
        Ok(())
    }

    async fn key_pair(
        self: Rc<Self>,
        params: environment::KeyPairParams,
        mut results: environment::KeyPairResults,
    ) -> capnp::Result<()> {
        self.called("Environment.keyPair", text(params.get()?.get_type())?).await?;
        unless_refused!(self, results, "keys");
        let path = format!("{}/key", self.directory("key")?);
        std::fs::write(&path, NO_KEY)?;
        results.get().set_public_key("ssh-ed25519 AAAA conformance");
        results.get().set_private_key_path(&path);
        results.get().set_lease(self.lease("keyPair"));
        Ok(())
    }
}

/// A lease, or an entry of the ledger.
struct Given {
    stage: Rc<Stage>,
    lane: usize,
}

impl lease::Server for Given {
    async fn close(self: Rc<Self>, _: lease::CloseParams, _: lease::CloseResults) -> capnp::Result<()> {
        self.stage.act(self.lane, "Lease.close", String::new(), &open()).await
    }
}

impl ledger_entry::Server for Given {
    async fn update(
        self: Rc<Self>,
        params: ledger_entry::UpdateParams,
        _: ledger_entry::UpdateResults,
    ) -> capnp::Result<()> {
        self.stage.act(self.lane, "LedgerEntry.update", text(params.get()?.get_entry())?, &open()).await
    }

    async fn settle(
        self: Rc<Self>,
        _: ledger_entry::SettleParams,
        _: ledger_entry::SettleResults,
    ) -> capnp::Result<()> {
        self.stage.act(self.lane, "LedgerEntry.settle", String::new(), &open()).await
    }
}
