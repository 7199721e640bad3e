//! The server's own metrics: what every part counts, by one name each.
//!
//! They are read at `/metrics`, stored at each flush with the label `service="bellwether"`, and shown
//! in the settings page.

use std::fmt::Write as _;

use model::{Labels, Metadata, MetricKind, labels::METRIC_NAME, number::Shortest};

/// A metric of ours: its name, kind and meaning. The table in docs/reference/metrics.md is made of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) kind: MetricKind,
    pub(crate) help: &'static str,
    /// Whether a growing value is a sign of trouble.
    pub(crate) is_loss: bool,
}

macro_rules! definitions {
    ($($constant:ident = $name:literal, $kind:ident, $is_loss:literal, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub(crate) const $constant: Definition = Definition {
                name: $name,
                kind: MetricKind::$kind,
                help: $help,
                is_loss: $is_loss,
            };
        )*
        /// All of them, in the order of the reference.
        pub(crate) const ALL: &[Definition] = &[$($constant),*];
    };
}

definitions! {
    DATAGRAMS = "bellwether_ingest_datagrams_total", Counter, false,
        "Datagrams read, and payloads of connections.";
    BYTES = "bellwether_ingest_bytes_total", Counter, false, "Bytes read.";
    LINES = "bellwether_ingest_lines_total", Counter, false, "StatsD lines read.";
    REJECTED = "bellwether_ingest_rejected_lines_total", Counter, true,
        "Lines that were refused, by reason; /connections names the senders.";
    TRUNCATED = "bellwether_ingest_truncated_datagrams_total", Counter, true,
        "Datagrams cut at the end of the buffer and connections that ended within a line; the last line was not used.";
    KERNEL_DROPS = "bellwether_ingest_kernel_dropped_datagrams_total", Counter, true,
        "Datagrams the kernel dropped because a socket buffer was full; raise `net.core.rmem_max`.";
    READ_ERRORS = "bellwether_ingest_read_errors_total", Counter, true,
        "Reads from a socket that failed, and connections that could not be taken.";
    REFUSED = "bellwether_ingest_refused_total", Counter, true,
        "Datagrams and connections refused before they were read, by reason; /connections names the listener.";
    CONNECTIONS = "bellwether_ingest_connections", Gauge, false, "Connections that are open.";
    CONNECTIONS_ACCEPTED = "bellwether_ingest_accepted_connections_total", Counter, false,
        "Connections that were taken.";
    CONNECTIONS_CLOSED = "bellwether_ingest_closed_connections_total", Counter, true,
        "Connections closed because of what came or did not come, by reason.";
    SELF_FAILED = "bellwether_ingest_self_send_errors_total", Counter, true,
        "Datagrams about ourselves that could not be sent.";
    OUTSIDE_DROPPED = "bellwether_ingest_internal_dropped_samples_total", Counter, true,
        "Samples of monitors and own metrics dropped because there were too many series.";
    SERIES = "bellwether_ingest_live_series", Gauge, false, "Series that StatsD keeps alive, by type.";
    SERIES_CREATED = "bellwether_ingest_created_series_total", Counter, false, "Series that appeared.";
    SERIES_EXPIRED = "bellwether_ingest_expired_series_total", Counter, false,
        "Series that ended because nobody sent them any more.";
    FLUSHES = "bellwether_flush_total", Counter, false, "Windows that were closed and stored.";
    FLUSH_SECONDS = "bellwether_flush_duration_seconds", Gauge, false,
        "How long the last flush took, rules included.";
    FLUSH_MISSED = "bellwether_flush_missed_total", Counter, true,
        "Flushes that were skipped because the one before took too long.";
    CLOCK_STEPS = "bellwether_clock_steps_total", Counter, true,
        "How often the wall clock was set while the server ran, by direction.";
    STORE_SAMPLES = "bellwether_store_appended_samples_total", Counter, false, "Samples stored.";
    STORE_SERIES = "bellwether_store_active_series", Gauge, false, "Series in memory.";
    STORE_REFUSED = "bellwether_store_refused_samples_total", Counter, true,
        "Samples refused as out of order or too old.";
    STORE_DROPPED = "bellwether_store_dropped_samples_total", Counter, true,
        "Samples dropped because the database was gone for too long.";
    STORE_FAILURES = "bellwether_store_write_errors_total", Counter, true,
        "Writes to the sample database that failed; they are repeated.";
    STORE_HEALTHY = "bellwether_store_healthy", Gauge, false,
        "1 while what is stored is on disk at once, 0 while flushes wait in memory because the database fails.";
    STORE_WAITING = "bellwether_store_waiting_flushes", Gauge, true,
        "Flushes that wait in memory for the database; `store.max_waiting` bounds them.";
    STORE_WAITING_BYTES = "bellwether_store_waiting_bytes", Gauge, true, "Bytes of these flushes.";
    STORE_DAMAGED = "bellwether_store_damaged_total", Counter, true,
        "Frames and pages that failed their checksum and were left out.";
    STORE_BLOCKS = "bellwether_store_blocks", Gauge, false, "Sealed blocks.";
    STORE_ROLLUPS = "bellwether_store_rollup_blocks", Gauge, false, "Blocks of rollups.";
    STORE_SIZE = "bellwether_store_bytes", Gauge, false,
        "Bytes of all that is stored: pages, indexes and frames; `store.retention_size` limits them.";
    STORE_EXPIRED = "bellwether_store_expired_blocks_total", Counter, false,
        "Blocks deleted because their time was up.";
    STORE_EVICTED = "bellwether_store_evicted_blocks_total", Counter, false,
        "Blocks deleted before their time because of `store.retention_size`.";
    STORE_DELETIONS = "bellwether_store_deletions_total", Counter, false,
        "Deletions of series.";
    STORE_PENDING_DELETIONS = "bellwether_store_pending_deletions", Gauge, false,
        "Deletions whose room is not free yet.";
    STORE_HOLD = "bellwether_store_longest_hold_seconds", Gauge, false,
        "The longest time since the start that background work held up writers of samples.";
    STORE_BYTES = "bellwether_store_page_bytes", Gauge, false, "Bytes of all pages.";
    STORE_PEERS = "bellwether_store_peers", Gauge, false,
        "Other nodes on the same database whose samples are in memory or in blocks.";
    STORE_PEER_SERIES = "bellwether_store_peer_series", Gauge, false,
        "Series in memory that other nodes write.";
    STORE_PEER_FLUSHES = "bellwether_store_peer_flushes_total", Counter, false,
        "Flushes of other nodes that were taken over.";
    LEASE_HELD = "bellwether_lease_held", Gauge, false,
        "1 for what this process does now of that which only one does at a time: rules, monitors, outbox.";
    LEASE_TAKEOVERS = "bellwether_lease_takeovers_total", Counter, false,
        "How often this process took a role over from another, or from itself before a restart.";
    LEASE_LOSSES = "bellwether_lease_losses_total", Counter, true,
        "How often another process took a role over from this one while it ran.";
    WRITE_REQUESTS = "bellwether_remote_write_requests_total", Counter, false,
        "Remote write requests by protocol and answer.";
    WRITE_SAMPLES = "bellwether_remote_write_samples_total", Counter, false,
        "Numbers taken by remote write.";
    WRITE_HISTOGRAMS = "bellwether_remote_write_histograms_total", Counter, false,
        "Native histograms taken by remote write.";
    WRITE_REFUSED = "bellwether_remote_write_refused_samples_total", Counter, true,
        "Samples of remote write that were refused, by reason; the sender was told the series.";
    WRITE_REPLACED = "bellwether_remote_write_replaced_samples_total", Counter, false,
        "Values that gave way to another one that remote write brought for the same series and time.";
    WRITE_IGNORED = "bellwether_remote_write_ignored_total", Counter, false,
        "What remote write brought and the store does not keep: created times.";
    EXEMPLARS = "bellwether_exemplars", Gauge, false,
        "Exemplars in memory; `remote_write.max_exemplars` is the limit.";
    EXEMPLARS_STORED = "bellwether_exemplars_stored_total", Counter, false,
        "Exemplars that remote write brought and that were stored.";
    EXEMPLARS_DROPPED = "bellwether_exemplars_dropped_total", Counter, false,
        "Exemplars that gave way to newer ones, were older than the newest of their series, or had bad labels, by reason.";
    WRITE_SERIES = "bellwether_remote_write_series", Gauge, false,
        "Series that remote write keeps alive; `remote_write.max_series` is the limit.";
    SENT_SAMPLES = "bellwether_remote_write_sent_samples_total", Counter, false,
        "Samples that an endpoint of remote write took.";
    SENT_REQUESTS = "bellwether_remote_write_sent_requests_total", Counter, false,
        "Requests that an endpoint of remote write took.";
    SENT_RETRIES = "bellwether_remote_write_retries_total", Counter, false,
        "Requests to an endpoint of remote write that failed and are repeated.";
    SENT_DROPPED = "bellwether_remote_write_dropped_samples_total", Counter, true,
        "Samples that an endpoint of remote write will not get, by reason.";
    SENT_BACKLOG = "bellwether_remote_write_backlog_samples", Gauge, false,
        "Samples that wait on disk for an endpoint of remote write.";
    SENT_BACKLOG_BYTES = "bellwether_remote_write_backlog_bytes", Gauge, false,
        "Packed requests that wait on disk for an endpoint of remote write.";
    SENT_BACKLOG_AGE = "bellwether_remote_write_backlog_age_seconds", Gauge, false,
        "How long the oldest request has waited for an endpoint of remote write.";
    QUERIES = "bellwether_query_total", Counter, false, "Queries asked.";
    QUERIES_FAILED = "bellwether_query_failed_total", Counter, false, "Queries that had no answer.";
    QUERIES_SLOW = "bellwether_query_slow_total", Counter, false,
        "Queries that took longer than `query.slow`; the log has them.";
    QUERY_CACHE_HITS = "bellwether_query_cache_hits_total", Counter, false,
        "Range queries that used an answer that was kept.";
    QUERY_CACHE_MISSES = "bellwether_query_cache_misses_total", Counter, false,
        "Range queries that found no answer that was kept.";
    QUERY_CACHE_BYTES = "bellwether_query_cache_bytes", Gauge, false,
        "Memory of answers that are kept.";
    RULES = "bellwether_rules", Gauge, false, "Rules that are evaluated.";
    RULES_FAILING = "bellwether_rules_failing", Gauge, true, "Rules whose last evaluation failed.";
    RULE_SECONDS = "bellwether_rules_duration_seconds", Gauge, false,
        "How long the last evaluation of all rules took.";
    RULES_MISSED = "bellwether_rules_missed_total", Counter, true, "Evaluations that were skipped.";
    ALERTS = "bellwether_alerts", Gauge, false, "Alerts by state.";
    ALERT_COMMIT_ERRORS = "bellwether_alerts_commit_errors_total", Counter, true,
        "Alert states that could not be stored; the next evaluation tries again.";
    OUTBOX_PENDING = "bellwether_outbox_pending", Gauge, false, "Notifications that wait to be sent.";
    OUTBOX_SENT = "bellwether_outbox_sent", Gauge, false, "Notifications that were sent.";
    OUTBOX_DEAD = "bellwether_outbox_dead", Gauge, true,
        "Notifications that were given up; the alert's page says why.";
    MONITORS = "bellwether_monitors", Gauge, false, "Monitors by state.";
    EVENTS_STORED = "bellwether_events_stored_total", Counter, false, "Events that were stored.";
    EVENTS_DROPPED = "bellwether_events_dropped_total", Counter, true,
        "Events and reports of service checks that were dropped, by reason.";
    EVENTS_SHORTENED = "bellwether_events_shortened_texts_total", Counter, true,
        "Texts of events and service checks that were cut because they were too long.";
    EVENTS_QUEUED = "bellwether_events_queue_depth", Gauge, false,
        "Events and reports of service checks that wait for the database.";
    EVENTS_WRITE_ERRORS = "bellwether_events_write_errors_total", Counter, true,
        "Writes of events and service checks that failed; they are repeated.";
    CHECK_REPORTS = "bellwether_service_check_reports_total", Counter, false,
        "Reports of service checks that were taken in.";
    CHECKS = "bellwether_service_checks", Gauge, false, "Service checks by status.";
    PROBES_SKIPPED = "bellwether_monitors_skipped_checks_total", Counter, true,
        "Checks that were skipped because the one before still ran or all workers were busy.";
    MONITOR_COMMIT_ERRORS = "bellwether_monitors_commit_errors_total", Counter, true,
        "Changes of the uptime ledger that could not be stored.";
}

/// What the store is told of our metrics.
pub(crate) fn metadata() -> impl Iterator<Item = Metadata> {
    ALL.iter().map(|definition| Metadata {
        metric: definition.name.to_owned(),
        kind: definition.kind,
        unit: String::new(),
        help: definition.help.to_owned(),
        original: String::new(),
    })
}

/// The value of a metric, with labels when there are several.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) definition: Definition,
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: f64,
}

/// All values at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readings(pub(crate) Vec<Reading>);

impl Readings {
    /// Adds a value.
    pub(crate) fn add(&mut self, definition: Definition, value: impl IntoF64) {
        self.add_with(definition, [], value);
    }

    /// Adds one of several values.
    pub(crate) fn add_labeled(
        &mut self,
        definition: Definition,
        label: &'static str,
        label_value: impl Into<String>,
        value: impl IntoF64,
    ) {
        self.add_with(definition, [(label, label_value.into())], value);
    }

    /// Adds one of several values that are told apart by several labels.
    pub(crate) fn add_with<const N: usize>(
        &mut self,
        definition: Definition,
        labels: [(&'static str, String); N],
        value: impl IntoF64,
    ) {
        self.0.push(Reading { definition, labels: labels.into(), value: value.into_f64() });
    }

    /// As samples for the store.
    pub(crate) fn samples(&self) -> impl Iterator<Item = (Labels, f64)> + '_ {
        self.0.iter().map(|reading| {
            let own = [(METRIC_NAME, reading.definition.name), ("service", "bellwether")];
            let labels = reading.labels.iter().map(|(name, value)| (*name, value.as_str()));
            (Labels::from_pairs(own.into_iter().chain(labels)), reading.value)
        })
    }

    /// As OpenMetrics text.
    pub(crate) fn open_metrics(&self) -> String {
        let mut text = String::new();
        let mut last = "";
        for reading in &self.0 {
            let definition = reading.definition;
            // OpenMetrics names a counter without its suffix where it describes it.
            let family = match definition.kind {
                MetricKind::Counter => definition.name.trim_end_matches("_total"),
                _ => definition.name,
            };
            if family != last {
                let kind = definition.kind.as_str();
                // Writing to a text never fails.
                let _ =
                    writeln!(text, "# TYPE {family} {kind}\n# HELP {family} {}", definition.help);
                last = family;
            }
            let value = Shortest::Plain(reading.value);
            let labels: Vec<String> = reading
                .labels
                .iter()
                .map(|(name, label)| format!("{name}={}", model::labels::Quoted(label)))
                .collect();
            let _ = match labels.as_slice() {
                [] => writeln!(text, "{} {value}", definition.name),
                labels => writeln!(text, "{}{{{}}} {value}", definition.name, labels.join(",")),
            };
        }
        text.push_str("# EOF\n");
        text
    }
}

/// Numbers that may be readings.
pub(crate) trait IntoF64 {
    fn into_f64(self) -> f64;
}

impl IntoF64 for f64 {
    fn into_f64(self) -> f64 {
        self
    }
}

impl IntoF64 for u64 {
    fn into_f64(self) -> f64 {
        self as f64
    }
}

impl IntoF64 for usize {
    fn into_f64(self) -> f64 {
        self as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_convention() {
        for definition in ALL {
            let is_total = definition.name.ends_with("_total");
            assert_eq!(definition.kind == MetricKind::Counter, is_total, "{}", definition.name);
            assert!(definition.name.starts_with("bellwether_"), "{}", definition.name);
            assert!(definition.help.ends_with('.'), "{}", definition.name);
        }
        let mut names: Vec<&str> = ALL.iter().map(|d| d.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn the_text_is_open_metrics() {
        let mut readings = Readings::default();
        readings.add(LINES, 3_u64);
        readings.add_labeled(ALERTS, "state", "firing", 1.5);
        readings.add_labeled(ALERTS, "state", "pending", 0_usize);
        let expected = "# TYPE bellwether_ingest_lines counter\n# HELP bellwether_ingest_lines StatsD lines read.\n\
            bellwether_ingest_lines_total 3\n# TYPE bellwether_alerts gauge\n# HELP bellwether_alerts Alerts by state.\n\
            bellwether_alerts{state=\"firing\"} 1.5\nbellwether_alerts{state=\"pending\"} 0\n# EOF\n";
        assert_eq!(readings.open_metrics(), expected);
    }
}
