//! When each monitor is probed.
//!
//! A monitor has slots at `phase + k · interval` of monotonic time, where the phase comes from a hash
//! of its name: probes spread over the interval and stay where they are over reloads. A new or changed
//! monitor is probed within a few seconds and then joins its slots. Slots that pass while its last
//! probe still runs, or while all workers are busy, are skipped and counted, never caught up.
//!
//! Wall time only labels results; a step of the clock moves no probe.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    num::NonZeroUsize,
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{Clock, Labels, Timestamp};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    monitor::Monitor,
    probe::{ProbeResult, Prober},
};

#[cfg(test)]
mod tests;

/// New and changed monitors are probed first within this time.
const FIRST_WITHIN: Duration = Duration::from_secs(5);

/// One finished probe.
#[derive(Debug, Clone)]
pub(crate) struct CheckResult {
    /// The monitor's name.
    pub(crate) monitor: Arc<str>,
    /// Grows with every probe started in this process.
    pub(crate) sequence: u64,
    /// When the probe began.
    pub(crate) at: Timestamp,
    /// What it saw.
    pub(crate) probe: ProbeResult,
}

/// What the schedule works with.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// The monitors; a new value is taken over at once. When the sender is gone, the schedule ends.
    pub(crate) monitors: watch::Receiver<Arc<Vec<Monitor>>>,
    /// Where results go. While it is full, probes wait with their result in hand and keep their
    /// worker: probing slows down and nothing is lost. When the receiver is gone, the schedule ends.
    pub(crate) results: mpsc::Sender<CheckResult>,
    /// Labels results.
    pub(crate) clock: Arc<dyn Clock>,
    /// How many probes run at once. More make the latencies of each other longer.
    pub(crate) concurrency: NonZeroUsize,
    /// Slots that passed without a probe.
    pub(crate) skipped: Arc<AtomicU64>,
    /// Ends the schedule; probes that run are dropped without a result.
    pub(crate) stop: CancellationToken,
}

/// Probes until stopped. One future: start it like any other task. A panic of a probe is passed on.
pub(crate) async fn run(schedule: Schedule, prober: Arc<Prober>) {
    run_with(schedule, move |monitor, deadline| {
        let prober = Arc::clone(&prober);
        async move { prober.probe(&monitor, deadline).await }
    })
    .await;
}

async fn run_with<F>(mut schedule: Schedule, probe: impl Fn(Arc<Monitor>, Instant) -> F)
where
    F: Future<Output = ProbeResult> + Send + 'static,
{
    let mut slots = Slots::new(Instant::now());
    slots.reload(&schedule.monitors.borrow_and_update().clone(), Instant::now());
    // Probes live in this set and end with it: nothing outlives the schedule.
    let mut running: JoinSet<Arc<str>> = JoinSet::new();
    let mut sequence = 0;
    loop {
        let next = slots.next_due();
        let has_worker = running.len() < schedule.concurrency.get();
        tokio::select! {
            biased;
            () = schedule.stop.cancelled() => break,
            () = schedule.results.closed() => break,
            changed = schedule.monitors.changed() => {
                if changed.is_err() {
                    break;
                }
                slots.reload(&schedule.monitors.borrow_and_update().clone(), Instant::now());
            }
            Some(done) = running.join_next() => match done {
                Ok(name) => slots.finished(&name),
                Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                Err(_) => {}
            },
            () = sleep_until(next.unwrap_or_else(Instant::now)), if has_worker && next.is_some() => {
                let now = Instant::now();
                let (monitor, skipped) = slots.take_due(now);
                schedule.skipped.fetch_add(skipped, Ordering::Relaxed);
                let Some(monitor) = monitor else { continue };
                sequence += 1;
                let name: Arc<str> = monitor.name.as_str().into();
                let result = probe(Arc::clone(&monitor), now + monitor.timeout);
                let (at, results) = (schedule.clock.now(), schedule.results.clone());
                running.spawn(async move {
                    let probe = result.await;
                    let result = CheckResult { monitor: Arc::clone(&name), sequence, at, probe };
                    // Without a receiver the schedule is about to end.
                    drop(results.send(result).await);
                    name
                });
            }
        }
    }
}

/// The next time of each monitor.
#[derive(Debug)]
struct Slots {
    epoch: Instant,
    monitors: HashMap<String, Entry>,
    due: BinaryHeap<Reverse<(Instant, String)>>,
}

#[derive(Debug)]
struct Entry {
    monitor: Arc<Monitor>,
    due: Instant,
    is_running: bool,
}

impl Slots {
    fn new(epoch: Instant) -> Self {
        Self { epoch, monitors: HashMap::new(), due: BinaryHeap::new() }
    }

    /// Takes over new definitions; unchanged ones keep their next time.
    fn reload(&mut self, monitors: &[Monitor], now: Instant) {
        let mut before = std::mem::take(&mut self.monitors);
        for monitor in monitors.iter().filter(|monitor| monitor.is_probed()) {
            let old = before.remove(&monitor.name);
            let is_running = old.as_ref().is_some_and(|old| old.is_running);
            let entry = match old {
                Some(old) if *old.monitor == *monitor => old,
                _ => {
                    let first = FIRST_WITHIN.min(monitor.interval);
                    let due = now + phase(&monitor.name, first);
                    Entry { monitor: Arc::new(monitor.clone()), due, is_running }
                }
            };
            self.monitors.insert(monitor.name.clone(), entry);
        }
        let entries = self.monitors.iter();
        self.due = entries.map(|(name, entry)| Reverse((entry.due, name.clone()))).collect();
    }

    fn next_due(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes what is due first and gives it its next slot. Returns what to probe, unless its last
    /// probe still runs, and how many slots were skipped.
    fn take_due(&mut self, now: Instant) -> (Option<Arc<Monitor>>, u64) {
        let Some(Reverse((_, name))) = self.due.pop() else { return (None, 0) };
        let Some(entry) = self.monitors.get_mut(&name) else { return (None, 0) };
        let interval = entry.monitor.interval;
        let mut skipped = now.saturating_duration_since(entry.due).as_nanos() / interval.as_nanos();
        entry.due = next_slot(self.epoch + phase(&name, interval), interval, now);
        self.due.push(Reverse((entry.due, name)));
        if entry.is_running {
            skipped += 1;
        }
        let start = !std::mem::replace(&mut entry.is_running, true);
        (start.then(|| Arc::clone(&entry.monitor)), skipped as u64)
    }

    fn finished(&mut self, name: &str) {
        if let Some(entry) = self.monitors.get_mut(name) {
            entry.is_running = false;
        }
    }
}

/// A monitor's own place within a span, the same on every start.
fn phase(name: &str, span: Duration) -> Duration {
    let hash = Labels::from_pairs([("monitor", name)]).fingerprint();
    Duration::from_millis(hash % (span.as_millis() as u64).max(1))
}

/// The first slot after `now`.
fn next_slot(first: Instant, interval: Duration, now: Instant) -> Instant {
    let Some(elapsed) = now.checked_duration_since(first) else { return first };
    let passed = (elapsed.as_nanos() / interval.as_nanos()) as u32 + 1;
    first + interval * passed
}
