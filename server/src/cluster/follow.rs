//! Keeping up with what other nodes write.

use std::{sync::Arc, time::Duration};

use db::{Samples, node::News};
use model::text::causes;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tsdb::Tsdb;

/// How often the database is looked at when nobody says that there is something new.
const POLL: Duration = Duration::from_secs(2);

/// Takes over what other nodes write until `stop`. Blocks.
pub(crate) fn follow(
    store: &Arc<Tsdb>,
    samples: &Samples,
    runtime: &Handle,
    stop: &CancellationToken,
) {
    // A connection that is dropped says goodbye in a task.
    let _entered = runtime.enter();
    let mut news = None;
    let mut is_failing = false;
    while !stop.is_cancelled() {
        // First listen, then look: what is written in between is heard of.
        if news.is_none() {
            news = runtime.block_on(samples.listen()).unwrap_or_default();
        }
        let followed = store.follow();
        if let Err(error) = &followed
            && !is_failing
        {
            tracing::warn!(error = %causes(error), "cannot read what other nodes wrote, trying again");
        }
        is_failing = followed.is_err();
        runtime.block_on(async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(POLL) => {}
                () = changed(&mut news), if !is_failing => {}
            }
        });
    }
}

/// Waits for news; without a connection, for good.
async fn changed(news: &mut Option<News>) {
    if let Some(listening) = news
        && listening.changed().await.is_ok()
    {
        return;
    }
    *news = None;
    std::future::pending::<()>().await;
}
