//! What a host's environment gives, and takes back; the book of what outlives a crash, and recovery from it.
use std::sync::{Arc, Mutex};

use packwire_wire::{
    BuildRun, Context, Diagnostic, Environment, Hook, HookRun, KeyPair, Lease, Leased, LedgerEntry,
    OfferedCapability, OfferedCommunicator, OfferedEnvironment, OfferedHook, OfferedLease,
    OfferedLedgerEntry, OfferedRecovery, OfferedUi, Outcome, Recovery, RecoveryLent, RecoveryRun,
};

use crate::support::{Lent, failed, failure, pair, pair_offering};

/// A host whose services write down what is asked of them.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<String>>>);

impl Book {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn leased<T>(&self, given: T, what: String) -> Result<Leased<T>, Vec<Diagnostic>> {
        self.note(&what);
        let lease = OfferedLease::new(Line { book: self.clone(), what });
        Ok(Leased { given, lease })
    }

    fn entry(&self, what: &str) -> OfferedLedgerEntry {
        OfferedLedgerEntry::new(Line { book: self.clone(), what: what.to_owned() })
    }
}

struct Line {
    book: Book,
    what: String,
}

impl Lease for Line {
    async fn close(&self) {
        self.book.note(format!("{} is back", self.what));
    }
}

impl LedgerEntry for Line {
    async fn update(&self, text: String) -> Result<(), Vec<Diagnostic>> {
        self.book.note(format!("{} is {text}", self.what));
        if text == "full" { Err(vec![Diagnostic::error("no space is left")]) } else { Ok(()) }
    }

    async fn settle(&self) -> Result<(), String> {
        self.book.note(format!("{} is settled", self.what));
        if self.what == "stuck" { Err("the disk is gone".to_owned()) } else { Ok(()) }
    }
}

impl Environment for Book {
    async fn communicator(&self, _: String, _: String) -> Result<OfferedCommunicator, Vec<Diagnostic>> {
        Err(Vec::new())
    }

    async fn cache(&self, key: String, shared: bool) -> Result<Leased<String>, Vec<Diagnostic>> {
        self.leased(format!("/cache/{key}"), format!("cache {key} {shared}"))
    }

    async fn temp_dir(&self) -> Result<Leased<String>, Vec<Diagnostic>> {
        self.leased("/tmp/1".to_owned(), "directory".to_owned())
    }

    async fn port(&self, min: u16, max: u16) -> Result<Leased<u16>, Vec<Diagnostic>> {
        if min > max {
            return Err(vec![Diagnostic::error("no port is between")]);
        }
        self.leased(min, format!("port {min}-{max}"))
    }

    async fn serve(&self, directory: String, bind: String) -> Result<Leased<u16>, Vec<Diagnostic>> {
        self.leased(8080, format!("serve {directory} on {bind}"))
    }

    async fn key_pair(&self, kind: String) -> Result<Leased<KeyPair>, Vec<Diagnostic>> {
        let pair = KeyPair { public_key: format!("ssh-{kind} x"), private_key_path: "/key".to_owned() };
        self.leased(pair, format!("key {kind}"))
    }

    async fn remember(&self, entry: String) -> Result<OfferedLedgerEntry, Vec<Diagnostic>> {
        self.note(format!("remember {entry}"));
        Ok(self.entry(&entry))
    }
}

async fn uses_all(run: BuildRun) -> Result<String, packwire_wire::Broken> {
    let environment = run.environment;
    let cache = environment.cache("iso", true).await?.unwrap();
    let directory = environment.temp_dir().await?.unwrap();
    let port = environment.port(5, 9).await?.unwrap();
    let served = environment.serve("/www", "127.0.0.1").await?.unwrap();
    let key = environment.key_pair("ed25519").await?.unwrap();
    let none = environment.port(9, 5).await?.unwrap_err();
    let entry = environment.remember("disk").await?.unwrap();
    entry.update("disk-7").await?.unwrap();
    let full = entry.update("full").await?.unwrap_err();
    entry.settle().await?;
    cache.close().await?;
    Ok(format!(
        "{} {} {} {} {:?} {} {}",
        cache.given, directory.given, port.given, served.given, key.given, none[0].summary, full[0].summary
    ))
}

#[tokio::test]
async fn a_run_uses_every_service_of_its_host() {
    let pair = pair(|run| async move { failed(uses_all(run).await.unwrap()) }).await;
    let book = Book::default();
    let mut lent = Lent::default().plain();
    lent.environment = OfferedEnvironment::new(book.clone());
    let told = failure(pair.prepare().await.run(lent).await.unwrap());
    assert_eq!(
        told,
        r#"/cache/iso /tmp/1 5 8080 KeyPair { public_key: "ssh-ed25519 x", private_key_path: "/key" } no port is between no space is left"#
    );
    let noted = [
        "cache iso true",
        "directory",
        "port 5-9",
        "serve /www on 127.0.0.1",
        "key ed25519",
        "remember disk",
        "disk is disk-7",
        "disk is full",
        "disk is settled",
        "cache iso true is back",
    ];
    assert_eq!(*book.0.lock().unwrap(), noted);
}

#[tokio::test]
async fn a_host_without_a_service_says_so() {
    let pair = pair(|run| async move {
        let environment = run.environment;
        let entry = environment.remember("disk").await.unwrap().unwrap_err();
        let directory = environment.temp_dir().await.unwrap().unwrap_err();
        failed(format!("{}; {}", entry[0].summary, directory[0].summary))
    })
    .await;
    let told = failure(pair.prepare().await.run(Lent::default().plain()).await.unwrap());
    assert_eq!(told, "this host lends no ledger; this host lends no temporary directory");
}

struct Silent;

impl Hook for Silent {
    async fn run(&self, _: HookRun) -> Outcome {
        Outcome::Done
    }
}

/// Settles what it was given, the last one first.
struct Sweep;

impl Recovery for Sweep {
    async fn recover(&self, run: RecoveryRun) -> Outcome {
        let names: Vec<_> = run.entries.iter().map(|one| one.text.as_str()).collect();
        run.ui.say(format!("{} {} {names:?}", run.config, run.context.build_name)).await.unwrap();
        for one in run.entries.iter().rev() {
            if let Err(broken) = one.entry.settle().await {
                return Outcome::failed(broken.to_string());
            }
        }
        Outcome::Done
    }
}

#[tokio::test]
async fn recovery_gets_what_was_remembered_and_settles_it() {
    let hook = OfferedHook::new(Silent);
    let recovery = Some(OfferedRecovery::new(Sweep));
    let pair = pair_offering(OfferedCapability::Hook(hook), recovery).await;
    let recovery = pair.component().recovery.clone().unwrap();
    let (book, lent) = (Book::default(), Lent::default());
    let recover = |entries: &[&str]| {
        recovery.recover(RecoveryLent {
            config: "{}".to_owned(),
            context: Context { build_name: "one".to_owned(), ..Context::default() },
            entries: entries.iter().map(|text| ((*text).to_owned(), book.entry(text))).collect(),
            ui: OfferedUi::new(lent.clone()),
            environment: OfferedEnvironment::new(book.clone()),
            cancellation: lent.cancellation.clone(),
        })
    };
    assert_eq!(recover(&["disk", "net"]).await.unwrap(), Outcome::Done);
    assert_eq!(lent.lines(), [r#"{} one ["disk", "net"]"#]);
    assert_eq!(*book.0.lock().unwrap(), ["net is settled", "disk is settled"]);
    let Outcome::Failed(why) = recover(&["stuck"]).await.unwrap() else { panic!() };
    let told = "a bug: `LedgerEntry.settle` raised an exception: the disk is gone";
    assert_eq!(why[0].summary, told);
}
