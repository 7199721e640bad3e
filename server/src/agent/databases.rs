//! Database servers: how many connections they have, asked of each over a connection that is held.

use std::time::Duration;

use db::{
    Watched,
    watch::{ConnectionCounts, System},
};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::collector::Output;

/// How long a server may take. It is asked at the same time as all others, before the rest is
/// collected.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a server said.
#[derive(Debug)]
pub(super) struct Reading {
    system: System,
    address: String,
    /// `None` when it did not answer.
    counts: Option<ConnectionCounts>,
}

/// The servers that are asked.
#[derive(Debug)]
pub(super) struct Databases(Vec<Database>);

#[derive(Debug)]
struct Database {
    watched: Watched,
    is_answering: bool,
}

impl Databases {
    pub(super) fn new(watched: Vec<Watched>) -> Self {
        let database = |watched| Database { watched, is_answering: true };
        Self(watched.into_iter().map(database).collect())
    }

    /// Asks all, in at most `patience` or [`PATIENCE`].
    pub(super) async fn ask(&mut self, patience: Duration) -> Vec<Reading> {
        join_all(self.0.iter_mut().map(|database| database.ask(patience.min(PATIENCE)))).await
    }
}

impl Database {
    async fn ask(&mut self, patience: Duration) -> Reading {
        let answer = match timeout(patience, self.watched.counts()).await {
            Ok(Ok(counts)) => Ok(counts),
            Ok(Err(error)) => Err(model::text::causes(&error)),
            Err(_) => Err("it does not answer".to_owned()),
        };
        let server = self.watched.address();
        match &answer {
            Ok(_) if !self.is_answering => {
                tracing::info!(server, "the database server answers again");
            }
            Err(error) if self.is_answering => {
                tracing::warn!(
                    server, %error,
                    "the connections of a database server cannot be counted; tried again each time"
                );
            }
            _ => {}
        }
        self.is_answering = answer.is_ok();
        Reading { system: self.watched.system(), address: server.to_owned(), counts: answer.ok() }
    }
}

/// Adds whether each server answers, and its connections.
pub(super) fn collect(readings: &[Reading], output: &mut Output) {
    for Reading { system, address, counts } in readings {
        let server = [("system", system.as_str()), ("server", address.as_str())];
        output.gauge("host.database.up", &server, f64::from(u8::from(counts.is_some())));
        let Some(counts) = counts else { continue };
        let (used, max) = (counts.used as f64, counts.max as f64);
        output.gauge("host.database.connections_used", &server, used);
        output.gauge("host.database.connections_max", &server, max);
        output.ratio("host.database.connections_used_ratio", &server, used, max);
        if let Some(waiting) = counts.waiting {
            output.gauge("host.database.connections_waiting", &server, waiting as f64);
        }
        if let Some(refused) = counts.refused_total {
            output.counter("host.database.connections_refused", &server, refused as f64);
        }
        for (state, count) in &counts.by_state {
            let tags = [server[0], server[1], ("state", state.as_str())];
            output.gauge("host.database.connections", &tags, *count as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{
        collector::{Collector, Options},
        source::Roots,
    };

    #[test]
    fn connections_are_told_by_server_and_state() {
        let roots = Roots { proc: "/none".into(), sys: "/none".into(), root: "/none".into() };
        let options = Options { host: Some("box".to_owned()), top_processes: 0 };
        let mut collector = Collector::new(roots, options);
        let counts = |refused| ConnectionCounts {
            used: 25,
            max: 100,
            waiting: Some(2),
            refused_total: Some(refused),
            by_state: [("active".to_owned(), 5), ("idle".to_owned(), 20)].into(),
        };
        let reading =
            |counts| Reading { system: System::PostgreSql, address: "db:5432".to_owned(), counts };
        let mut collect = |seconds, counts| {
            let lines = collector.collect(Duration::from_secs(seconds), &[reading(counts)]);
            let lines = lines.iter().map(|line| {
                let text = line.to_string();
                text.replace("|#host:box,system:postgresql,server:db:5432", "")
            });
            lines.filter(|line| line.starts_with("host.database")).collect::<Vec<_>>()
        };
        let mut expected = vec![
            "host.database.up:1|g",
            "host.database.connections_used:25|g",
            "host.database.connections_max:100|g",
            "host.database.connections_used_ratio:0.25|g",
            "host.database.connections_waiting:2|g",
            "host.database.connections:5|g,state:active",
            "host.database.connections:20|g,state:idle",
        ];
        assert_eq!(collect(0, Some(counts(3))), expected);
        expected.insert(5, "host.database.connections_refused:4|c");
        assert_eq!(collect(10, Some(counts(7))), expected);
        assert_eq!(collect(20, None), ["host.database.up:0|g"]);
    }
}
