//! The session: one connection, one attach, and what its answer means.
use std::time::{Duration, Instant};

use capnp::{ErrorKind, capability::Response};
use packwire_schema::attach_capnp::{end, host};
use tokio::time::{sleep, timeout};

use crate::{
    dialect::Dialect, ending::Ending, fault::Fault, green, hello, helper, hurt, launch::Launch, link::Link,
    log, manner::Manner, stray,
};

/// How long a plugin that should have ended stays: long enough to be seen, short enough to be harmless.
const LINGER: Duration = Duration::from_secs(50);
/// How late a busy plugin hears that its session is over.
const LATE: Duration = Duration::from_millis(700);

/// Attends the host until the session has ended.
pub(crate) async fn attend(launch: &Launch, manner: Manner) -> Ending {
    let born = Instant::now();
    loop {
        let ending = session(launch, manner).await;
        green::clean_up(leaks(&ending, manner));
        green::dump_last(manner);
        if !comes_again(&ending, manner) || born.elapsed() > LINGER {
            stay_after(&ending, manner).await;
            return ending;
        }
        log::line(manner, &format!("{ending}; trying again"));
        sleep(Duration::from_millis(200)).await;
    }
}

fn leaks(ending: &Ending, manner: Manner) -> bool {
    matches!(
        (ending, manner.fault()),
        (Ending::Left, Some(Fault::LeaveLeaks)) | (Ending::Disconnected, Some(Fault::DisconnectLeaks))
    )
}

/// One connection, once in a plugin's life, except where that is the fault.
fn comes_again(ending: &Ending, manner: Manner) -> bool {
    matches!(
        (ending, manner.fault()),
        (Ending::Refused(_), Some(Fault::RetriesAfterRefusal))
            | (Ending::Rejected(_), Some(Fault::TokenRetry))
            | (Ending::Disconnected, Some(Fault::Reconnects))
    )
}

async fn stay_after(ending: &Ending, manner: Manner) {
    match (ending, manner.fault()) {
        (Ending::Left, Some(Fault::LivesAfterLeave))
        | (Ending::Disconnected, Some(Fault::LivesAfterDisconnect)) => sleep(LINGER).await,
        (Ending::Disconnected, Some(Fault::Orphan)) => helper::leave_behind(),
        _ => {}
    }
}

async fn session(launch: &Launch, manner: Manner) -> Ending {
    if let Some(ending) = hurt::instead_of_session(manner, &launch.address) {
        return ending;
    }
    let mut link = match Link::dial(&launch.address, manner).await {
        Ok(link) => link,
        Err(error) => return Ending::Unreachable(error),
    };
    let host = link.host();
    if let Err(ending) = before_attach(&link, manner).await {
        return ending;
    }
    let answer = if manner.speaks(Dialect::LateRelease) {
        let answer = hello::request(&host, launch, manner).map(|request| request.send().promise);
        sleep(LATE * 3).await;
        link.release_host();
        drop(host);
        match answer {
            Ok(answer) => answer.await,
            Err(error) => Err(error),
        }
    } else {
        attach(&host, launch, manner).await
    };
    if manner.speaks(Dialect::LateEnd) {
        sleep(LATE).await;
    }
    match answer {
        Ok(answer) => ended(&answer, manner),
        Err(error) => broken(&error),
    }
}

/// What happens between dialling and attaching: nothing, attach is pipelined on the bootstrap.
async fn before_attach(link: &Link, manner: Manner) -> Result<(), Ending> {
    if manner.speaks(Dialect::Unpipelined) {
        link.heard().await;
    }
    match manner.fault() {
        Some(Fault::Bootstrap1sTimeout) => {
            timeout(Duration::from_secs(1), link.heard()).await.map_err(|_| Ending::Disconnected)
        }
        Some(Fault::DialsWithoutAttach) => {
            sleep(LINGER).await;
            Err(Ending::Disconnected)
        }
        Some(Fault::SlowStart) => {
            sleep(Duration::from_secs(6)).await;
            Ok(())
        }
        _ => Ok(()),
    }
}

type Answer = Response<host::attach_results::Owned>;

/// Calls attach and waits for its answer, for as long as the host needs the plugin.
async fn attach(host: &host::Client, launch: &Launch, manner: Manner) -> Result<Answer, capnp::Error> {
    let answer = hello::request(host, launch, manner)?.send().promise;
    match manner.fault() {
        Some(Fault::AttachesTwice) => {
            let second = hello::request(host, launch, manner)?.send().promise;
            let answer = answer.await;
            drop(second);
            answer
        }
        Some(Fault::AttachTimeout) => timeout(Duration::from_secs(3), answer)
            .await
            .unwrap_or_else(|_| Err(capnp::Error::disconnected("attach took too long".to_owned()))),
        Some(Fault::IdleSpin) => {
            stray::spin();
            answer.await
        }
        _ => answer.await,
    }
}

fn ended(answer: &Answer, manner: Manner) -> Ending {
    match read(answer) {
        Ok(ending) => ending,
        Err(_) if manner.commits(Fault::LeavesAtUnknownEnd) => Ending::Left,
        Err(error) => Ending::Rejected(error.to_string()),
    }
}

fn read(answer: &Answer) -> Result<Ending, capnp::Error> {
    Ok(match answer.get()?.get_end()?.which()? {
        end::Leave(()) => Ending::Left,
        end::Refused(reason) => Ending::Refused(String::from_utf8_lossy(reason?.as_bytes()).into_owned()),
        end::Unset(()) => Ending::Rejected("its answer says nothing".to_owned()),
    })
}

fn broken(error: &capnp::Error) -> Ending {
    match error.kind {
        ErrorKind::Disconnected => Ending::Disconnected,
        _ => Ending::Rejected(error.to_string()),
    }
}
