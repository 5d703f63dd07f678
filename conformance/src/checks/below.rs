//! Unusual input below the RPC library: bytes and messages that a broken or hostile host may send.

mod bomb;
mod drip;
mod garbage;
mod messages;

use std::time::Duration;

use crate::check::{Budget, Check, Class, Level};

/// How long a plugin may take to end after its session is lost.
const ENDS: Duration = Duration::from_secs(5);
/// How much more memory than before a plugin may take for what is nothing.
const MORE_MEMORY: u64 = 64 << 20;
const MOMENT: Duration = Duration::from_millis(300);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "robust.garbage",
        level: Level::Must,
        class: Class::Any,
        title: "ends its session when what comes is no message",
        why: "After bytes that are no message nobody knows where the next one begins; a crash or a huge allocation \
              harms everything else that the plugin does.",
        seen: "Random bytes, half a message before the end, and headers of 8 GiB and of 2^32 segments are sent, each \
               to a fresh process, whose end and memory are watched.",
        budgets: &[Budget { what: "from the bytes to the exit", limit: ENDS }],
        mutants: &["segfault-on-garbage", "allocates-header"],
        lasts: MOMENT,
        run: |rig| Box::pin(garbage::garbage(rig)),
    },
    Check {
        id: "robust.unknown-message",
        level: Level::Should,
        class: Class::Library,
        title: "answers messages of an unknown kind with `unimplemented`",
        why: "Later levels of the RPC protocol add kinds of messages; whoever does not know one says so and goes on.",
        seen: "A message of the kind 4711 is sent, then a call.",
        budgets: &[],
        mutants: &["aborts-on-unknown-message"],
        lasts: MOMENT,
        run: |rig| Box::pin(messages::unknown(rig)),
    },
    Check {
        id: "robust.bad-ids",
        level: Level::Should,
        class: Class::Library,
        title: "bears ids that stand for nothing",
        why: "An id is a number that the other side chose; an index without a look is a crash.",
        seen: "A call on an unknown capability and on an unknown answer, a question that is asked already, a release \
               of more than was sent, and an answer to no question, each to a fresh process.",
        budgets: &[],
        mutants: &["panics-on-bad-id"],
        lasts: MOMENT,
        run: |rig| Box::pin(messages::bad_ids(rig)),
    },
    Check {
        id: "robust.drip",
        level: Level::Should,
        class: Class::Any,
        title: "takes messages byte by byte",
        why: "Where the bytes of a message are cut is nobody's choice, and a loaded machine makes long pauses.",
        seen: "The answer to the bootstrap request and a call are sent one byte at a time, each over two seconds.",
        budgets: &[],
        mutants: &["frame-read-timeout"],
        lasts: Duration::from_secs(4),
        run: |rig| Box::pin(drip::drip(rig)),
    },
    Check {
        id: "robust.pointer-bomb",
        level: Level::Should,
        class: Class::Declared,
        title: "does not follow what it does not know",
        why: "Pointers may share what they lead to: a copy of a small message can be larger than the machine.",
        seen: "prepare is called with one pointer more than it knows: lists in lists, 3 KiB as they come and 1 GiB as \
               a copy.",
        budgets: &[Budget { what: "processor time for the call", limit: bomb::WORK }],
        mutants: &["expands-bomb"],
        lasts: MOMENT,
        run: |rig| Box::pin(bomb::pointer_bomb(rig)),
    },
];
