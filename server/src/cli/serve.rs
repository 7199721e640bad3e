//! `bellwether serve`: the server until a signal comes.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    app::{self, Running},
    config::{Config, process::Process},
};

/// `SIGXFSZ`, the same number on every Linux that Rust supports but MIPS and SPARC.
const FILE_TOO_LARGE: i32 = 25;

/// How long the last flush, rules and notifications may take together.
const STOP_BOUND: Duration = Duration::from_secs(30);

pub(super) fn run(config: Config) -> anyhow::Result<ExitCode> {
    start_logging(&config.server)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(serve(config))?;
    // Queries that still run hold nothing that matters.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(code)
}

fn start_logging(server: &Process) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&server.log)
        .with_context(|| format!("server.log `{}` is not a log filter", server.log))?;
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if server.json { log.json().try_init() } else { log.try_init() };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    // Signals are taken before anything is started, so that none of them ends the process half way.
    let mut signals = Signals::new()?;
    let running = app::start(config).await?;
    let code = loop {
        tokio::select! {
            _ = signals.reload.recv() => {
                // Errors were logged and are shown in the UI; the old configuration stays.
                drop(running.app.reload().await);
            }
            _ = signals.terminate.recv() => break ExitCode::SUCCESS,
            _ = signals.interrupt.recv() => break ExitCode::SUCCESS,
            () = running.tasks.failed() => break ExitCode::FAILURE,
        }
    };
    tracing::info!("stopping; a second signal ends at once");
    tokio::select! {
        () = stop(&running) => Ok(code),
        _ = signals.terminate.recv() => Ok(ExitCode::FAILURE),
        _ = signals.interrupt.recv() => Ok(ExitCode::FAILURE),
    }
}

async fn stop(running: &Running) {
    running.app.stopping.cancel();
    for task in running.tasks.stop(STOP_BOUND).await {
        tracing::error!(task, "a task did not end in time");
    }
    running.app.samples.close().await;
    running.app.meta.close().await;
    tracing::info!("stopped");
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        // By default it would end the process when a file reaches the size that the system allows; a
        // write that fails is dealt with where it is made.
        drop(signal(SignalKind::from_raw(FILE_TOO_LARGE))?);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }
}
