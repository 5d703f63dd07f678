//! Others who dial first change nothing.
use std::time::Duration;

use packwire_wire::{
    End, Hello, Room, attach, limits,
    process::{Address, Attached, Ended, Launch, NotAttached, Socket, Token, Transport},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    rig::LONG,
    stage::{Stage, Waiting, leave, prepare},
};

/// The host has hung up on whoever reads here.
async fn is_hung_up(stranger: &mut Socket) {
    let mut heard = [0; 4096];
    let listen = async { while stranger.read(&mut heard).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(LONG, listen).await.unwrap();
}

async fn works(attached: Result<Attached, NotAttached>) {
    let attached = attached.unwrap();
    prepare(&attached, "Nothing").await;
    assert_eq!(leave(attached).await.ended, Ended::Exited(0));
}

async fn dial(address: &Address) -> Socket {
    Socket::dial(address).await.unwrap()
}

// host.closes-after-violation
#[tokio::test]
async fn a_stranger_that_sends_garbage_is_hung_up_on() {
    let stage = Stage::new();
    let waiting = Waiting::start(&stage, |launch| launch);
    let mut stranger = dial(&waiting.address).await;
    stranger.write_all(&[0x5a; 4096]).await.unwrap();
    is_hung_up(&mut stranger).await;
    works(waiting.go_on().await).await;
}

#[tokio::test]
async fn a_stranger_that_holds_the_line_is_hung_up_on_when_the_plugin_has_come() {
    for transport in [Transport::Unix, Transport::Tcp(20_000..=60_000)] {
        let stage = Stage::new();
        let waiting = Waiting::start(&stage, |launch| Launch { transport, ..launch });
        let mut stranger = dial(&waiting.address).await;
        let attached = waiting.go_on().await;
        is_hung_up(&mut stranger).await;
        works(attached).await;
    }
}

#[tokio::test]
async fn nine_strangers_do_not_keep_the_plugin_out() {
    let stage = Stage::new();
    let waiting = Waiting::start(&stage, |launch| launch);
    let mut strangers = Vec::new();
    for _ in 0..9 {
        strangers.push(dial(&waiting.address).await);
    }
    for mut stranger in strangers {
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        is_hung_up(&mut stranger).await;
    }
    works(waiting.go_on().await).await;
}

// host.token-before-all
#[tokio::test]
async fn a_stranger_with_a_token_of_its_own_is_refused_and_hung_up_on() {
    let stage = Stage::new();
    let waiting = Waiting::start(&stage, |launch| launch);
    let room = Room::open(tokio::runtime::Handle::current()).unwrap();
    let socket = dial(&waiting.address).await;
    let mut stranger = attach(&room, socket, Token::fresh().unwrap(), hello()).await;
    let refused = End::Refused("the token is not the one of this launch".to_owned());
    assert_eq!(stranger.ended().await.unwrap(), refused);
    tokio::time::timeout(LONG, stranger.link().ended().cancelled()).await.unwrap();
    works(waiting.go_on().await).await;
}

fn hello() -> Hello<packwire_wire::OfferedCapability> {
    Hello {
        protocol_version: 1,
        name: "stranger".to_owned(),
        version: "1".to_owned(),
        sdk: String::new(),
        components: Vec::new(),
        extensions: String::new(),
    }
}

// host.strangers-bounded
#[tokio::test]
async fn a_stranger_that_sends_more_than_a_hello_is_hung_up_on() {
    let stage = Stage::new();
    let waiting = Waiting::start(&stage, |launch| launch);
    let mut stranger = dial(&waiting.address).await;
    // One message, of one segment, that is longer than a hello may be: it is never whole.
    let words = u32::try_from(2 * limits::HELLO_BYTES / 8).unwrap();
    stranger.write_all(&[0_u32.to_le_bytes(), words.to_le_bytes()].concat()).await.unwrap();
    let chunk = vec![0; 1 << 20];
    let mut sent = 0;
    while sent < 2 * limits::HELLO_BYTES && stranger.write_all(&chunk).await.is_ok() {
        sent += chunk.len() as u64;
    }
    assert!(
        (limits::HELLO_BYTES..2 * limits::HELLO_BYTES).contains(&(sent + (1 << 20))),
        "{sent} bytes went"
    );
    is_hung_up(&mut stranger).await;
    works(waiting.go_on().await).await;
}

// host.attach-deadline
#[tokio::test]
async fn strangers_do_not_extend_the_deadline() {
    let stage = Stage::new();
    let within = Duration::from_millis(300);
    let waiting = Waiting::start(&stage, |launch| Launch { within, ..launch });
    let mut stranger = dial(&waiting.address).await;
    is_hung_up(&mut stranger).await;
    let refused = waiting.outcome().await.unwrap_err();
    assert_eq!(refused.to_string(), "it did not attach within 0.3 s");
}
