//! What a plugin is given: variables, an empty input, a session without a terminal.
use std::os::unix::fs::PermissionsExt;

use packwire_wire::process::{ADDRESS, Address, PROTOCOL, Program, TOKEN};

use crate::{
    behaviour::Behaviour,
    rig::{Running, Stray, entries, lives, script},
    stage::{PLUGIN, Stage, leave, plugin},
};

fn named(lines: Vec<String>) -> Vec<String> {
    let names = lines.into_iter().filter_map(|line| Some(line.strip_prefix("variable ")?.to_owned()));
    let mut names: Vec<String> = names.map(|name| name.trim_matches('"').to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_three_variables_are_added_to_what_the_caller_chose() {
    let stage = Stage::new();
    let mut program = plugin(Behaviour::NamesVariables);
    program.environment = vec![("KEPT".into(), "1".into())];
    let attached = stage.launch(program).start(&stage.room).unwrap().attach().await.unwrap();
    leave(attached).await;
    assert_eq!(named(stage.seen.texts()), ["KEPT", ADDRESS, PROTOCOL, TOKEN]);
}

// host.clean-environment
#[tokio::test]
async fn an_inherited_environment_withholds_what_configures_the_host_and_what_is_secret() {
    let given = [
        ("KEPT", "1"),
        ("SECRET", "1"),
        ("PACKER_LOG", "1"),
        ("PACKER_LOG_PATH", "/nowhere"),
        ("PACKER_PLUGIN_MIN_PORT", "1"),
        (TOKEN, "of another session"),
    ];
    let host = Running::start(&Program {
        executable: PLUGIN.into(),
        arguments: [Behaviour::Host, Behaviour::NamesVariables].map(|one| one.name().into()).into(),
        environment: given.map(|(name, value)| (name.into(), value.into())).into(),
        ..script("")
    });
    host.says("those are all").await;
    assert_eq!(named(host.seen.texts()), ["KEPT", ADDRESS, PROTOCOL, TOKEN]);
}

// host.private-socket
#[tokio::test]
async fn the_socket_is_where_only_its_user_comes() {
    let stage = Stage::new();
    let launched = stage.start(Behaviour::NeverAttaches);
    let Address::Unix(path) = launched.address() else { panic!("a socket is the usual") };
    assert!(path.as_os_str().len() <= 100);
    let directory = path.parent().unwrap();
    assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(entries(directory), [path.as_path()]);
}

// host.empty-stdin
#[tokio::test]
async fn the_standard_input_is_empty() {
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::ReadsInput).await;
    stage.says("input: 0 bytes").await;
    leave(attached).await;
}

// host.own-session
#[tokio::test]
async fn the_session_is_the_plugins_own_and_has_no_terminal() {
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::Good).await;
    let id = attached.id();
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let (group, session, terminal) = (fields[2], fields[3], fields[4]);
    assert_eq!((group, session, terminal), (&*id.to_string(), &*id.to_string(), "0"));
    leave(attached).await;
}

#[tokio::test]
async fn a_child_that_reads_the_terminal_is_told_that_there_is_none() {
    let stage = Stage::new();
    let attached = stage.attached(Behaviour::ReadsTerminal).await;
    stage.says("the terminal was not there").await;
    leave(attached).await;
}

// host.own-session
#[tokio::test]
async fn even_where_the_host_has_a_terminal() {
    // There is no other way to a terminal without code of our own that is unsafe.
    let has_script = std::path::Path::new("/usr/bin/script").exists();
    assert!(has_script, "`script` is missing; install it with: apt-get install bsdutils");
    let host = Running::script(&format!("exec script -qefc '{PLUGIN} Host ReadsTerminal' /dev/null"));
    // `script` has given it a session of its own, which does not end with the one that we own.
    let hosts = Stray { id: host.number("host").await };
    let line = "the terminal was not there";
    crate::rig::until(line, || host.seen.texts().iter().any(|seen| seen.trim_end() == line).then_some(()))
        .await;
    let plugin = host.number("plugin").await;
    drop(hosts);
    crate::rig::until("the plugin is gone", || (!lives(plugin)).then_some(())).await;
}
