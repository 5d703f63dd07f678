//! All checks, one file for each chapter of SPEC.md.

mod artifact;
mod attach;
mod below;
mod builder;
mod cancel;
mod comm;
mod concurrency;
mod error;
mod evolve;
mod exit;
mod kinds;
mod launch;
mod ledger;
mod log;
mod prepare;
mod probe;
mod provisioner;
mod resource;
mod runs;
mod stream;
mod token;
mod ui;
mod unusual;
mod version;

use crate::check::Check;

/// The chapters, in the order of SPEC.md.
const CHAPTERS: &[&[Check]] = &[
    launch::CHECKS,
    attach::CHECKS,
    version::CHECKS,
    token::CHECKS,
    log::CHECKS,
    exit::CHECKS,
    prepare::CHECKS,
    runs::CHECKS,
    concurrency::CHECKS,
    resource::CHECKS,
    unusual::CHECKS,
    below::CHECKS,
    error::CHECKS,
    stream::CHECKS,
    cancel::CHECKS,
    builder::CHECKS,
    provisioner::CHECKS,
    kinds::CHECKS,
    comm::CHECKS,
    artifact::CHECKS,
    ui::CHECKS,
    ledger::CHECKS,
    evolve::CHECKS,
];

/// Every check, in the order of SPEC.md's chapters.
pub fn all() -> impl Iterator<Item = &'static Check> {
    CHAPTERS.iter().copied().flatten()
}

/// The check of one requirement.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{self, Party, SPEC};

    #[test]
    fn every_check_tries_a_rule_of_plugins_at_its_level_and_has_a_fault_that_proves_it() {
        let rules = spec::requirements(SPEC).unwrap();
        for check in all() {
            let rule = rules.iter().find(|rule| rule.id == check.id);
            let rule = rule.unwrap_or_else(|| panic!("{} is not in SPEC.md", check.id));
            assert_eq!((rule.binds, rule.level), (Party::Plugin, check.level), "{}", check.id);
            assert!(!check.mutants.is_empty(), "{} has no fault that proves it", check.id);
        }
    }

    #[test]
    fn checks_stand_in_the_order_of_the_specification() {
        let rules = spec::requirements(SPEC).unwrap();
        let place = |id: &str| rules.iter().position(|rule| rule.id == id);
        let places: Vec<_> = all().map(|check| place(check.id)).collect();
        assert!(places.is_sorted(), "{places:?}");
    }
}
