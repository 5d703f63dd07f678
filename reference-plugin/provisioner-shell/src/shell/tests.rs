//! What a machine sees, and what the user is told.
use packwire_plugin::testing::{Host, Machine};
use serde_json::{Value, json};

use super::*;

/// What a machine and a host saw, with the names of scripts made constant.
async fn seen(machine: &Machine, host: &Host, config: Value) -> String {
    let ran = match host.provision(Shell, config, machine).await {
        Ok(()) => "done".to_owned(),
        Err(Stop::Failed(diagnostics)) => format!("failed: {}", diagnostics[0].summary),
        Err(Stop::Cancelled) => "cancelled".to_owned(),
    };
    let commands = machine.commands().into_iter().map(|command| format!("$ {command}"));
    let lines: Vec<_> =
        commands.chain(host.told()).chain([ran]).map(|line| with_constant_names(&line)).collect();
    lines.join("\n")
}

fn with_constant_names(line: &str) -> String {
    let mut parts = line.split("packwire-shell-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |told, part| format!("{told}SCRIPT{}", &part[16..]))
}

fn temporary() -> Machine {
    Machine::new().answering("TMPDIR", 0, "/tmp", "")
}

#[tokio::test]
async fn a_script_is_sent_run_and_removed_and_its_output_shown() {
    let machine = temporary().answering("chmod", 0, "one\ntwo\n", "");
    let config = json!({"inline": ["echo one"], "environment_vars": ["A=b c"]});
    insta::assert_snapshot!(seen(&machine, &Host::new(), config).await, @r#"
    $ printf %s "${TMPDIR:-/tmp}"
    $ chmod +x /tmp/SCRIPT.sh; PACKER_BUILD_NAME='' PACKER_BUILDER_TYPE='' A='b c' /tmp/SCRIPT.sh
    $ rm -f '/tmp/SCRIPT.sh'
    say: Provisioning with the inline script
    message: one
    message: two
    done
    "#);
    let file = machine.files().into_values().next().unwrap();
    assert_eq!((file.content.as_slice(), file.mode), (&b"#!/bin/sh -e\necho one\n"[..], Some(0o755)));
}

#[tokio::test]
async fn a_failed_script_is_removed_and_its_status_told() {
    let machine = temporary().answering("chmod", 3, "", "no\n");
    insta::assert_snapshot!(seen(&machine, &Host::new(), json!({"inline": ["x"]})).await, @r#"
    $ printf %s "${TMPDIR:-/tmp}"
    $ chmod +x /tmp/SCRIPT.sh; PACKER_BUILD_NAME='' PACKER_BUILDER_TYPE='' /tmp/SCRIPT.sh
    $ rm -f '/tmp/SCRIPT.sh'
    say: Provisioning with the inline script
    error: no
    failed: the inline script exited with status 3
    "#);
    let allowed = json!({"inline": ["x"], "valid_exit_codes": [0, 3]});
    assert!(seen(&machine, &Host::new(), allowed).await.ends_with("done"));
}

#[tokio::test]
async fn the_first_failing_script_ends_the_work() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a.sh", "b.sh"] {
        std::fs::write(directory.path().join(name), "false\r\n").unwrap();
    }
    let machine = temporary().ending("chmod", packwire_plugin::Exit::Signal("SEGV".to_owned()));
    let host = Host::new().working_in(directory.path());
    let told = seen(&machine, &host, json!({"scripts": ["a.sh", "b.sh"]})).await;
    let expected =
        format!("failed: the script {} was ended by signal SEGV", directory.path().join("a.sh").display());
    assert!(told.ends_with(&expected), "{told}");
    assert_eq!(machine.files().into_values().next().unwrap().content, b"false\n");
}

#[tokio::test]
async fn a_cancelled_script_is_removed() {
    let machine = temporary().hanging("chmod");
    let host = Host::new();
    let cancelling = async {
        while !machine.commands().iter().any(|command| command.contains("chmod")) {
            tokio::task::yield_now().await;
        }
        host.cancel();
    };
    let (told, ()) = tokio::join!(seen(&machine, &host, json!({"inline": ["x"]})), cancelling);
    assert!(told.ends_with("cancelled"), "{told}");
    assert!(machine.commands().last().unwrap().starts_with("rm -f "), "{told}");
}

#[tokio::test]
async fn a_script_goes_where_the_user_says_and_stays_if_he_says() {
    let machine = Machine::new();
    let config =
        json!({"inline": ["x"], "remote_folder": "/opt/", "remote_file": "it.sh", "skip_clean": true});
    insta::assert_snapshot!(seen(&machine, &Host::new(), config).await, @r#"
    $ chmod +x /opt/it.sh; PACKER_BUILD_NAME='' PACKER_BUILDER_TYPE='' /opt/it.sh
    say: Provisioning with the inline script
    done
    "#);
    let machine = Machine::new();
    let config = json!({"inline": ["x"], "remote_path": "/opt/a b.sh"});
    insta::assert_snapshot!(seen(&machine, &Host::new(), config).await, @r#"
    $ chmod +x '/opt/a b.sh'; PACKER_BUILD_NAME='' PACKER_BUILDER_TYPE='' '/opt/a b.sh'
    $ rm -f '/opt/a b.sh'
    say: Provisioning with the inline script
    done
    "#);
}

#[tokio::test]
async fn variables_go_through_a_file_that_is_removed_too() {
    let machine = temporary().answering("chmod", 1, "", "");
    let host = Host::new().with_generated_data(json!({"PackerHTTPAddr": "10.0.2.2:80"}));
    let config = json!({"inline": ["x"], "env": {"TOKEN": "it's"}, "use_env_var_file": true});
    insta::assert_snapshot!(seen(&machine, &host, config).await, @r#"
    $ printf %s "${TMPDIR:-/tmp}"
    $ chmod +x /tmp/SCRIPT.sh; . /tmp/SCRIPT.vars && /tmp/SCRIPT.sh
    $ rm -f '/tmp/SCRIPT.sh' '/tmp/SCRIPT.vars'
    say: Provisioning with the inline script
    failed: the inline script exited with status 1
    "#);
    let (path, file) = machine.files().into_iter().find(|(path, _)| path.ends_with(".vars")).unwrap();
    assert_eq!(file.mode, Some(0o600), "{path}");
    insta::assert_snapshot!(String::from_utf8(file.content).unwrap(), @r#"
    export PACKER_HTTP_ADDR='10.0.2.2:80'
    export PACKER_BUILD_NAME=''
    export PACKER_BUILDER_TYPE=''
    export TOKEN='it'\''s'
    "#);
}

fn broken() -> Exit {
    Exit::Lost("reset by peer".to_owned())
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_failure_unless_it_is_expected() {
    let machine = || temporary().ending("chmod", broken());
    insta::assert_snapshot!(seen(&machine(), &Host::new(), json!({"inline": ["reboot"]})).await, @r#"
    $ printf %s "${TMPDIR:-/tmp}"
    $ chmod +x /tmp/SCRIPT.sh; PACKER_BUILD_NAME='' PACKER_BUILDER_TYPE='' /tmp/SCRIPT.sh
    $ rm -f '/tmp/SCRIPT.sh'
    say: Provisioning with the inline script
    failed: the connection broke while the inline script ran: reset by peer
    "#);
    for option in [json!({"expect_disconnect": true}), json!({"valid_exit_codes": [0, 2_300_218]})] {
        let mut config = json!({"inline": ["reboot"]});
        config.as_object_mut().unwrap().extend(option.as_object().unwrap().clone());
        let told = seen(&machine(), &Host::new(), config).await;
        assert!(told.ends_with("say: The connection broke, as was expected: reset by peer\ndone"), "{told}");
    }
}

#[tokio::test]
async fn a_machine_that_restarts_is_waited_for() {
    // The first script restarts it: the clean-up, and the second script, find it away for a while.
    let machine = temporary().ending_first(1, "chmod", broken()).ending_first(3, ":", broken());
    let directory = tempfile::tempdir().unwrap();
    for name in ["a.sh", "b.sh"] {
        std::fs::write(directory.path().join(name), "").unwrap();
    }
    let host = Host::new().working_in(directory.path());
    let told = seen(&machine, &host, json!({"scripts": ["a.sh", "b.sh"], "expect_disconnect": true})).await;
    insta::assert_snapshot!(told.replace(&directory.path().display().to_string(), "DIR"), @r#"
    $ printf %s "${TMPDIR:-/tmp}"
    $ chmod +x /tmp/SCRIPT.sh; PACKER_BUILD_NAME='' PACKER_BUILDER_TYPE='' /tmp/SCRIPT.sh
    $ :
    $ :
    $ :
    $ :
    $ rm -f '/tmp/SCRIPT.sh'
    $ printf %s "${TMPDIR:-/tmp}"
    $ chmod +x /tmp/SCRIPT.sh; PACKER_BUILD_NAME='' PACKER_BUILDER_TYPE='' /tmp/SCRIPT.sh
    $ rm -f '/tmp/SCRIPT.sh'
    say: Provisioning with the script DIR/a.sh
    say: The connection broke, as was expected: reset by peer
    say: Provisioning with the script DIR/b.sh
    done
    "#);
}

#[tokio::test]
async fn a_machine_that_does_not_answer_is_tried_again_for_a_while() {
    let machine = Machine::new().ending_first(4, "", broken()).answering("TMPDIR", 0, "/tmp", "");
    let told = seen(&machine, &Host::new(), json!({"inline": ["x"], "start_retry_timeout": "1m"})).await;
    insta::assert_snapshot!(told, @r#"
    $ printf %s "${TMPDIR:-/tmp}"
    $ :
    $ printf %s "${TMPDIR:-/tmp}"
    $ :
    $ printf %s "${TMPDIR:-/tmp}"
    $ chmod +x /tmp/SCRIPT.sh; PACKER_BUILD_NAME='' PACKER_BUILDER_TYPE='' /tmp/SCRIPT.sh
    $ rm -f '/tmp/SCRIPT.sh'
    say: Provisioning with the inline script
    say: The machine does not answer: trying for 1m
    done
    "#);
    let machine = Machine::new().ending("", broken());
    let told = seen(&machine, &Host::new(), json!({"inline": ["x"], "start_retry_timeout": "300ms"})).await;
    // How often it was tried depends on the machine under the test.
    let is_a_try = |line: &&str| ["$ printf %s \"${TMPDIR:-/tmp}\"", "$ :"].contains(line);
    let rest: Vec<_> = told.lines().skip_while(is_a_try).collect();
    assert!(rest.len() < told.lines().count() && rest.len() <= 3, "{told}");
    let failed = "failed: the connection broke while `printf %s \"${TMPDIR:-/tmp}\"` ran: reset by peer";
    assert_eq!(rest.last(), Some(&failed), "{told}");
}

#[tokio::test]
async fn waiting_ends_when_it_is_cancelled() {
    for (machine, config) in [
        (Machine::new().ending("", broken()), json!({"inline": ["x"], "start_retry_timeout": "1000000h"})),
        (temporary(), json!({"inline": ["x"], "pause_after": "1000000h"})),
    ] {
        let host = Host::new();
        let waits = |line: &String| line.contains("Pausing") || line.contains("does not answer");
        let cancelling = async {
            while !host.told().iter().any(waits) {
                tokio::task::yield_now().await;
            }
            host.cancel();
        };
        let (told, ()) = tokio::join!(seen(&machine, &host, config), cancelling);
        assert!(told.ends_with("cancelled"), "{told}");
    }
}

#[tokio::test]
async fn it_pauses_after_success() {
    let begun = std::time::Instant::now();
    let told = seen(&temporary(), &Host::new(), json!({"inline": ["x"], "pause_after": "1.5ms"})).await;
    assert!(told.ends_with("say: Pausing for 1.5ms\ndone"), "{told}");
    assert!(begun.elapsed() >= std::time::Duration::from_micros(1500));
}
