//! The methods of the schema: their names, and what their calls and answers carry.

use capnp::introspect::{Introspect, Type, TypeVariant};
use capnp::private::layout::StructReader;
use capnp::schema::StructSchema;
use capnp::traits::{HasTypeId, IntoInternalStructReader};
use capnp::{any_pointer, dynamic_struct};
use packwire_schema::{
    artifact_capnp, attach_capnp, builder_capnp, communicator_capnp, component_capnp, connector_capnp,
    data_source_capnp, environment_capnp, hook_capnp, post_processor_capnp, provisioner_capnp,
    recovery_capnp, stream_capnp, ui_capnp, work_capnp,
};

/// The id of an interface, and the number of one of its methods.
pub type MethodId = (u64, u16);

/// Which of the two messages of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The parameters, in a call.
    Params,
    /// The results, in an answer.
    Results,
}

/// A method, by the id of its interface and its number, as people write it: `Host.attach`.
pub fn method_name((interface, number): MethodId) -> String {
    let Some(Interface { name, methods, .. }) = interface_of(interface) else {
        return format!("interface {interface:#x}, method {number}");
    };
    match methods.get(usize::from(number)) {
        Some(method) => format!("{name}.{}", method.name),
        None => format!("{name}, method {number}"),
    }
}

/// What a message carries, with the names of the schema; nothing for methods that are not in it.
///
/// # Errors
///
/// If the content is no struct.
pub fn carried<'a>(
    method: MethodId,
    half: Half,
    content: any_pointer::Reader<'a>,
) -> capnp::Result<Option<dynamic_struct::Reader<'a>>> {
    let Some(schema) = schema_of(method, half) else { return Ok(None) };
    Ok(Some(dynamic_struct::Reader::new(structure(content)?, schema)))
}

/// The struct that a message of a method of the schema carries.
pub(super) fn schema_of((interface, number): MethodId, half: Half) -> Option<StructSchema> {
    let method = interface_of(interface)?.methods.get(usize::from(number))?;
    match method.carries(half).which() {
        TypeVariant::Struct(schema) => Some(schema.into()),
        _ => None,
    }
}

/// A struct, whichever it is: what a generated reader holds is the same for all of them.
pub(super) fn structure(content: any_pointer::Reader<'_>) -> capnp::Result<StructReader<'_>> {
    Ok(content.get_as::<work_capnp::context::Reader<'_>>()?.into_internal_struct_reader())
}

fn interface_of(id: u64) -> Option<&'static Interface> {
    INTERFACES.iter().find(|interface| interface.id == id)
}

struct Interface {
    id: u64,
    name: &'static str,
    methods: &'static [Method],
}

struct Method {
    name: &'static str,
    params: fn() -> Type,
    results: fn() -> Type,
}

impl Method {
    fn carries(&self, half: Half) -> Type {
        match half {
            Half::Params => (self.params)(),
            Half::Results => (self.results)(),
        }
    }
}

macro_rules! interfaces {
    ($($file:ident::$interface:ident $name:literal { $($method:literal $params:ident $results:ident,)+ })+) => {
        &[$(Interface {
            id: <$file::$interface::Client as HasTypeId>::TYPE_ID,
            name: $name,
            methods: &[$(Method {
                name: $method,
                params: <$file::$interface::$params::Owned as Introspect>::introspect,
                results: <$file::$interface::$results::Owned as Introspect>::introspect,
            }),+],
        }),+]
    };
}

const INTERFACES: &[Interface] = interfaces! {
    artifact_capnp::artifact "Artifact" {
        "describe" describe_params describe_results,
        "state" state_params state_results,
        "destroy" destroy_params destroy_results,
        "close" close_params close_results,
    }
    attach_capnp::host "Host" {
        "attach" attach_params attach_results,
    }
    builder_capnp::image_builder "ImageBuilder" {
        "prepare" prepare_params prepare_results,
    }
    builder_capnp::build "Build" {
        "run" run_params run_results,
        "close" close_params close_results,
    }
    communicator_capnp::communicator "Communicator" {
        "info" info_params info_results,
        "command" command_params command_results,
        "upload" upload_params upload_results,
        "download" download_params download_results,
        "uploadTree" upload_tree_params upload_tree_results,
        "downloadTree" download_tree_params download_tree_results,
        "dial" dial_params dial_results,
        "close" close_params close_results,
    }
    communicator_capnp::remote_process "RemoteProcess" {
        "run" run_params run_results,
        "close" close_params close_results,
    }
    communicator_capnp::tunnel "Tunnel" {
        "run" run_params run_results,
        "close" close_params close_results,
    }
    component_capnp::command "Command" {
        "run" run_params run_results,
    }
    component_capnp::components "Components" {
        "list" list_params list_results,
        "find" find_params find_results,
    }
    connector_capnp::connector "Connector" {
        "prepare" prepare_params prepare_results,
    }
    connector_capnp::connection "Connection" {
        "open" open_params open_results,
        "close" close_params close_results,
    }
    data_source_capnp::data_source "DataSource" {
        "prepare" prepare_params prepare_results,
    }
    data_source_capnp::query "Query" {
        "run" run_params run_results,
        "close" close_params close_results,
    }
    environment_capnp::environment "Environment" {
        "communicator" communicator_params communicator_results,
        "cache" cache_params cache_results,
        "remember" remember_params remember_results,
        "tempDir" temp_dir_params temp_dir_results,
        "port" port_params port_results,
        "serve" serve_params serve_results,
        "keyPair" key_pair_params key_pair_results,
    }
    environment_capnp::lease "Lease" {
        "close" close_params close_results,
    }
    environment_capnp::ledger_entry "LedgerEntry" {
        "update" update_params update_results,
        "settle" settle_params settle_results,
    }
    hook_capnp::hook "Hook" {
        "run" run_params run_results,
    }
    post_processor_capnp::post_processor "PostProcessor" {
        "prepare" prepare_params prepare_results,
    }
    post_processor_capnp::post_process "PostProcess" {
        "run" run_params run_results,
        "close" close_params close_results,
    }
    provisioner_capnp::provisioner "Provisioner" {
        "prepare" prepare_params prepare_results,
    }
    provisioner_capnp::provision "Provision" {
        "run" run_params run_results,
        "close" close_params close_results,
    }
    recovery_capnp::recovery "Recovery" {
        "recover" recover_params recover_results,
    }
    stream_capnp::byte_stream "ByteStream" {
        "write" write_params write_results,
        "end" end_params end_results,
        "abort" abort_params abort_results,
    }
    ui_capnp::ui "Ui" {
        "say" say_params say_results,
        "message" message_params message_results,
        "error" error_params error_results,
        "machine" machine_params machine_results,
        "ask" ask_params ask_results,
        "progress" progress_params progress_results,
        "mask" mask_params mask_results,
    }
    ui_capnp::progress "Progress" {
        "update" update_params update_results,
        "finish" finish_params finish_results,
    }
    work_capnp::cancellation "Cancellation" {
        "wait" wait_params wait_results,
    }
};

/// Some method of the schema, for tests that try many.
#[cfg(test)]
pub(super) fn any_method(number: u16) -> MethodId {
    let interface = &INTERFACES[usize::from(number) % INTERFACES.len()];
    (interface.id, number % u16::try_from(interface.methods.len()).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_method_of_the_schema_has_its_name_here() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema/packwire");
        let mut named = 0;
        for file in fs::read_dir(directory).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            let mut interface = None;
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("interface ") {
                    let mut words = rest.split_whitespace();
                    let name = words.next().unwrap().to_owned();
                    let id = words.next().unwrap().trim_start_matches("@0x").trim_end_matches('{');
                    interface = Some((name, u64::from_str_radix(id, 16).unwrap()));
                }
                let method = line.strip_prefix("  ").filter(|line| line.contains(" @") && line.contains('('));
                if let (Some((name, id)), Some(method)) = (&interface, method)
                    && !method.trim_start().starts_with('#')
                {
                    let mut words = method.split_whitespace();
                    let (word, number) = (words.next().unwrap(), words.next().unwrap());
                    let number =
                        number.trim_start_matches('@').trim_end_matches(|c: char| !c.is_ascii_digit());
                    assert_eq!(method_name((*id, number.parse().unwrap())), format!("{name}.{word}"));
                    named += 1;
                }
                if line.starts_with('}') {
                    interface = None;
                }
            }
        }
        assert_eq!(named, INTERFACES.iter().map(|interface| interface.methods.len()).sum::<usize>());
    }
    #[test]
    fn what_each_method_carries_is_a_struct_of_its_own() {
        for method in INTERFACES.iter().flat_map(|interface| interface.methods) {
            for (half, word) in [(Half::Params, "$Params"), (Half::Results, "$Results")] {
                let TypeVariant::Struct(schema) = method.carries(half).which() else {
                    panic!("{}", method.name)
                };
                let schema = StructSchema::from(schema);
                let name = schema.get_proto().get_display_name().unwrap().to_str().unwrap();
                assert!(name.ends_with(&format!("{}{word}", method.name)), "{name}");
            }
        }
    }
}
