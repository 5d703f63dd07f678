//! A plugin forgets its invitation before it has threads. Tests of the usual kind run in threads, so this is a
//! `main` of its own, which starts itself again as the plugin.

#[cfg(test)]
fn main() {
    use packwire_wire::process::TOKEN;

    match std::env::var_os(TOKEN) {
        None => tests::host(),
        Some(_) => tests::plugin(),
    }
}

#[cfg(test)]
mod tests {
    use std::env;

    use packwire_wire::process::{ADDRESS, Ended, PROTOCOL, Program, Session, TOKEN, forget_invitation};

    pub(super) fn host() {
        let program = Program {
            executable: env::current_exe().unwrap(),
            arguments: Vec::new(),
            environment: [ADDRESS, TOKEN, PROTOCOL, "KEPT"].map(|name| (name.into(), "value".into())).into(),
            directory: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ended = runtime.block_on(async { Session::start(&program).unwrap().exited().await });
        assert_eq!(ended, Ended::Exited(0));
    }

    pub(super) fn plugin() {
        forget_invitation().unwrap();
        let left = [ADDRESS, TOKEN, PROTOCOL, "KEPT"].map(env::var_os);
        assert_eq!(left, [None, None, None, Some("value".into())]);
    }
}
