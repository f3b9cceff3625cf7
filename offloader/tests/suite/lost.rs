//! A client whose server goes away: what counts as back, and when it is over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use offloader::client::{CallEvent, CallHandle, CloseReason, JoinOrder, join};
use proto::id::{ChannelId, JobId};
use proto::redact::Secret;

use crate::sfu::Script;
use crate::site::{CHANNEL, JOB, Site, TOKEN};

/// Nothing here takes that long when all is well.
const LONG: Duration = Duration::from_secs(60);

async fn joined(site: &Arc<Site>, patience: Duration) -> CallHandle {
    let mut handle = join(JoinOrder {
        site_url: site.url.clone(),
        channel: ChannelId::parse(CHANNEL).unwrap(),
        job: JobId::parse(JOB).unwrap(),
        token: Secret::new(TOKEN),
        patience,
        av1: false,
        alone: tokio::sync::watch::channel(false).1,
    });
    loop {
        let event = tokio::time::timeout(LONG, handle.events.recv());
        if let CallEvent::Connected { .. } = event.await.unwrap().unwrap() {
            return handle;
        }
    }
}

/// Why the client ended.
async fn end(mut handle: CallHandle) -> CloseReason {
    loop {
        let event = tokio::time::timeout(LONG, handle.events.recv());
        if let CallEvent::Closed { reason } = event.await.unwrap().unwrap() {
            return reason;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_no_hello_is_not_back_however_often_it_takes_the_connection() {
    let site = Site::start(Script::default().voice("anna", 400.0)).await;
    let patience = Duration::from_secs(4);
    let handle = joined(&site, patience).await;
    site.silent.store(true, Ordering::Relaxed);
    let since = Instant::now();
    site.hang_up();
    let reason = end(handle).await;
    assert_eq!(reason, CloseReason::Unreachable("lost for 4 s".to_owned()));
    assert!(since.elapsed() >= patience, "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_revoked_ends_the_session_at_once() {
    let site = Site::start(Script::default().voice("anna", 400.0)).await;
    let handle = joined(&site, LONG).await;
    site.closed.store(true, Ordering::Relaxed);
    let since = Instant::now();
    site.hang_up();
    let reason = end(handle).await;
    assert!(
        matches!(&reason, CloseReason::Unreachable(why) if why.contains("refused the bot's token")),
        "{reason}"
    );
    assert!(since.elapsed() < LONG / 2, "{:?}", since.elapsed());
}
