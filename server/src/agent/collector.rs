//! One collection: reads all sources and turns them into lines.

use std::{collections::HashMap, time::Duration};

use super::{
    cpu,
    databases::{self, Reading},
    disk, filesystem,
    line::{Kind, Line, clean},
    memory, network,
    processes::Processes,
    source::{Roots, Source},
    system,
};

#[cfg(test)]
mod tests;

/// Tags besides `host`.
pub(super) type Tags<'a> = &'a [(&'static str, &'a str)];

/// What a collector is told.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// The value of the tag `host`; `None` takes the machine's own name.
    pub(super) host: Option<String>,
    /// How many commands make the top of the processes; 0 leaves them out.
    pub(super) top_processes: usize,
}

/// Collects host metrics; remembers the counters of the last collection.
#[derive(Debug)]
pub(super) struct Collector {
    source: Source,
    processes: Processes,
    output: Output,
    /// How long the last collection took.
    cost: Option<Duration>,
}

impl Collector {
    /// A collector that has not collected yet.
    pub(super) fn new(roots: Roots, options: Options) -> Self {
        let mut source = Source::new(roots);
        let host = options
            .host
            .or_else(|| source.proc("sys/kernel/hostname"))
            .map(|name| clean(&name))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "localhost".to_owned());
        let processes = Processes::new(options.top_processes);
        Self { source, processes, output: Output::new(host), cost: None }
    }

    /// All metrics, those of database servers as they were read; `now` is monotonic time since any
    /// fixed point. Blocks on the disk.
    pub(super) fn collect(&mut self, now: Duration, readings: &[Reading]) -> Vec<Line> {
        let Self { source, processes, output, cost } = self;
        output.begin(now);
        cpu::collect(source, output);
        memory::collect(source, output);
        disk::collect(source, output);
        filesystem::collect(source, output);
        network::collect(source, output);
        system::collect(source, output);
        processes.collect(source, output, now);
        databases::collect(readings, output);
        if let Some(cost) = cost {
            output.gauge("host.agent.collect_seconds", &[], cost.as_secs_f64());
        }
        output.end()
    }

    /// Notes how long a collection took; the next one tells it.
    pub(super) fn note_cost(&mut self, cost: Duration) {
        self.cost = Some(cost);
    }
}

/// Lines of the present collection, and totals of the last one.
#[derive(Debug)]
pub(super) struct Output {
    host: String,
    lines: Vec<Line>,
    totals: HashMap<(&'static str, String), f64>,
    last_totals: HashMap<(&'static str, String), f64>,
    now: Duration,
    /// Since the last collection; `None` in the first.
    pub(super) elapsed: Option<Duration>,
}

impl Output {
    fn new(host: String) -> Self {
        Self {
            host,
            lines: Vec::new(),
            totals: HashMap::new(),
            last_totals: HashMap::new(),
            now: Duration::ZERO,
            elapsed: None,
        }
    }

    fn begin(&mut self, now: Duration) {
        let is_first = self.last_totals.is_empty();
        self.elapsed = now.checked_sub(self.now).filter(|length| !is_first && !length.is_zero());
        self.now = now;
    }

    /// Hands the lines over; totals that were not seen, such as those of a removed disk, are forgotten.
    fn end(&mut self) -> Vec<Line> {
        self.last_totals = std::mem::take(&mut self.totals);
        std::mem::take(&mut self.lines)
    }

    /// The value now. What is not a number is left out.
    pub(super) fn gauge(&mut self, name: &'static str, tags: Tags<'_>, value: f64) {
        self.push(name, tags, value, Kind::Gauge);
    }

    /// A part of a whole as a ratio from 0 to 1; nothing when there is no whole.
    pub(super) fn ratio(&mut self, name: &'static str, tags: Tags<'_>, part: f64, whole: f64) {
        if whole > 0.0 {
            self.gauge(name, tags, (part / whole).clamp(0.0, 1.0));
        }
    }

    /// A total that grows; sends what was added since the last collection.
    pub(super) fn counter(&mut self, name: &'static str, tags: Tags<'_>, total: f64) {
        self.counter_in(name, tags, total, 1.0);
    }

    /// As [`Self::counter`], for a total that counts `per_unit` parts of the metric's unit.
    pub(super) fn counter_in(
        &mut self,
        name: &'static str,
        tags: Tags<'_>,
        total: f64,
        per_unit: f64,
    ) {
        if let Some(added) = self.added(name, tags, total) {
            self.push(name, tags, added / per_unit, Kind::Counter);
        }
    }

    /// What was added to a total since the last collection; `None` the first time and after the total
    /// began anew.
    pub(super) fn added(&mut self, name: &'static str, tags: Tags<'_>, total: f64) -> Option<f64> {
        let values: Vec<&str> = tags.iter().map(|(_, value)| *value).collect();
        let key = (name, values.join("\n"));
        let before = self.last_totals.get(&key).copied();
        self.totals.insert(key, total);
        before.map(|before| total - before).filter(|added| *added >= 0.0)
    }

    fn push(&mut self, name: &'static str, tags: Tags<'_>, value: f64, kind: Kind) {
        if !value.is_finite() || value < 0.0 {
            return;
        }
        let own = std::iter::once(("host", self.host.clone()));
        let tags = own.chain(tags.iter().map(|(name, value)| (*name, clean(value)))).collect();
        self.lines.push(Line { name, value, kind, tags });
    }
}
