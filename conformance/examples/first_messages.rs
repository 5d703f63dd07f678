//! The first three messages of a link: `cargo xtask trace` compares them with the annotated bytes of SPEC.md. They are
//! printed as JSON, a member of hexadecimal digits for each message.
//!
//! What the plugin sends is recorded from the library. The host's answer is written here: the library spreads it over
//! two segments, which nobody would like to read.

use std::collections::BTreeMap;
use std::error::Error;

use capnp::message::Builder;
use capnp::serialize;
use capnp::traits::ImbueMut as _;
use capnp_rpc::rpc_capnp::message;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::twoparty::VatNetwork;
use capnp_rpc::{RpcSystem, new_client};
use packwire_schema::attach_capnp::{hello, host};
use packwire_schema::hook_capnp::hook;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::task::LocalSet;
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

const TOKEN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const ROOM: usize = 1 << 16;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let messages = LocalSet::new().run_until(recorded()).await?;
    println!("{}", serde_json::to_string_pretty(&messages)?);
    Ok(())
}

/// Listens to a plugin until it has sent its two messages.
async fn recorded() -> Result<BTreeMap<&'static str, String>, Box<dyn Error>> {
    let (plugin, mut host) = duplex(ROOM);
    let mut plugin = system(plugin);
    let bootstrap: host::Client = plugin.bootstrap(Side::Server);
    let mut attach = bootstrap.attach_request();
    greet(attach.get().init_hello());
    let session = attach.send().promise;
    let heard = async {
        let (bootstrap, attach) = (message(&mut host).await?, message(&mut host).await?);
        let named = [("bootstrap", bootstrap), ("return", answer()?), ("attach", attach)];
        Ok(named.map(|(name, bytes)| (name, hexadecimal(&bytes))).into())
    };
    tokio::select! {
        heard = heard => heard,
        ended = async { tokio::join!(plugin, session).0 } => Err(format!("the link ended: {ended:?}").into()),
    }
}

fn system(stream: DuplexStream) -> RpcSystem<Side> {
    let (read, write) = tokio::io::split(stream);
    let network = VatNetwork::new(read.compat(), write.compat_write(), Side::Client, Default::default());
    RpcSystem::new(Box::new(network), None)
}

/// The answer to question 0: a capability, the host's export number 0.
fn answer() -> Result<Vec<u8>, capnp::Error> {
    let (mut sent, mut capabilities) = (Builder::new_default(), Vec::new());
    let mut answer = sent.init_root::<message::Builder<'_>>().init_return();
    answer.set_answer_id(0);
    answer.set_release_param_caps(false);
    let mut results = answer.init_results();
    results.reborrow().init_cap_table(1).get(0).set_sender_hosted(0);
    let mut content = results.get_content();
    content.imbue_mut(&mut capabilities);
    let host: host::Client = new_client(Host);
    content.set_as_capability(host.client.hook);
    Ok(serialize::write_message_to_words(&sent))
}

fn greet(mut hello: hello::Builder<'_>) {
    hello.set_token(TOKEN);
    hello.set_protocol_version(1);
    hello.set_name("bell");
    hello.set_version("1.0.0");
    let mut component = hello.init_components(1).get(0);
    component.set_name("bell");
    component.set_summary("Rings");
    component.set_documentation("Rings.");
    component.set_hook(new_client(Bell));
}

/// One message of one segment, as it travels: a table with the segment's size, then the segment.
async fn message(from: &mut DuplexStream) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = vec![0; 8];
    from.read_exact(&mut bytes).await?;
    let words = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    let start = bytes.len();
    bytes.resize(start + 8 * usize::try_from(words)?, 0);
    from.read_exact(&mut bytes[start..]).await?;
    Ok(bytes)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Host;

impl host::Server for Host {}

struct Bell;

impl hook::Server for Bell {}
