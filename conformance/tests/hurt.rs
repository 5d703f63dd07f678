//! A plugin under test cannot hurt the suite: it comes to a verdict, in the memory that it has, and nothing survives.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the functions of a test may fail as it may"
)]

mod hurting;
mod programs;

use hurting::{MOST, Tried, full_disk, tried};

/// The statuses of the checks that were asked for, as `exit.leave pass`.
fn statuses(tried: &Tried) -> Vec<String> {
    let results = tried.report["results"].as_array().unwrap();
    let told = results.iter().filter(|result| result["status"] != "skipped");
    told.map(|result| format!("{} {}", result["id"].as_str().unwrap(), result["status"].as_str().unwrap()))
        .collect()
}

/// What the first finding of a check says was seen.
fn observed(tried: &Tried, id: &str) -> String {
    let results = tried.report["results"].as_array().unwrap();
    let result = results.iter().find(|result| result["id"] == id).unwrap();
    result["findings"][0]["observed"].as_str().unwrap_or_else(|| panic!("{result:#}")).to_owned()
}

/// That a program never attached, and how it ended: the one verdict on programs that break their own link.
fn never_attached(tried: &Tried) {
    assert_eq!(tried.code, Some(4), "{:#}", tried.report);
    assert_eq!(tried.report["verdict"], "not tested, the program never attached");
    bearable(tried);
}

fn bearable(tried: &Tried) {
    let mebibytes = tried.peak >> 20;
    assert!(tried.peak < MOST, "the suite held {mebibytes} MiB");
}

#[test]
fn ten_million_lines() {
    let tried = tried("hurts-by-lines", &["ui.order"]);
    assert_eq!(statuses(&tried), ["ui.order fail"]);
    bearable(&tried);
}

#[test]
fn a_million_diagnostics() {
    let tried = tried("hurts-by-diagnostics", &["prepare.answers"]);
    assert_eq!(statuses(&tried), ["prepare.answers fail"]);
    bearable(&tried);
}

#[test]
fn a_stream_without_end() {
    let tried = tried("hurts-by-stream", &["stream.chunk-size"]);
    assert_eq!(statuses(&tried), ["stream.chunk-size fail"]);
    bearable(&tried);
}

#[test]
fn the_head_of_a_message_of_a_gibibyte() {
    never_attached(&tried("hurts-by-head", &[]));
}

#[test]
fn messages_without_end() {
    never_attached(&tried("hurts-by-messages", &[]));
}

#[test]
fn answers_without_end() {
    let tried = tried("hurts-by-answers", &["exit.leave", "robust.garbage", "robust.drip"]);
    let statuses = statuses(&tried);
    assert_eq!(statuses.len(), 3, "{statuses:?}");
    assert!(statuses.iter().all(|status| !status.ends_with("error")), "{statuses:?}");
    bearable(&tried);
}

#[test]
fn a_million_components() {
    never_attached(&tried("hurts-by-components", &[]));
}

#[test]
fn components_that_fit_into_a_message() {
    let tried = tried("hurts-by-many-components", &["attach.hello-complete", "exit.leave"]);
    assert_eq!(statuses(&tried), ["attach.hello-complete fail", "exit.leave pass"]);
    let observed = observed(&tried, "attach.hello-complete");
    assert!(observed.contains("100000 components; the suite looks at 1024"), "{observed}");
    bearable(&tried);
}

#[test]
fn a_documentation_of_60_mebibytes() {
    never_attached(&tried("hurts-by-documentation", &[]));
}

#[test]
fn a_schema_that_fills_the_memory_of_who_reads_it() {
    // Alone: beside it another check would be ended, too, where both hold that hello at once.
    let tried = tried("hurts-by-schema", &["attach.schemas-valid"]);
    assert_eq!(statuses(&tried), ["attach.schemas-valid fail"]);
    bearable(&tried);
}

#[test]
fn a_flood_on_standard_output() {
    let tried = tried("hurts-by-stdout", &["log.stdout-silent", "exit.leave"]);
    assert_eq!(statuses(&tried), ["log.stdout-silent warn", "exit.leave pass"]);
    bearable(&tried);
}

#[test]
fn a_flood_of_log_lines() {
    let tried = tried("hurts-by-stderr", &["log.stderr-utf8-lines", "exit.leave"]);
    assert_eq!(statuses(&tried), ["log.stderr-utf8-lines pass", "exit.leave pass"]);
    bearable(&tried);
}

#[test]
fn a_disk_that_the_plugin_fills() {
    let tried = full_disk("hurts-by-disk", &["attach.no-side-effects", "exit.leave"]);
    assert_eq!(statuses(&tried), ["attach.no-side-effects fail", "exit.leave pass"]);
    bearable(&tried);
}

#[test]
fn a_process_that_hides_from_the_plugin_that_left_it() {
    let tried = tried("hurts-by-hiding", &["exit.leave"]);
    assert_eq!(statuses(&tried), ["exit.leave fail"]);
    let observed = observed(&tried, "exit.leave");
    assert!(observed.contains("helper --stay"), "{observed}");
    assert_eq!(tried.left, Vec::<u32>::new());
}

#[test]
fn nothing_survives_of_plugins_that_leave_something_behind_or_do_not_leave() {
    let manners = [
        ("ignores-sigterm", "exit.terminate-signal"),
        ("lives-after-leave", "exit.leave"),
        ("orphan", "exit.host-killed"),
        ("background-child", "resource.children-reaped"),
        ("daemonises", "exit.no-descendants"),
        ("orphan-remote-command", "comm.cancel-ends-command"),
    ];
    for (manner, id) in manners {
        let tried = tried(manner, &[id]);
        assert_ne!(statuses(&tried), [format!("{id} pass")], "{manner}");
        assert_eq!(tried.left, Vec::<u32>::new(), "{manner}");
    }
}

#[test]
fn nothing_survives_of_a_plugin_that_hides_when_the_suite_is_killed() {
    assert_eq!(hurting::abandoned("hurts-by-hiding"), Vec::<u32>::new());
}
