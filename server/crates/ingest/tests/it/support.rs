//! One shard, one registry and a tick.

use ingest::{Arrival, Dialect, FlushSink, Registry, RegistryOptions, Shard, ShardOptions, Tally};
use model::{Labels, Metadata, Timestamp, Value};

/// What one tick made of some lines.
pub(crate) struct Flushed {
    /// `labels value`, sorted; a distribution as its count and sum; bases are left out.
    pub(crate) samples: Vec<String>,
    /// The books of the shard.
    pub(crate) tally: Tally,
}

struct Collector(Vec<String>);

impl FlushSink for Collector {
    fn sample(&mut self, _handle: u32, labels: &Labels, value: Value) {
        let value = match value {
            Value::Float(value) => value.to_string(),
            Value::Histogram(histogram) => {
                format!("{} values, sum {}", histogram.count, histogram.sum)
            }
        };
        self.0.push(format!("{labels} {value}"));
    }

    fn ended(&mut self, _handle: u32) {}

    fn timed(&mut self, _handle: u32, _labels: &Labels, _timestamp: Timestamp, _value: Value) {}

    fn metadata(&mut self, _metadata: Metadata) {}
}

/// Sends a datagram to a new shard and flushes it once.
pub(crate) fn flush(dialect: Dialect, datagram: &[u8]) -> Flushed {
    let mut shard = Shard::new(ShardOptions { dialect, ..ShardOptions::default() });
    shard.accept(datagram, Arrival::default(), &mut |_| {});
    let mut window = shard.take_window();
    let (_, tally) = window.tallies.pop().expect("the source sent something");
    let mut registry = Registry::new(RegistryOptions::default());
    registry.merge(window);
    let mut collector = Collector(Vec::new());
    let report = registry.flush(1_700_000_010_000, &mut |_| None, &mut collector);
    assert_eq!(report.refused, []);
    collector.0.sort();
    Flushed { samples: collector.0, tally }
}
