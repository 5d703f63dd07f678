//! Unions and enumerations with a member that no version of the schema has.

use capnp::message::{Builder, HeapAllocator, Reader, ReaderOptions};
use capnp::serialize::OwnedSegments;
use capnp::traits::Owned;
use packwire_schema::component_capnp::component;
use packwire_schema::work_capnp::{context, outcome};

/// The number of the member.
const MEMBER: u16 = 4711;
/// Where the struct of a message begins: behind the head of the frame and the pointer to it.
const ROOT: usize = 16;
/// Where the first diagnostic of a failed outcome begins: behind the outcome and the tag of the list.
const DIAGNOSTIC: usize = ROOT + 24;
/// Where a context has its `onError`, and a component its kind: behind one pair of bytes of flags.
const SECOND: usize = ROOT + 2;

/// A struct that is one union and says of itself which member it is before all else.
pub(crate) fn foreign<T: Owned>() -> capnp::Result<Reader<OwnedSegments>> {
    let mut built = Builder::new_default();
    built.init_root::<T::Builder<'_>>();
    replaced(&built, ROOT)
}

/// An outcome `failed` whose one diagnostic is of a severity that nobody knows.
pub(crate) fn foreign_severity() -> capnp::Result<Reader<OwnedSegments>> {
    let mut built = Builder::new_default();
    let outcome: outcome::Builder<'_> = built.init_root();
    outcome.init_failed(1).get(0).set_summary("the suite tells it with a severity of its own");
    replaced(&built, DIAGNOSTIC)
}

/// A context that wishes for something that nobody knows where a build fails.
pub(crate) fn foreign_wish(fill: impl FnOnce(context::Builder<'_>)) -> capnp::Result<Reader<OwnedSegments>> {
    let mut built = Builder::new_default();
    fill(built.init_root());
    replaced(&built, SECOND)
}

/// A component of a kind that nobody knows.
pub(crate) fn foreign_component() -> capnp::Result<Reader<OwnedSegments>> {
    let mut built = Builder::new_default();
    let mut component: component::Builder<'_> = built.init_root();
    component.set_name("foreign");
    component.set_summary("a component of a kind that only the suite knows");
    replaced(&built, SECOND)
}

/// The message with the member at a place in its bytes.
fn replaced(built: &Builder<HeapAllocator>, at: usize) -> capnp::Result<Reader<OwnedSegments>> {
    let mut bytes = capnp::serialize::write_message_to_words(built);
    if let Some(member) = bytes.get_mut(at..at + 2) {
        member.copy_from_slice(&MEMBER.to_le_bytes());
    }
    capnp::serialize::read_message(&bytes[..], ReaderOptions::new())
}

#[cfg(test)]
mod tests {
    use capnp::NotInSchema;
    use packwire_schema::attach_capnp::end;
    use packwire_schema::communicator_capnp::exit;
    use packwire_schema::ui_capnp::reply;

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
        assert_foreign!(reply);
    }

    #[test]
    fn nobody_knows_what_is_wished_for_or_of_what_kind_it_is() {
        let wish = foreign_wish(|mut context| context.set_host_name("conformance")).unwrap();
        let context = wish.get_root::<context::Reader<'_>>().unwrap();
        assert!(matches!(context.get_on_error(), Err(NotInSchema(MEMBER))));
        assert_eq!(context.get_host_name().unwrap(), "conformance");
        assert!(!context.get_debug() && !context.get_force());
        let foreign = foreign_component().unwrap();
        let component = foreign.get_root::<component::Reader<'_>>().unwrap();
        assert!(matches!(component.which(), Err(NotInSchema(MEMBER))));
        assert!(component.get_needs_communicator());
    }

    #[test]
    fn nobody_knows_how_bad_it_is() {
        let foreign = foreign_severity().unwrap();
        let outcome::Failed(Ok(told)) = foreign.get_root::<outcome::Reader<'_>>().unwrap().which().unwrap()
        else {
            panic!("it has not failed")
        };
        assert!(matches!(told.get(0).get_severity(), Err(NotInSchema(MEMBER))));
        assert!(told.get(0).get_summary().unwrap().to_str().unwrap().starts_with("the suite"));
    }
}
