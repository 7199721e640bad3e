//! Starting, straight from top to bottom: whatever cannot start ends the process with one clear error.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Arc, RwLock},
    time::Duration,
};

use anyhow::{Context as _, bail};
use db::Meta;
use ingest::{Limits, Registry as SeriesRegistry, RegistryOptions};
use model::{Clock, Labels};
use notify::{
    outbox::{Worker, WorkerOptions},
    receivers::{Pictures, Registry},
};
use promql::Engine;
use tokio::{
    runtime::Handle,
    sync::{broadcast, mpsc},
};
use tokio_util::sync::CancellationToken;
use tsdb::Tsdb;

use super::{
    App, SystemClock, databases, folder::DataFolder, listeners, reload::Files, store, tasks::Tasks,
};
use crate::{
    agent::{self, Agent},
    alerting::{self, Alerting, convert::AlertContext, outbox::SqlOutbox, pictures::StorePictures},
    auth,
    cardinality::History,
    catalog::inventory::InventoryCache,
    cluster::{self, Joined, Keep, Role},
    config::{Config, auth::AuthMode},
    events::{self, BoardOptions, Events, Incoming, Intake},
    http::{self, Gate, prometheus::write::WriteGate},
    listen::{Listener, Opened, Sources},
    monitors::Monitors,
    pipeline::{Outside, Pipeline, PipelineStats, SeriesTable},
    query::{self, Queries, blocking},
    remote::{
        outgoing::Outgoing,
        receive::{ReceiveOptions, Receiver},
    },
    runbooks::RunbookShelf,
    self_statsd::SelfStatsd,
    store::Holds,
    uptime::{board::KEPT_MS, probe::Prober, schedule},
};

/// Events kept for a browser that is slow to read; it then misses some and is brought up to date by the
/// next tick.
const LIVE_BUFFER: usize = 256;
/// Results of probes that wait to be taken in; a full queue holds back the probes.
const RESULT_BUFFER: usize = 1_024;
const PROBE_WORKERS: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");
/// How often own metrics are read for the next flush.
const MEASURE_INTERVAL: Duration = Duration::from_secs(5);
/// How long resolved alerts and sent notifications are kept as history.
const HISTORY_MS: i64 = 90 * 86_400_000;
const FORGET_INTERVAL: Duration = Duration::from_hours(1);

/// The process while it runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) app: Arc<App>,
    pub(crate) tasks: Tasks,
}

/// Starts everything.
///
/// # Errors
/// A data folder that cannot be written, a port in use, a bad file: each with the place and the remedy.
pub(crate) async fn start(config: Config) -> anyhow::Result<Running> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let now = clock.now();
    let runtime = Handle::current();
    let tasks = Tasks::default();
    let read_config = config.clone();
    let files = blocking(move || Files::read(&read_config))
        .await
        .map_err(|errors| anyhow::anyhow!("{}", errors.join("\n")))?;

    let folder = DataFolder::claim(&config.server.data_dir)?;
    folder.expect_whole()?;
    let http_listener = bind_http(&config).await?;
    let http_address = http_listener.local_addr()?;
    let external_url = external_url(&config, http_address);
    let gate = Gate::default();
    let for_http = gate.clone();
    tasks.spawn("http", |stop| http::serve(http_listener, for_http, stop));
    let (samples, meta) = databases::open(&config, &folder).await?;
    let joined = cluster::join(&config, samples, &meta).await?;
    let Joined { samples, leases, .. } = &joined;
    keep_leases(&config, &joined, &meta, &tasks);
    let store_holds = Arc::new(Holds::default());
    let (store, last_flush) =
        store::open(&config, joined.number, samples, &runtime, Arc::clone(&store_holds)).await?;
    let queries = Queries::new(
        Arc::clone(&store),
        Engine::new(promql::Options {
            lookback: config.query.lookback.0,
            max_samples: config.query.max_samples,
            max_series: config.query.max_series,
            ..promql::Options::default()
        }),
        query::Limits {
            max_concurrent: config.query.max_concurrent,
            timeout: config.query.timeout.0,
            cache_bytes: config.query.cache.0,
            slow: config.query.slow.0,
        },
    );
    let (live, _) = broadcast::channel(LIVE_BUFFER);
    let runbooks = Arc::new(RunbookShelf::new(files.runbooks));
    let outside = Arc::new(Outside::default());
    outside.describe(crate::telemetry::metadata());

    let pictures = Arc::new(StorePictures { queries: queries.clone(), meta: meta.clone() });
    let registry =
        Registry::try_new(&files.receivers, &(Arc::clone(&pictures) as Arc<dyn Pictures>))?;
    let worker = Worker::new(
        Arc::new(SqlOutbox::new(meta.clone(), Arc::clone(leases))),
        registry,
        Arc::clone(&clock),
        WorkerOptions::default(),
    );
    let alerting = Alerting::restore(
        alerting::Parts {
            groups: files.groups,
            receivers: Arc::clone(&files.receivers),
            queries: queries.clone(),
            meta: meta.clone(),
            leases: Arc::clone(leases),
            runtime: runtime.clone(),
            live: live.clone(),
            expander: rules::Expander {
                external_labels: Labels::empty(),
                external_url: external_url.clone(),
            },
            context: AlertContext {
                external_url: external_url.clone(),
                store: Arc::clone(&store),
                runbooks: Arc::clone(&runbooks),
            },
            wake: worker.wake_handle(),
        },
        last_flush,
        now,
    )
    .await
    .context("cannot restore the alerts")?;
    let monitors = Monitors::restore(
        files.monitors,
        meta.clone(),
        Arc::clone(leases),
        live.clone(),
        Arc::clone(&outside),
        now,
    )
    .await
    .context("cannot restore the uptime ledger")?;
    let sources = Arc::new(Sources::new());
    let books = Arc::default();
    let (intake, queue) =
        Intake::new(config.events.max_per_minute, Arc::clone(&clock), Arc::clone(&books));
    let intake = Arc::new(intake);
    let events = Events::restore(events::Parts {
        meta: meta.clone(),
        live: live.clone(),
        outside: Arc::clone(&outside),
        books,
        clock: Arc::clone(&clock),
        checks: BoardOptions {
            ttl_ms: config.events.check_ttl.as_ms(),
            max_checks: config.events.max_checks,
        },
    })
    .await
    .context("cannot restore the service checks")?;
    let opened = listeners::bind(&config.statsd, &files.mappings, &sources, &intake)?;
    let listeners: Vec<_> = opened.iter().map(|opened| Arc::clone(&opened.listener)).collect();
    let self_statsd = match own_target(&listeners) {
        Some(address) => Some(SelfStatsd::connect(address)?),
        None => None,
    };

    let (outgoing, senders) = Outgoing::open(
        &config.remote_write.endpoints,
        &folder.path().join("outgoing.db"),
        Arc::clone(&store),
        Arc::clone(&clock),
    )
    .await?;
    let outgoing = Arc::new(outgoing);
    let remote = receiver(&config, &store, &outgoing);
    let write_gate = WriteGate::new(&config.remote_write);
    let app = Arc::new(App {
        config,
        clock,
        started_at: now,
        external_url,
        folder,
        samples: joined.samples,
        meta,
        auth: auth::AuthMemory::default(),
        leases: joined.leases,
        node: joined.label,
        queries,
        alerting: Arc::new(alerting),
        receivers: RwLock::new(files.receivers),
        worker,
        pictures,
        monitors: Arc::new(monitors),
        probes_skipped: Arc::default(),
        runbooks,
        inventory: InventoryCache::default(),
        cardinality: History::default(),
        store_holds,
        sources,
        listeners,
        events: Arc::new(events),
        intake,
        outside,
        write_gate,
        remote: Arc::new(remote),
        outgoing,
        pipeline: Arc::new(PipelineStats::default()),
        live,
        self_statsd,
        stopping: CancellationToken::new(),
        reload_errors: RwLock::default(),
    });
    announce_setup(&app).await?;
    senders.start(&tasks, &runtime)?;
    start_tasks(&app, &tasks, &runtime, queue, opened)?;
    gate.open(Arc::clone(&app));
    tracing::info!(
        http = %http_address,
        statsd = ?app.listeners.iter().filter_map(|l| l.endpoint.udp()).collect::<Vec<_>>(),
        "Bellwether is ready at {}",
        app.external_url
    );
    Ok(Running { app, tasks })
}

/// Tasks stop in the reverse of this order: first what brings data, then the flush, which writes the
/// last window and its alerts, then what delivers them. HTTP was started before all of them and answers
/// until the end.
fn start_tasks(
    app: &Arc<App>,
    tasks: &Tasks,
    runtime: &Handle,
    queue: mpsc::Receiver<Incoming>,
    opened: Vec<Opened>,
) -> anyhow::Result<()> {
    let worker = app.worker.clone();
    tasks.spawn("notifications", |stop| async move { worker.run(stop.cancelled_owned()).await });
    let for_forget = Arc::clone(app);
    tasks.spawn("forget", |stop| forget(for_forget, stop));
    store::start_maintenance(app, tasks, runtime)?;
    store::start_following(app, tasks, runtime)?;
    let events = Arc::clone(&app.events);
    tasks.spawn("events", |stop| async move { events.run(queue, stop).await });

    let pipeline = pipeline(app);
    let flush_runtime = runtime.clone();
    tasks.spawn_thread("flush", move |stop| pipeline.run(&flush_runtime, &stop))?;
    let for_measure = Arc::clone(app);
    tasks.spawn("measure", |stop| measure(for_measure, stop));

    for opened in opened {
        listeners::spawn(opened, tasks)?;
    }
    start_monitors(app, tasks)?;
    start_agent(app, tasks)?;
    Ok(())
}

fn pipeline(app: &App) -> Pipeline {
    let statsd = &app.config.statsd;
    let registry = SeriesRegistry::new(RegistryOptions {
        flush_interval_ms: statsd.flush_interval.as_ms(),
        ttl: ingest::TimeToLive {
            counter_ms: statsd.ttl.counter.as_ms(),
            gauge_ms: statsd.ttl.gauge.as_ms(),
            timer_ms: statsd.ttl.timer.as_ms(),
            set_ms: statsd.ttl.set.as_ms(),
        },
        limits: Limits {
            max_series: statsd.max_series,
            max_series_per_source: statsd.max_series_per_source,
        },
        ..RegistryOptions::default()
    });
    Pipeline {
        clock: Arc::clone(&app.clock),
        interval_ms: statsd.flush_interval.as_ms(),
        listeners: app.listeners.clone(),
        sources: Arc::clone(&app.sources),
        registry,
        series: SeriesTable::new(app.node.clone()),
        outside: Arc::clone(&app.outside),
        monitors: Arc::clone(&app.monitors),
        events: Arc::clone(&app.events),
        store: Arc::clone(app.queries.store()),
        outgoing: Arc::clone(&app.outgoing),
        alerting: Arc::clone(&app.alerting),
        leases: Arc::clone(&app.leases),
        node: app.node.clone(),
        has_peers: app.samples.is_shared(),
        live: app.live.clone(),
        stats: Arc::clone(&app.pipeline),
    }
}

/// Renews what this process holds, until everything that needs it has stopped.
fn keep_leases(config: &Config, joined: &Joined, meta: &Meta, tasks: &Tasks) {
    let Some(node) = joined.node.clone() else { return };
    let keep = Keep {
        leases: Arc::clone(&joined.leases),
        meta: meta.clone(),
        holder: joined.holder.clone(),
        node,
        lasts: config.store.lease.0,
    };
    let for_failure = tasks.clone();
    tasks.spawn("leases", |stop| async move {
        if let Err(error) = cluster::keep(keep, stop).await {
            tracing::error!(error, "this process may no longer write and stops");
            for_failure.fail();
        }
    });
}

fn start_monitors(app: &Arc<App>, tasks: &Tasks) -> anyhow::Result<()> {
    let (sender, receiver) = mpsc::channel(RESULT_BUFFER);
    let monitors = Arc::clone(&app.monitors);
    tasks.spawn("monitor-results", |stop| async move { monitors.run(receiver, stop).await });
    let prober = Arc::new(
        Prober::open(app.config.monitors.allow_link_local)
            .context("cannot prepare TLS for the monitors")?,
    );
    let schedule = schedule::Schedule {
        monitors: app.monitors.probed(),
        results: sender,
        clock: Arc::clone(&app.clock),
        concurrency: PROBE_WORKERS,
        skipped: Arc::clone(&app.probes_skipped),
        stop: CancellationToken::new(),
    };
    tasks.spawn("monitor-schedule", |stop| {
        schedule::run(schedule::Schedule { stop, ..schedule }, prober)
    });
    Ok(())
}

fn start_agent(app: &Arc<App>, tasks: &Tasks) -> anyhow::Result<()> {
    let config = &app.config.agent;
    if !config.enabled {
        return Ok(());
    }
    let Some(target) = own_target(&app.listeners) else {
        tracing::warn!(
            "the host collector is off: it needs a UDP listener without a prefix; see statsd.udp"
        );
        return Ok(());
    };
    let agent = Agent {
        target,
        interval: config.interval.0,
        host: config.host.clone(),
        top_processes: config.top_processes,
        databases: config.watched().map_err(anyhow::Error::msg)?,
    };
    tasks.spawn("agent", |stop| async move {
        if let Err(error) = agent::run(agent, stop).await {
            tracing::error!(%error, "the host collector cannot send");
        }
    });
    Ok(())
}

/// Puts own metrics into the next flush.
async fn measure(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(MEASURE_INTERVAL);
    let (mut told, mut told_to_stay) = (BTreeSet::new(), BTreeSet::new());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let readings = app.telemetry().await;
        app.outside.push(readings.samples().map(|(labels, value)| (app.node.add(&labels), value)));
        for (block, page) in app.queries.store().damaged_pages() {
            if told.insert((block, page)) {
                tracing::error!(
                    block,
                    page,
                    "a page cannot be read and is left out of answers; `bellwether check --data` tells \
                     what it holds"
                );
            }
        }
        for (block, page) in app.queries.store().undeletable_pages() {
            if told_to_stay.insert((block, page)) {
                tracing::error!(
                    block,
                    page,
                    "a page that is past its time is damaged where the database keeps it and cannot be \
                     deleted; its room is free again after a backup is taken and restored"
                );
            }
        }
    }
}

/// Removes history that is too old.
async fn forget(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(FORGET_INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if app.leases.held(Role::Rules).is_none() {
            continue;
        }
        let before = app.clock.now() - HISTORY_MS;
        let done = async {
            app.meta.forget_instances(before).await?;
            app.meta.forget_intervals(app.clock.now() - KEPT_MS).await?;
            app.events.forget(app.clock.now() - app.config.events.retention.as_ms()).await?;
            app.meta.forget_notifications(before).await
        };
        if let Err(error) = done.await {
            tracing::error!(error = %model::text::causes(&error), "cannot remove old history");
        }
    }
}

/// Where the server's own StatsD goes: over UDP, and to names that are not changed.
fn own_target(listeners: &[Arc<Listener>]) -> Option<SocketAddr> {
    let mut kept = listeners.iter().filter(|listener| listener.keeps_names);
    kept.find_map(|listener| listener.endpoint.udp())
}

async fn bind_http(config: &Config) -> anyhow::Result<tokio::net::TcpListener> {
    let Some(address) = config.http.address() else { bail!("http.listen is not an address") };
    http::bind(address).await.with_context(|| {
        format!("cannot serve HTTP on {address}; choose another address with --http or http.listen")
    })
}

/// Who takes remote writes, within what the store takes.
fn receiver(config: &Config, store: &Arc<Tsdb>, outgoing: &Arc<Outgoing>) -> Receiver {
    let defaults = tsdb::Options::default();
    let options = ReceiveOptions {
        max_series: config.remote_write.max_series,
        max_exemplars: config.remote_write.max_exemplars,
        out_of_order_window_ms: defaults.out_of_order_window.as_millis() as i64,
        future_window_ms: defaults.future_window.as_millis() as i64,
        // The store forgets a series when it was not written between two seals.
        idle_ms: 2 * config.store.seal_interval.as_ms(),
    };
    Receiver::new(Arc::clone(store), Arc::clone(outgoing), options)
}

fn external_url(config: &Config, http: SocketAddr) -> String {
    match &config.server.external_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None if http.ip().is_unspecified() => format!("http://localhost:{}", http.port()),
        None => format!("http://{http}"),
    }
}

/// Writes the link for the first admin to the log while nobody can sign in.
async fn announce_setup(app: &App) -> anyhow::Result<()> {
    if app.config.auth.mode != AuthMode::Password {
        return Ok(());
    }
    if let Some(secret) = auth::setup_secret(&app.meta).await? {
        tracing::warn!(
            "nobody can sign in yet; make the first admin at {}/setup?token={secret}",
            app.external_url
        );
    }
    Ok(())
}
