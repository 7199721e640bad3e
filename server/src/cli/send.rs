//! `bellwether send`: a metric, an event or a service check from a shell or a script.

use std::{net::UdpSocket, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use ingest::{Arrival, Reason, Shard, ShardOptions};

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// Lines such as `orders.created:1|c`, `_e{8,11}:Deployed|Version 1.2|#service:shop` or
    /// `_sc|backup|0|m:312 files`
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
        Some((reason, _)) => {
            let expected = match reason {
                Reason::BadEvent => {
                    "_e{BYTES OF TITLE,BYTES OF TEXT}:TITLE|TEXT, such as _e{8,11}:Deployed|Version 1.2"
                }
                Reason::BadServiceCheck => "_sc|NAME|0 to 3, such as _sc|backup|0",
                _ => "NAME:VALUE|TYPE, such as orders.created:1|c",
            };
            anyhow::bail!(
                "`{text}` is not a StatsD line ({}); expected {expected}",
                reason.as_str()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_bad_line_is_refused_with_the_reason() {
        for text in ["a.b:1|c|#x:y", "_e{1,1}:a|b", "_sc|a|0"] {
            assert!(check(text).is_ok(), "{text}");
        }
        for (text, expected) in [
            ("a", "NAME:VALUE|TYPE"),
            ("a:1", "NAME:VALUE|TYPE"),
            ("a:1|zz", "NAME:VALUE|TYPE"),
            ("a:x|c", "NAME:VALUE|TYPE"),
            ("_e{1,2}:a|b", "_e{BYTES OF TITLE"),
            ("_sc|a|up", "_sc|NAME|0 to 3"),
        ] {
            let error = check(text).unwrap_err().to_string();
            assert!(error.contains(&format!("expected {expected}")), "{error}");
        }
    }
}
