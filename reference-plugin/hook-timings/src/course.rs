//! The course of one build: which part ran when. Times are what has passed since the plugin started.
use std::time::Duration;

use crate::event::{Data, Kind};

/// A build that is under way.
#[derive(Debug)]
pub(crate) struct Course {
    builder: String,
    pub(crate) begun: Duration,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    kind: Kind,
    component: String,
    index: u64,
    begun: Duration,
    ended: Option<(Duration, String)>,
}

/// What one part of a build took.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// Its kind and its name, and which of the builder's parts it is.
    pub(crate) what: String,
    /// Which of its kind, from 0; the builder has none.
    pub(crate) index: Option<u64>,
    pub(crate) took: Duration,
    /// How it ended, as the host calls it; empty for the builder.
    pub(crate) outcome: String,
}

impl Course {
    pub(crate) fn begun(now: Duration, builder: &str) -> Self {
        Self { builder: builder.to_owned(), begun: now, parts: Vec::new() }
    }

    pub(crate) fn start(&mut self, kind: Kind, data: Data, now: Duration) {
        let Data { component, index, .. } = data;
        self.parts.push(Part { kind, component, index, begun: now, ended: None });
    }

    /// Ends the part that the data speaks of; a part that never began has taken no time.
    pub(crate) fn finish(&mut self, kind: Kind, data: Data, now: Duration) {
        let is_meant =
            |part: &&mut Part| part.kind == kind && part.index == data.index && part.ended.is_none();
        if let Some(part) = self.parts.iter_mut().rev().find(is_meant) {
            part.ended = Some((now, data.outcome));
        }
    }

    /// Where the time went, in the order in which it did.
    pub(crate) fn shares(&self, now: Duration) -> Vec<Share> {
        let of_builder = self.total(now).saturating_sub(self.covered(now));
        let first = self.of(Kind::Provisioner).map(|part| part.begun).min();
        let before = first.map_or(Duration::ZERO, |first| first.saturating_sub(self.begun));
        let mut shares = Vec::new();
        if first.is_some() {
            shares.push(self.builder_share(" before provisioning", before));
            shares.extend(self.of(Kind::Provisioner).map(|part| part.share(now)));
            shares.push(self.builder_share(" after provisioning", of_builder.saturating_sub(before)));
        } else {
            shares.push(self.builder_share("", of_builder));
        }
        shares.extend(self.of(Kind::PostProcessor).map(|part| part.share(now)));
        shares
    }

    pub(crate) fn total(&self, now: Duration) -> Duration {
        now.saturating_sub(self.begun)
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |part| part.kind == kind)
    }

    fn builder_share(&self, when: &str, took: Duration) -> Share {
        Share { what: format!("builder {}{when}", self.builder), index: None, took, outcome: String::new() }
    }

    /// How long any part ran. Parts are in the order of their beginnings; some may run side by side.
    fn covered(&self, now: Duration) -> Duration {
        let (mut covered, mut until) = (Duration::ZERO, Duration::ZERO);
        for part in &self.parts {
            covered += part.end(now).saturating_sub(part.begun.max(until));
            until = until.max(part.end(now));
        }
        covered
    }
}

impl Part {
    fn end(&self, now: Duration) -> Duration {
        self.ended.as_ref().map_or(now, |(ended, _)| *ended)
    }

    fn share(&self, now: Duration) -> Share {
        Share {
            what: format!("{} {}", self.kind.name(), self.component),
            index: Some(self.index),
            took: self.end(now).saturating_sub(self.begun),
            outcome: self.ended.as_ref().map_or("unfinished", |(_, outcome)| outcome).to_owned(),
        }
    }
}
