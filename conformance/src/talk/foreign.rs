//! A union with a member that no version of the schema has.

use capnp::message::{Builder, Reader, ReaderOptions};
use capnp::serialize::OwnedSegments;
use capnp::traits::Owned;

/// The number of the member.
const MEMBER: u16 = 4711;

/// A struct that is one union and says of itself which member it is before all else.
pub(crate) fn foreign<T: Owned>() -> capnp::Result<Reader<OwnedSegments>> {
    let mut built = Builder::new_default();
    built.init_root::<T::Builder<'_>>();
    let mut bytes = capnp::serialize::write_message_to_words(&built);
    // The struct follows the head of the frame and the pointer to it.
    if let Some(member) = bytes.get_mut(16..18) {
        member.copy_from_slice(&MEMBER.to_le_bytes());
    }
    capnp::serialize::read_message(&bytes[..], ReaderOptions::new())
}

#[cfg(test)]
mod tests {
    use capnp::NotInSchema;
    use packwire_schema::attach_capnp::end;
    use packwire_schema::communicator_capnp::exit;
    use packwire_schema::work_capnp::outcome;

    use super::*;

    #[test]
    fn nobody_knows_what_it_is() {
        macro_rules! assert_foreign {
            ($union:ident) => {
                let foreign = foreign::<$union::Owned>().unwrap();
                let which = foreign.get_root::<$union::Reader<'_>>().unwrap().which();
                assert!(matches!(which, Err(NotInSchema(MEMBER))));
            };
        }
        assert_foreign!(end);
        assert_foreign!(outcome);
        assert_foreign!(exit);
    }
}
