//! The sample store in the process: opening it, and what is done for it now and then.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use db::Samples;
use model::Timestamp;
use tokio::runtime::Handle;
use tsdb::Tsdb;

use super::{App, tasks::Tasks};
use crate::{
    cluster::{self, Care, Role},
    config::Config,
    query::blocking,
    store::{Holds, SqlEngine, monotonic},
};

/// How often old data is sealed, merged and removed.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(15);
/// How long the pages of a block stay for queries on other nodes, beside the time that queries may take.
const PAGE_GRACE: Duration = Duration::from_mins(1);
/// How often the data of nodes that are gone is looked for, and days of pages are made and dropped.
const CARE_INTERVAL_MS: i64 = 600_000;

/// The store, and the time of the newest flush in it.
pub(super) async fn open(
    config: &Config,
    node: Option<u16>,
    samples: &Samples,
    runtime: &Handle,
    holds: Arc<Holds>,
) -> anyhow::Result<(Arc<Tsdb>, Option<Timestamp>)> {
    let engine = Arc::new(SqlEngine::new(samples.clone(), runtime.clone(), holds));
    let options = store_options(config, node);
    let (store, report) = blocking(move || {
        let (store, report) = Tsdb::open(engine, options)?;
        store.follow()?;
        Ok::<_, tsdb::OpenError>((store, report))
    })
    .await
    .context(
        "cannot open the sample store; `bellwether check --data FOLDER` tells what is damaged, and \
         `bellwether restore` brings a backup back",
    )?;
    for damage in &report.damaged_frames {
        tracing::error!(?damage, "a flush cannot be read and was left out");
    }
    for damage in &report.damaged_blocks {
        tracing::error!(?damage, "a block cannot be read and was left out");
    }
    tracing::info!(
        blocks = report.blocks,
        flushes = report.frames,
        samples = report.samples,
        series = report.series,
        "the sample store was opened"
    );
    Ok((Arc::new(store), report.newest))
}

fn store_options(config: &Config, node: Option<u16>) -> tsdb::Options {
    tsdb::Options {
        retention: config.store.retention.0,
        retention_bytes: config.store.retention_size.map(|size| size.0),
        rollups: config.store.rollups.levels(config.store.retention),
        clock: monotonic,
        seal_interval: config.store.seal_interval.0,
        backlog_bytes: config.store.max_waiting.0 as usize,
        node,
        // A query on another node that began before it heard of the change.
        page_grace: node.map_or(Duration::ZERO, |_| 2 * config.query.timeout.0 + PAGE_GRACE),
        ..tsdb::Options::default()
    }
}

/// Says what went for good. The rest is in the metrics.
fn log_maintenance(done: tsdb::Maintenance) {
    if done.expired_blocks > 0 {
        tracing::info!(
            blocks = done.expired_blocks,
            "blocks of samples or rollups were deleted: their time was up, or there was no room"
        );
    }
    if done.cleaned_blocks > 0 {
        tracing::info!("a block was written again without what was deleted");
    }
}

/// Seals, merges and removes old data until the stop.
pub(super) fn start_maintenance(
    app: &Arc<App>,
    tasks: &Tasks,
    runtime: &Handle,
) -> anyhow::Result<()> {
    let app = Arc::clone(app);
    let runtime = runtime.clone();
    tasks.spawn_thread("maintenance", move |stop| {
        let mut cared_at = Timestamp::MIN;
        while !stop.is_cancelled() {
            let now = app.clock.now();
            if app.samples.is_shared() && now.saturating_sub(cared_at) >= CARE_INTERVAL_MS {
                cared_at = now;
                care(&app, &runtime, now);
            }
            let store = app.queries.store();
            match store.maintain(now) {
                Ok(done) => log_maintenance(done),
                Err(error) => {
                    let error = model::text::causes(&error);
                    tracing::error!(%error, "maintaining the store failed");
                }
            }
            app.cardinality.observe(store, now);
            runtime.block_on(async {
                tokio::select! {
                    () = tokio::time::sleep(MAINTENANCE_INTERVAL) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
    })?;
    Ok(())
}

/// What is done once for all nodes on a database: days of pages, and the data of nodes that are gone.
fn care(app: &App, runtime: &Handle, now: Timestamp) {
    let bound = now.saturating_sub(app.config.store.retention.as_ms());
    let days = async {
        app.samples.make_days_ahead(now).await?;
        app.samples.drop_days(bound).await
    };
    if let Err(error) = runtime.block_on(days) {
        tracing::warn!(error = %model::text::causes(&error), "days of pages could not be tidied, trying again later");
    }
    if app.leases.held(Role::Rules).is_none() {
        return;
    }
    let care = Care {
        samples: &app.samples,
        meta: &app.meta,
        options: &store_options(&app.config, None),
        requests: &app.queries.store().deletion_requests(),
        runtime,
    };
    if let Err(error) = cluster::care(care, now) {
        let error = format!("{error:#}");
        tracing::warn!(
            error,
            "the data of nodes that are gone could not be tidied, trying again later"
        );
    }
}

/// Takes over what other nodes write until the stop; nothing to do where there are none.
pub(super) fn start_following(
    app: &Arc<App>,
    tasks: &Tasks,
    runtime: &Handle,
) -> anyhow::Result<()> {
    if !app.samples.is_shared() {
        return Ok(());
    }
    let (store, samples) = (Arc::clone(app.queries.store()), app.samples.clone());
    let runtime = runtime.clone();
    tasks.spawn_thread("follow", move |stop| cluster::follow(&store, &samples, &runtime, &stop))?;
    Ok(())
}
