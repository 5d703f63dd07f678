//! `packwire recover`: what dead hosts have left, run by run.

mod anew;
mod listed;
mod sockets;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use packwire_wire::{Context, OnError};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::{Desk, Failed, Planned};
use crate::catalog::PluginCommand;
use crate::cli::{Choice, Recover};
use crate::ledger::{self, Book, Claim, Entry, Kept, Ledger, Maker, ProcessId, RunRecord};
use crate::places::Places;
use crate::plugins::{Plugin, Plugins};
use crate::report::Report;
use crate::run::Run;
use crate::services::{Left, Recovering, Services, Stock, remove_directory, things};
use crate::template::{Config, Data, Learned};
use crate::ui::{BuildUi, Paint};

use anew::{Anew, Configured};

/// What is still cleaning up after the death of its host is waited for as long as this.
const CLEANING_UP: Duration = Duration::from_secs(10);

impl Desk {
    /// The host's own directories.
    pub(super) fn places(&self) -> Places {
        Places::of(&self.invocation.variables, &self.invocation.directory)
    }

    /// How the configurations of a run can be made anew.
    pub(super) fn record(&self, planned: &Planned, context: &Context, choice: &Choice) -> RunRecord {
        let below = |path: &PathBuf| self.invocation.directory.join(path);
        let nanoseconds = planned.run.started.unix_timestamp_nanos();
        RunRecord {
            run: context.run_id.clone(),
            began: i64::try_from(nanoseconds).unwrap_or_default(),
            host: ProcessId::ours(),
            directory: self.invocation.directory.clone(),
            template: below(&choice.template),
            variable_files: choice.variable_files.iter().map(below).collect(),
            variables: choice.variables.iter().map(|given| given.name.clone()).collect(),
        }
    }

    /// Ends the ledger of a run, and says what is left.
    pub(super) fn close_ledger(&self, stock: &Stock) {
        match stock.ledger().close() {
            Ok(left) if left.is_empty() => {}
            Ok(left) => {
                let left = things(left.len());
                let text = format!("{left} may be left of this run: `packwire recover` deals with that");
                self.err.print("warning: ", &text, Paint::Plain);
            }
            Err(error) => self.show(Report::new(&error).with_cause(&error.why)),
        }
    }

    /// Lists what is left, or deals with it.
    pub(super) fn recover(&self, recover: &Recover) -> Result<(), Failed> {
        let Some(place) = self.places().ledger else {
            return self.refuse("there is no ledger", "set XDG_STATE_HOME or HOME");
        };
        let books = self.claimed(&place, &recover.runs)?;
        if recover.list {
            books.iter().for_each(|book| self.say(listed::run(book).trim_end()));
            return Ok(());
        }
        let swept = sockets::sweep(&self.places().temporary);
        swept.iter().for_each(|directory| self.say(&format!("Removed {}", directory.display())));
        if books.is_empty() && swept.is_empty() {
            self.say("Nothing is left to recover.");
        }
        let recovered: Vec<_> = books.into_iter().map(|book| self.recover_run(book, recover)).collect();
        recovered.into_iter().collect()
    }

    /// The ledgers of dead hosts: those that are asked for, or all.
    fn claimed(&self, place: &std::path::Path, wanted: &[String]) -> Result<Vec<Book>, Failed> {
        let runs = self.told(ledger::runs(place))?;
        if let Some(unknown) = wanted.iter().find(|run| !runs.contains(run)) {
            return self.refuse(
                &format!("no run `{unknown}` has left anything"),
                "`packwire recover -list` says which runs have",
            );
        }
        let mut books = Vec::new();
        for run in runs.iter().filter(|run| wanted.is_empty() || wanted.contains(run)) {
            match self.told(ledger::claim(place, run))? {
                Claim::Ours(book) => books.push(*book),
                Claim::Taken if wanted.is_empty() => {
                    self.say(&format!("Run {run} goes on: it is left alone."))
                }
                Claim::Taken => {
                    return self.refuse(&format!("run {run} goes on"), "wait for its end, or end it");
                }
                Claim::Gone => {}
            }
        }
        Ok(books)
    }

    fn recover_run(&self, book: Book, recover: &Recover) -> Result<(), Failed> {
        self.say(&format!("Run {} of {}:", book.record().run, book.record().template.display()));
        for unreadable in book.unreadable() {
            self.show(Report::new(unreadable).with_cause(&unreadable.why));
        }
        let is_readable = book.unreadable().is_empty();
        let record = book.record().clone();
        let stock = Arc::new(Stock::new(self.places(), Ledger::of_book(book)));
        let dealt_with = self.deal_with(&record, &stock, recover);
        let left = self.told(stock.ledger().close())?;
        if !left.is_empty() {
            self.say(&format!("Left: {}.", things(left.len())));
        }
        dealt_with?;
        if left.is_empty() && is_readable { Ok(()) } else { Err(Failed) }
    }

    /// What components made first: the directories may hold what they need for that.
    fn deal_with(&self, record: &RunRecord, stock: &Arc<Stock>, recover: &Recover) -> Result<(), Failed> {
        let anew = match by_maker(stock.ledger()) {
            none if none.is_empty() => None,
            things => Some((self.anew(record, recover), things)),
        };
        let withheld = match &anew {
            Some((Ok(anew), _)) => anew.withheld.clone(),
            Some((Err(Failed), _)) | None => std::collections::BTreeSet::new(),
        };
        let cancelled = CancellationToken::new();
        self.host(self.environment(&withheld), &cancelled, async |plugins| {
            let mut all = Ok(());
            if let Some((anew, things)) = anew {
                match anew {
                    Ok(anew) => {
                        let run = Recovery {
                            desk: self,
                            anew,
                            record,
                            stock,
                            plugins,
                            cancelled: &cancelled,
                            data: OnceCell::new(),
                        };
                        all = run.things(things).await;
                    }
                    Err(failed) => all = Err(failed),
                }
            }
            all.and(self.directories(stock.ledger()).await)
        })
    }

    /// Removes the directories of components that have left nothing else.
    async fn directories(&self, ledger: &Ledger) -> Result<(), Failed> {
        let waiting = by_maker(ledger);
        let mut all = Ok(());
        for (kept, entry) in ledger.picked(|entry| matches!(entry, Entry::Directory { .. })) {
            let Entry::Directory { path, maker } = entry else { continue };
            if waiting.contains_key(&maker) {
                continue;
            }
            let removed = match ended(&maker).await {
                Ok(()) => remove_directory(&path, &kept).await,
                Err(why) => Err(why),
            };
            match removed {
                Ok(()) => self.say(&format!("Removed {}", path.display())),
                Err(why) => all = self.refuse(&why, "it stays in the ledger"),
            }
        }
        all
    }

    fn refuse<T>(&self, message: &str, hint: &str) -> Result<T, Failed> {
        self.show(Report::new(&message).with_hint(Some(hint.to_owned())));
        Err(Failed)
    }
}

/// The recovery of what the components of one run have left.
struct Recovery<'a> {
    desk: &'a Desk,
    anew: Anew,
    record: &'a RunRecord,
    stock: &'a Arc<Stock>,
    plugins: Arc<Plugins>,
    cancelled: &'a CancellationToken,
    /// What data sources yield, once something asks for it.
    data: OnceCell<Data>,
}

impl Recovery<'_> {
    async fn things(&self, things: BTreeMap<Maker, Left>) -> Result<(), Failed> {
        let mut all = Ok(());
        for (index, (maker, left)) in things.iter().enumerate() {
            let ui = BuildUi::new(self.desk.out.clone(), name(maker), index);
            if let Err(why) = self.of_one(maker, left, &ui).await {
                ui.error(&format!("what {} has left is not dealt with: {why}", maker.who()));
                all = Err(Failed);
            } else {
                ui.message("All of it is dealt with");
            }
        }
        all
    }

    async fn of_one(&self, maker: &Maker, left: &Left, ui: &BuildUi) -> Result<(), String> {
        if self.cancelled.is_cancelled() {
            return Err("it was cancelled".to_owned());
        }
        ended(maker).await?;
        let plugin = self.plugins.plugin(&self.command(maker)?);
        let config = self.config(maker, &plugin).await?;
        let context = self.context(maker);
        let services = Services::of_builder(
            self.anew.catalog.clone(),
            self.plugins.clone(),
            self.stock.clone(),
            ui.clone(),
            context.clone(),
            self.cancelled.clone(),
        );
        let cancelled = self.cancelled.clone();
        let recovering = Recovering { maker, plugin: &plugin, config, context, ui, services, cancelled };
        recovering.recover(left).await.map_err(|why| why.to_string())
    }

    /// The plugin that left it, where it still is; else the one that would be taken today.
    fn command(&self, maker: &Maker) -> Result<PluginCommand, String> {
        if maker.program.exists() {
            return Ok(maker.command());
        }
        let found = self.anew.catalog.plugin(maker.kind, &maker.component);
        let found = found.map(|candidate| candidate.command.clone());
        found.map_err(|unknown| {
            format!("its plugin {} is gone, and {unknown}\n{}", maker.program.display(), unknown.hint())
        })
    }

    async fn config(&self, maker: &Maker, plugin: &Plugin) -> Result<String, String> {
        let running = plugin.running().await.map_err(|failure| failure.to_string())?;
        let component =
            running.component(maker.kind, &maker.component).map_err(|failure| failure.to_string())?;
        let config = self.settled(self.anew.found(maker)?, maker).await?;
        let config = Configured::of(config, &component.config_schema)?;
        for secret in &config.secrets {
            if let Err(refused) = self.desk.secrets.add(secret) {
                self.desk.err.print("warning: ", &refused.to_string(), Paint::Plain);
            }
        }
        Ok(config.text)
    }

    /// The configuration with what data sources yield today.
    async fn settled(&self, config: &Config, maker: &Maker) -> Result<Config, String> {
        if config.asks_data().is_empty() {
            return Ok(config.clone());
        }
        let data = self.data.get_or_try_init(|| self.look_up(maker)).await?;
        let learned = Learned { data: Some(data), generated: None };
        config
            .settled(learned)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    async fn look_up(&self, maker: &Maker) -> Result<Data, String> {
        let not_found = |Failed| "what its configuration asks of data sources cannot be looked up".to_owned();
        let plan = self.desk.told(self.anew.look_ups()).map_err(not_found)?;
        let run = Run {
            catalog: self.anew.catalog.clone(),
            plugins: self.plugins.clone(),
            stock: self.stock.clone(),
            terminal: self.desk.out.clone(),
            context: Context {
                build_name: String::new(),
                builder_type: String::new(),
                component_type: String::new(),
                ..self.context(maker)
            },
            data: Arc::default(),
            at_a_time: 0,
            cancelled: self.cancelled.clone(),
        };
        self.desk.data(plan, &run).await.map_err(not_found)
    }

    fn context(&self, maker: &Maker) -> Context {
        Context {
            run_id: self.record.run.clone(),
            build_name: maker.build.clone(),
            builder_type: self.anew.builder_type(&maker.build),
            component_type: maker.component.clone(),
            template_dir: self.anew.template_dir.clone(),
            working_dir: self.record.directory.to_string_lossy().into_owned(),
            on_error: OnError::Cleanup,
            host_name: "packwire".to_owned(),
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Context::default()
        }
    }
}

/// What components have left, by who left it.
fn by_maker(ledger: &Ledger) -> BTreeMap<Maker, Left> {
    let mut makers: BTreeMap<Maker, Vec<(Kept, ledger::Thing)>> = BTreeMap::new();
    for (kept, entry) in ledger.picked(|entry| matches!(entry, Entry::Thing(_))) {
        if let Entry::Thing(thing) = entry {
            makers.entry(thing.maker.clone()).or_default().push((kept, thing));
        }
    }
    makers
}

/// Waits for a process that outlived its host: it is cleaning up itself.
async fn ended(maker: &Maker) -> Result<(), String> {
    let Some(process) = maker.process else { return Ok(()) };
    let gone = async {
        while process.is_alive() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(CLEANING_UP, gone)
        .await
        .map_err(|_| format!("its process {} still runs: it may be cleaning up itself", process.id))
}

/// How the lines of a component's build begin.
fn name(maker: &Maker) -> &str {
    if maker.build.is_empty() { &maker.component } else { &maker.build }
}
