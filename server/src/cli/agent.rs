//! `bellwether agent`: the host collector on its own, for machines without a server.

use std::{net::ToSocketAddrs as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::{
    agent::{self, Agent},
    config::agent::{Database, MAX_TOP_PROCESSES},
};

#[derive(Debug, Args)]
pub(super) struct AgentArgs {
    /// The StatsD listener to send to
    #[arg(long, value_name = "ADDR")]
    statsd: String,
    /// How often
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    interval: String,
    /// The value of the `host` label; by default the machine's name
    #[arg(long)]
    host: Option<String>,
    /// How many commands to tell that use the most processor time or memory; 0 for none
    #[arg(long, default_value_t = 10, value_name = "N")]
    top_processes: usize,
    /// A database server whose connections are counted, `postgres://user@host/database` or
    /// `mysql://user@host/`; may be given several times
    #[arg(long, value_name = "URL")]
    database: Vec<String>,
    /// A file with the password of the database servers: on the command line everybody could see it
    #[arg(long, value_name = "FILE", requires = "database")]
    database_password_file: Option<PathBuf>,
}

pub(super) fn run(args: AgentArgs) -> anyhow::Result<ExitCode> {
    let target =
        args.statsd.to_socket_addrs().ok().and_then(|mut found| found.next()).with_context(
            || format!("--statsd `{}` is not an address, expected host:8125", args.statsd),
        )?;
    let interval = model::duration::parse(&args.interval).context("--interval")?;
    anyhow::ensure!(interval.as_secs() >= 1, "--interval must be at least 1s");
    anyhow::ensure!(
        args.top_processes <= MAX_TOP_PROCESSES,
        "--top-processes must be at most {MAX_TOP_PROCESSES}"
    );
    let databases = args
        .database
        .into_iter()
        .map(|url| Database::new(url, args.database_password_file.clone()).watched())
        .collect::<Result<Vec<_>, String>>()
        .map_err(anyhow::Error::msg)
        .context("--database")?;
    let runtime = super::small_runtime()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let (host, top_processes) = (args.host, args.top_processes);
        let agent = Agent { target, interval, host, top_processes, databases };
        tokio::select! {
            result = agent::run(agent, stop) => result.context("cannot send host metrics")?,
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}
