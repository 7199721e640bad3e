//! `bellwether agent`: the host collector on its own, for machines without a server.

use std::{net::ToSocketAddrs as _, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::agent::{self, Agent};

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
}

pub(super) fn run(args: AgentArgs) -> anyhow::Result<ExitCode> {
    let target =
        args.statsd.to_socket_addrs().ok().and_then(|mut found| found.next()).with_context(
            || format!("--statsd `{}` is not an address, expected host:8125", args.statsd),
        )?;
    let interval = model::duration::parse(&args.interval).context("--interval")?;
    anyhow::ensure!(interval.as_secs() >= 1, "--interval must be at least 1s");
    let runtime = super::small_runtime()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let agent = Agent { target, interval, host: args.host };
        tokio::select! {
            result = agent::run(agent, stop) => result.context("cannot send host metrics")?,
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}
