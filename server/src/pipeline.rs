//! The flush: every interval the windows of all readers are closed, stored under one timestamp, and the
//! rules are evaluated on what was just stored.
//!
//! It runs on a thread of its own, because the store and the database block.

mod clock;
mod outside;
mod series;
mod tick;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use api_types::LiveEvent;
use ingest::{FlushReport, Offender, Registry, SourceId};
use model::{
    Clock, Column, Labels, Matcher, Sample, Storage, StorageError, Timestamp, storage::Select,
};
use tokio::{
    runtime::Handle,
    sync::{broadcast, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tsdb::{Health, Newest, Tsdb};

use clock::ClockWatch;
pub(crate) use outside::Outside;
pub(crate) use series::SeriesTable;
pub(crate) use tick::StoreSink;

use crate::{
    alerting::Alerting,
    cluster::{Leases, NodeLabel, Role},
    events::Events,
    listen::{Listener, Sources},
    monitors::Monitors,
    remote::outgoing::Outgoing,
};

/// The longest time between two looks at the clock, so that a step of the wall clock is noticed.
const MAX_SLEEP: Duration = Duration::from_secs(1);

/// What the flush counts.
#[derive(Debug, Default)]
pub(crate) struct PipelineStats {
    /// Flushes done.
    pub(crate) flushes: AtomicU64,
    /// Flushes skipped because the one before took too long.
    pub(crate) missed: AtomicU64,
    /// How often the wall clock was set forward, and back.
    pub(crate) clock_steps: [AtomicU64; 2],
    /// How long the last one took, in microseconds.
    pub(crate) last_us: AtomicU64,
    /// The timestamp of the last one; 0 before the first.
    pub(crate) last_at: std::sync::atomic::AtomicI64,
    /// Series that appeared.
    pub(crate) created: AtomicU64,
    /// Series that ended.
    pub(crate) expired: AtomicU64,
    books: Mutex<Books>,
}

/// What is known after the last flush.
#[derive(Debug, Clone, Default)]
struct Books {
    report: FlushReport,
    offenders: Vec<Offender>,
    series_by_source: HashMap<SourceId, usize>,
}

impl PipelineStats {
    fn books(&self) -> MutexGuard<'_, Books> {
        // Written in one go at each flush, so never half done.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last flush's report.
    pub(crate) fn report(&self) -> FlushReport {
        self.books().report.clone()
    }

    /// Names whose lines are refused most.
    pub(crate) fn offenders(&self) -> Vec<Offender> {
        self.books().offenders.clone()
    }

    /// How many live series each sender made.
    pub(crate) fn series_by_source(&self) -> HashMap<SourceId, usize> {
        self.books().series_by_source.clone()
    }

    fn note(&self, report: FlushReport, registry: &Registry, sources: &Sources) {
        self.created.fetch_add(report.created as u64, Ordering::Relaxed);
        self.expired.fetch_add(report.expired as u64, Ordering::Relaxed);
        let ids = sources.books().into_iter().map(|(id, _)| id);
        let mut books = self.books();
        books.report = report;
        books.offenders = registry.offenders().sorted();
        books.series_by_source = ids.map(|id| (id, registry.series_of_source(id))).collect();
    }
}

/// What the flush works on.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) interval_ms: i64,
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) registry: Registry,
    pub(crate) series: SeriesTable,
    pub(crate) outside: Arc<Outside>,
    pub(crate) monitors: Arc<Monitors>,
    pub(crate) events: Arc<Events>,
    pub(crate) store: Arc<Tsdb>,
    pub(crate) outgoing: Arc<Outgoing>,
    pub(crate) alerting: Arc<Alerting>,
    pub(crate) leases: Arc<Leases>,
    /// What this node puts on the series it makes.
    pub(crate) node: NodeLabel,
    /// Whether other nodes write to the same database.
    pub(crate) has_peers: bool,
    pub(crate) live: broadcast::Sender<LiveEvent>,
    pub(crate) stats: Arc<PipelineStats>,
}

impl Pipeline {
    /// Flushes at each multiple of the interval until `stop`, then once more.
    pub(crate) fn run(mut self, runtime: &Handle, stop: &CancellationToken) {
        let started = Instant::now();
        let mut last = self.clock.now();
        let mut clock_watch = ClockWatch::new(last, started.elapsed());
        let mut leases = self.leases.changes();
        loop {
            let due = next_tick(last, self.interval_ms);
            let dispatch_at = self.alerting.next_due().unwrap_or(Timestamp::MAX);
            self.sleep_until(due.min(dispatch_at), runtime, &mut leases, stop);
            if stop.is_cancelled() {
                break;
            }
            let now = self.clock.now();
            let step_ms = clock_watch.step(now, started.elapsed());
            if step_ms != 0 {
                // What is due is due as long after now as it was before; nothing is caught up or held.
                last = (last + step_ms).min(now);
                self.note_step(step_ms);
            } else if now >= due {
                let tick = now - now.rem_euclid(self.interval_ms);
                let missed = (tick - due) / self.interval_ms;
                self.stats.missed.fetch_add(missed.max(0) as u64, Ordering::Relaxed);
                self.flush(tick, runtime);
                last = tick;
            } else if now >= dispatch_at && self.alerting.is_taking_over() {
                self.take_over(now, runtime);
            } else if now >= dispatch_at {
                self.alerting.dispatch(now);
            }
        }
        let now = self.clock.now();
        tracing::info!("the last flush");
        self.flush(now, runtime);
    }

    fn note_step(&mut self, step_ms: i64) {
        self.registry.shift_clock(step_ms);
        let is_back = step_ms < 0;
        self.stats.clock_steps[usize::from(is_back)].fetch_add(1, Ordering::Relaxed);
        let direction = if is_back { "back" } else { "forward" };
        tracing::warn!(step_ms, "the wall clock was set {direction}; flushes go on from there");
    }

    /// Sleeps towards `due`, at most until it is time to look at the clock again, or this process takes
    /// over or loses something.
    fn sleep_until(
        &self,
        due: Timestamp,
        runtime: &Handle,
        leases: &mut watch::Receiver<u64>,
        stop: &CancellationToken,
    ) {
        let wait_ms = (due - self.clock.now()).max(0);
        if wait_ms == 0 || stop.is_cancelled() {
            return;
        }
        let wait = Duration::from_millis(wait_ms.unsigned_abs()).min(MAX_SLEEP);
        runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // The sender is held by the same process and outlives this.
                _ = leases.changed() => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Goes on where another process stopped: at once, not at the next flush, for somebody waits for what it
    /// did not do.
    fn take_over(&self, now: Timestamp, runtime: &Handle) {
        self.monitors.tick(now, runtime, true);
        let last = self.stats.last_at.load(Ordering::Relaxed);
        if self.alerting.take_over(now) && last > 0 {
            self.follow();
            self.evaluate(last);
        }
    }

    /// What other nodes committed just now is to be seen by the rules.
    fn follow(&self) {
        if self.has_peers
            && self.store.health().is_healthy()
            && let Err(error) = self.store.follow()
        {
            tracing::debug!(error = %model::text::causes(&error), "the rules see other nodes as they were");
        }
    }

    fn evaluate(&self, at: Timestamp) {
        self.alerting.evaluate(at, &StoreSink { store: &self.store, outgoing: &self.outgoing });
    }

    fn flush(&mut self, at: Timestamp, runtime: &Handle) {
        let started = Instant::now();
        // What another process does is read again when the database answers again.
        let is_reachable = self.store.health().is_healthy();
        self.monitors.tick(at, runtime, is_reachable);
        if is_reachable && self.has_peers {
            self.events.merge(runtime);
        }
        let evaluates = self.leases.held(Role::Rules).is_some();
        if evaluates {
            self.events.tick(at);
        }
        let samples = self.store_windows(at);
        if is_reachable || evaluates {
            self.follow();
            self.evaluate(at);
        }
        self.stats.flushes.fetch_add(1, Ordering::Relaxed);
        self.stats.last_us.store(started.elapsed().as_micros() as u64, Ordering::Relaxed);
        self.stats.last_at.store(at, Ordering::Relaxed);
        if let Health::Failing { error, waiting_frames, .. } = self.store.health() {
            tracing::error!(error, waiting_frames, "samples wait in memory, the database fails");
        }
        let firing = self.alerting.view().firing().count();
        // Without a listener there is nobody to tell.
        drop(self.live.send(LiveEvent::Tick {
            at_ms: at,
            series: samples as u64,
            firing: u32::try_from(firing).unwrap_or(u32::MAX),
        }));
    }
}

/// The first multiple of the interval after `last`.
fn next_tick(last: Timestamp, interval_ms: i64) -> Timestamp {
    last - last.rem_euclid(interval_ms) + interval_ms
}

/// The newest sample of a series that is no staleness marker.
pub(crate) fn latest(
    store: &Tsdb,
    labels: &Labels,
    start: Timestamp,
    end: Timestamp,
) -> Result<Option<Sample>, StorageError> {
    match store.newest(labels, start, end) {
        Newest::Nothing => return Ok(None),
        Newest::Sample(sample) if !sample.value.is_stale() => return Ok(Some(sample)),
        Newest::Sample(_) | Newest::Elsewhere => {}
    }
    let matchers: Vec<Matcher> =
        labels.iter().map(|(name, value)| Matcher::equal(name, value)).collect();
    let request = Select { matchers: &matchers, start, end, max_series: usize::MAX };
    let found = store.select(&request)?;
    // The matchers hold for series with more labels too.
    let Some(index) = found.labels().iter().position(|found| found == labels) else {
        return Ok(None);
    };
    let newest = found.latest(index)?;
    if newest.as_ref().is_none_or(|sample| !sample.value.is_stale()) {
        return Ok(newest);
    }
    // A series that ended: its last real value is behind the marker.
    let mut column = Column::default();
    found.read(index, &mut column)?;
    while let Some(sample) = column.last() {
        if !sample.value.is_stale() {
            return Ok(Some(sample));
        }
        column.pop();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_multiples_of_the_interval() {
        for (last, expected) in [(0, 10), (1, 10), (9, 10), (10, 20), (-5, 0)] {
            assert_eq!(next_tick(last, 10), expected, "{last}");
        }
    }
}
