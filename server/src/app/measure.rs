//! Reads what every part counts.

use std::sync::atomic::{AtomicU64, Ordering};

use ingest::SeriesKind;
use rules::State;

use super::App;
use crate::{
    cluster::Role,
    listen::{Listener, Loss},
    remote::{
        outgoing::endpoint::{self, EndpointBooks},
        refusal::Reason,
    },
    self_statsd::SelfStatsd,
    telemetry::{self as t, Readings},
};

impl App {
    /// All own metrics at this moment.
    pub(crate) async fn telemetry(&self) -> Readings {
        let mut readings = Readings::default();
        self.measure_ingest(&mut readings);
        self.measure_store(&mut readings);
        self.measure_leases(&mut readings);
        self.measure_remote_write(&mut readings);
        self.measure_rules(&mut readings);
        match self.meta.outbox_counts().await {
            Ok(counts) => {
                readings.add(t::OUTBOX_PENDING, counts.pending);
                readings.add(t::OUTBOX_SENT, counts.sent);
                readings.add(t::OUTBOX_DEAD, counts.dead);
            }
            Err(error) => {
                tracing::error!(error = %model::text::causes(&error), "cannot count notifications");
            }
        }
        for (state, count) in self.monitors.counts() {
            readings.add_labeled(t::MONITORS, "state", state.as_str(), count);
        }
        readings.add(t::MONITOR_COMMIT_ERRORS, self.monitors.commit_errors());
        self.measure_events(&mut readings);
        readings.add(t::PROBES_SKIPPED, self.probes_skipped.load(Ordering::Relaxed));
        readings
    }

    fn measure_ingest(&self, readings: &mut Readings) {
        let total = self.sources.total();
        readings.add(t::DATAGRAMS, total.datagrams);
        readings.add(t::BYTES, total.bytes);
        readings.add(t::LINES, total.lines);
        for (reason, count) in total.rejected.iter() {
            readings.add_labeled(t::REJECTED, "reason", reason.as_str(), count);
        }
        readings.add(t::TRUNCATED, total.truncated);
        self.measure_listeners(readings);
        readings.add(t::SELF_FAILED, self.self_statsd.as_ref().map_or(0, SelfStatsd::failed));
        readings.add(t::OUTSIDE_DROPPED, self.outside.dropped());
        let report = self.pipeline.report();
        for (kind, live) in SeriesKind::ALL.into_iter().zip(report.live) {
            readings.add_labeled(t::SERIES, "type", kind.as_str(), live);
        }
        readings.add(t::SERIES_CREATED, self.pipeline.created.load(Ordering::Relaxed));
        readings.add(t::SERIES_EXPIRED, self.pipeline.expired.load(Ordering::Relaxed));
        readings.add(t::FLUSHES, self.pipeline.flushes.load(Ordering::Relaxed));
        readings.add(t::FLUSH_SECONDS, self.pipeline.last_us.load(Ordering::Relaxed) as f64 / 1e6);
        for (direction, steps) in ["forward", "back"].into_iter().zip(&self.pipeline.clock_steps) {
            let steps = steps.load(Ordering::Relaxed);
            readings.add_labeled(t::CLOCK_STEPS, "direction", direction, steps);
        }
        readings.add(t::FLUSH_MISSED, self.pipeline.missed.load(Ordering::Relaxed));
    }

    fn measure_leases(&self, readings: &mut Readings) {
        let roles = || Role::ALL.into_iter();
        for role in roles() {
            let is_held = usize::from(self.leases.held(role).is_some());
            readings.add_labeled(t::LEASE_HELD, "role", role.as_str(), is_held);
        }
        for role in roles() {
            let takeovers = self.leases.takeovers(role);
            readings.add_labeled(t::LEASE_TAKEOVERS, "role", role.as_str(), takeovers);
        }
        for role in roles() {
            let losses = self.leases.losses(role);
            readings.add_labeled(t::LEASE_LOSSES, "role", role.as_str(), losses);
        }
    }

    fn measure_events(&self, readings: &mut Readings) {
        let books = self.events.books();
        readings.add(t::EVENTS_STORED, books.stored());
        for loss in crate::events::Loss::ALL {
            readings.add_labeled(t::EVENTS_DROPPED, "reason", loss.as_str(), books.lost(loss));
        }
        readings.add(t::EVENTS_SHORTENED, books.shortened());
        readings.add(t::EVENTS_QUEUED, self.intake.depth());
        readings.add(t::EVENTS_WRITE_ERRORS, books.write_errors());
        readings.add(t::CHECK_REPORTS, books.reports());
        for (status, count) in self.events.check_counts() {
            readings.add_labeled(t::CHECKS, "status", status.as_str(), count);
        }
    }

    fn measure_listeners(&self, readings: &mut Readings) {
        let sum = |of: fn(&Listener) -> u64| self.listeners.iter().map(|l| of(l)).sum::<u64>();
        let lost = |loss| self.listeners.iter().map(|l| l.lost(loss)).sum::<u64>();
        readings.add(t::KERNEL_DROPS, sum(Listener::kernel_drops));
        readings.add(t::READ_ERRORS, lost(Loss::ReadError));
        for loss in Loss::REFUSED {
            readings.add_labeled(t::REFUSED, "reason", loss.as_str(), lost(loss));
        }
        readings.add(t::CONNECTIONS, sum(|listener| listener.connections() as u64));
        readings.add(t::CONNECTIONS_ACCEPTED, sum(Listener::accepted));
        for loss in Loss::CLOSED {
            readings.add_labeled(t::CONNECTIONS_CLOSED, "reason", loss.as_str(), lost(loss));
        }
    }

    fn measure_store(&self, readings: &mut Readings) {
        let stats = self.queries.store().stats();
        readings.add(t::STORE_SAMPLES, stats.appended);
        readings.add(t::STORE_SERIES, stats.head_series);
        readings.add(t::STORE_REFUSED, stats.out_of_order + stats.too_old + stats.too_new);
        readings.add(t::STORE_DROPPED, stats.dropped_samples);
        readings.add(t::STORE_FAILURES, stats.engine_failures);
        readings.add(t::STORE_HEALTHY, u64::from(self.queries.store().health().is_healthy()));
        readings.add(t::STORE_WAITING, stats.backlog_frames);
        readings.add(t::STORE_WAITING_BYTES, stats.backlog_bytes);
        readings.add(
            t::STORE_DAMAGED,
            stats.damaged_frames
                + stats.damaged_blocks
                + stats.damaged_pages
                + stats.damaged_series,
        );
        readings.add(t::STORE_BLOCKS, stats.blocks);
        readings.add(t::STORE_PEERS, stats.peers);
        readings.add(t::STORE_PEER_SERIES, stats.peer_series);
        readings.add(t::STORE_PEER_FLUSHES, stats.peer_frames);
        readings.add(t::STORE_ROLLUPS, stats.rollup_blocks);
        readings.add(t::STORE_SIZE, stats.stored_bytes);
        readings.add(t::STORE_EXPIRED, stats.expired_blocks);
        readings.add(t::STORE_EVICTED, stats.evicted_blocks);
        readings.add(t::STORE_DELETIONS, stats.deletions);
        readings.add(t::STORE_PENDING_DELETIONS, stats.pending_deletions);
        let hold = stats.longest_hold_ns.max(self.store_holds.longest_ns());
        readings.add(t::STORE_HOLD, hold as f64 / 1e9);
        readings.add(t::STORE_BYTES, stats.page_bytes);
        readings.add(t::QUERIES, self.queries.stats.total.load(Ordering::Relaxed));
        readings.add(t::QUERIES_FAILED, self.queries.stats.failed.load(Ordering::Relaxed));
        readings.add(t::QUERIES_SLOW, self.queries.stats.slow.load(Ordering::Relaxed));
        let cache = &self.queries.cache;
        readings.add(t::QUERY_CACHE_HITS, cache.hits.load(Ordering::Relaxed));
        readings.add(t::QUERY_CACHE_MISSES, cache.misses.load(Ordering::Relaxed));
        readings.add(t::QUERY_CACHE_BYTES, cache.bytes() as u64);
    }

    fn measure_remote_write(&self, readings: &mut Readings) {
        let stats = &self.remote.stats;
        for ((protocol, code), count) in stats.requests() {
            let protocol = protocol.map_or("unknown", remote::Protocol::as_str);
            let labels = [("protocol", protocol.to_owned()), ("code", code.to_string())];
            readings.add_with(t::WRITE_REQUESTS, labels, count);
        }
        readings.add(t::WRITE_SAMPLES, stats.samples.load(Ordering::Relaxed));
        readings.add(t::WRITE_HISTOGRAMS, stats.histograms.load(Ordering::Relaxed));
        for reason in Reason::ALL {
            readings.add_labeled(
                t::WRITE_REFUSED,
                "reason",
                reason.as_str(),
                stats.refused(reason),
            );
        }
        readings.add(t::WRITE_REPLACED, stats.replaced.load(Ordering::Relaxed));
        let created_times = stats.created_times.load(Ordering::Relaxed);
        readings.add_labeled(t::WRITE_IGNORED, "kind", "created_times", created_times);
        self.measure_exemplars(readings);
        readings.add(t::WRITE_SERIES, self.remote.series());
        self.measure_endpoints(readings);
    }

    fn measure_exemplars(&self, readings: &mut Readings) {
        let stats = &self.remote.exemplars.stats;
        readings.add(t::EXEMPLARS, self.remote.exemplars.len());
        readings.add(t::EXEMPLARS_STORED, stats.stored.load(Ordering::Relaxed));
        for (reason, count) in [
            ("overwritten", &stats.overwritten),
            ("out_of_order", &stats.out_of_order),
            ("bad_labels", &stats.bad_labels),
        ] {
            let count = count.load(Ordering::Relaxed);
            readings.add_labeled(t::EXEMPLARS_DROPPED, "reason", reason, count);
        }
    }

    fn measure_endpoints(&self, readings: &mut Readings) {
        let now = self.clock.now();
        let each = |readings: &mut Readings, definition, of: &dyn Fn(&EndpointBooks) -> f64| {
            for endpoint in &self.outgoing.endpoints {
                let value = of(&endpoint.books);
                readings.add_labeled(definition, "endpoint", endpoint.name.clone(), value);
            }
        };
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed) as f64;
        each(readings, t::SENT_SAMPLES, &|books| load(&books.sent_samples));
        each(readings, t::SENT_REQUESTS, &|books| load(&books.sent_requests));
        each(readings, t::SENT_RETRIES, &|books| load(&books.retries));
        for sent_to in &self.outgoing.endpoints {
            for loss in endpoint::Loss::ALL {
                let labels =
                    [("endpoint", sent_to.name.clone()), ("reason", loss.as_str().to_owned())];
                readings.add_with(t::SENT_DROPPED, labels, sent_to.books.lost(loss));
            }
        }
        each(readings, t::SENT_BACKLOG, &|books| load(&books.backlog_samples));
        each(readings, t::SENT_BACKLOG_BYTES, &|books| load(&books.backlog_bytes));
        each(readings, t::SENT_BACKLOG_AGE, &|books| books.age_ms(now) as f64 / 1000.0);
    }

    fn measure_rules(&self, readings: &mut Readings) {
        let view = self.alerting.view();
        readings.add(t::RULES, view.rule_count());
        readings.add(t::RULES_FAILING, view.failing().count());
        readings.add(t::RULE_SECONDS, view.duration.as_secs_f64());
        readings.add(t::RULES_MISSED, view.missed());
        for state in [State::Pending, State::Firing, State::Recovering] {
            readings.add_labeled(t::ALERTS, "state", state.as_str(), view.count(state));
        }
        readings.add(t::ALERT_COMMIT_ERRORS, self.alerting.commit_errors());
    }
}
