//! `bellwether send`: a metric from a shell or a script.

use std::{net::UdpSocket, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use ingest::{Arrival, Shard, ShardOptions};

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// Lines such as `orders.created:1|c` or `job.duration:320|ms|#job:backup`
    #[arg(required = true)]
    lines: Vec<String>,
    /// The StatsD listener to send to
    #[arg(long, default_value = "127.0.0.1:8125", value_name = "ADDR")]
    to: String,
}

pub(super) fn run(args: &SendArgs) -> anyhow::Result<ExitCode> {
    for text in &args.lines {
        check(text)?;
    }
    let socket = UdpSocket::bind("0.0.0.0:0").or_else(|_| UdpSocket::bind("[::]:0"))?;
    for text in &args.lines {
        socket
            .send_to(text.as_bytes(), &args.to)
            .with_context(|| format!("cannot send to {}", args.to))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A listener drops a bad line without an answer, so it is refused here.
fn check(text: &str) -> anyhow::Result<()> {
    let mut shard = Shard::new(ShardOptions::default());
    shard.accept(text.as_bytes(), Arrival::default(), &mut |_| {});
    let window = shard.take_window();
    let refused = window.tallies.iter().flat_map(|(_, tally)| tally.rejected.iter()).next();
    match refused {
        None => Ok(()),
        Some((reason, _)) => anyhow::bail!(
            "`{text}` is not a StatsD line ({}); expected NAME:VALUE|TYPE, such as orders.created:1|c",
            reason.as_str()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_bad_line_is_refused_with_the_reason() {
        assert!(check("a.b:1|c|#x:y").is_ok());
        for text in ["a", "a:1", "a:1|zz", "a:x|c"] {
            let error = check(text).unwrap_err().to_string();
            assert!(error.contains("expected NAME:VALUE|TYPE"), "{error}");
        }
    }
}
