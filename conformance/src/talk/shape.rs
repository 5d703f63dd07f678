//! `prepare` with parameters of another shape than this version's: from a host that is newer, or older.

use capnp::any_pointer;
use capnp::private::layout::{PointerBuilder, StructBuilder, StructSize};
use capnp::traits::{FromPointerBuilder, HasStructSize};
use packwire_schema::work_capnp::context;

use super::prepare::PREPARE;
use super::{Answer, Diagnostic, Object, Prepared, Preparer};
use crate::rig::Rig;

/// The shape of the structs that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// With data and pointers behind what this version knows.
    Larger,
    /// With an empty context.
    Shorter,
    /// Without a context.
    Missing,
    /// Without any parameters.
    Nothing,
}

/// A struct of any size: the generated code knows only its own.
pub(crate) struct Any<'a>(pub(crate) PointerBuilder<'a>);

impl<'a> FromPointerBuilder<'a> for Any<'a> {
    fn init_pointer(builder: PointerBuilder<'a>, _length: u32) -> Self {
        Self(builder)
    }

    fn get_from_pointer(
        builder: PointerBuilder<'a>,
        _default: Option<&'a [capnp::Word]>,
    ) -> capnp::Result<Self> {
        Ok(Self(builder))
    }
}

impl Preparer {
    /// Calls `prepare` with structs of this shape; other kinds than these have the same parameters.
    pub(crate) async fn prepare_shaped(&self, rig: &Rig, config: &str, shape: Shape) -> Answer {
        let (capability, interface) = self.untyped();
        let mut request = capability.new_call::<any_pointer::Owned, any_pointer::Owned>(interface, 0, None);
        if shape != Shape::Nothing {
            write_params(request.get().init_as(), config, shape);
        }
        match tokio::time::timeout(rig.stretch(PREPARE), request.send().promise).await {
            Ok(Ok(answer)) => answer
                .get()
                .and_then(|answer| self.read(answer))
                .map_or_else(|error| Answer::Threw(error.extra), Answer::Given),
            Ok(Err(error)) => Answer::Threw(error.extra),
            Err(_) => Answer::Silent,
        }
    }

    /// All answers of `prepare` have the same shape, so that of a builder reads them all but for the object's type.
    fn read(&self, answer: any_pointer::Reader<'_>) -> capnp::Result<Prepared> {
        let answer: packwire_schema::builder_capnp::image_builder::prepare_results::Reader<'_> =
            answer.get_as()?;
        let diagnostics = Diagnostic::read_all(answer.get_diagnostics()?)?;
        let object = answer.has_build().then(|| answer.get_build().map(Object::Build)).transpose()?;
        Ok(Prepared { diagnostics, object })
    }
}

fn write_params(any: Any<'_>, config: &str, shape: Shape) {
    let more = u16::from(shape == Shape::Larger) * 2;
    let mut params = any.0.init_struct(StructSize { data: more, pointers: 2 + more });
    params.reborrow().get_pointer_field(0).set_text(capnp::text::Reader(config.as_bytes()));
    if shape != Shape::Missing {
        write_context(params.reborrow().get_pointer_field(1), shape);
    }
    fill_extra(params, 0, 2, more);
}

fn write_context(place: PointerBuilder<'_>, shape: Shape) {
    let known = context::Builder::STRUCT_SIZE;
    let more = u16::from(shape == Shape::Larger) * 2;
    let (data, pointers) =
        if shape == Shape::Larger { (known.data + more, known.pointers + more) } else { (0, 0) };
    let mut context = place.init_struct(StructSize { data, pointers });
    if shape == Shape::Larger {
        let cleanup = context::OnError::Cleanup as u16;
        context.reborrow().set_data_field::<u16>(1, cleanup);
        fill_extra(context, known.data, known.pointers, more);
    }
}

/// Puts something into what lies behind the known part.
fn fill_extra(mut place: StructBuilder<'_>, data: u16, pointers: u16, more: u16) {
    for at in 0..more {
        place.reborrow().set_data_field::<u64>(usize::from(data + at), u64::MAX);
        let text = capnp::text::Reader(b"of a later version");
        place.reborrow().get_pointer_field(usize::from(pointers + at)).set_text(text);
    }
}
