//! Any datagrams: nothing panics, the books are exact, and only finite numbers reach the store.
//!
//! Byte 0xff parts the input into datagrams, every third of which was cut by the kernel.
#![no_main]

use ingest::{
    Arrival, FlushSink, Limits, Registry, RegistryOptions, Shard, ShardOptions, SourceId,
};
use libfuzzer_sys::fuzz_target;
use model::{Labels, Metadata, Timestamp, Value};

const MAX_SERIES: usize = 8;
const NOW: Timestamp = 1_700_000_000_000;

struct FiniteOnly;

impl FlushSink for FiniteOnly {
    fn sample(&mut self, _: u32, _: &Labels, value: Value) {
        check(&value);
    }

    fn timed(&mut self, _: u32, _: &Labels, _: Timestamp, value: Value) {
        check(&value);
    }

    fn metadata(&mut self, _: Metadata) {}

    fn ended(&mut self, _: u32) {}
}

fn check(value: &Value) {
    match value {
        Value::Float(value) => assert!(value.is_finite(), "{value}"),
        Value::Histogram(histogram) => {
            assert!(histogram.sum.is_finite() && histogram.count.is_finite(), "{histogram:?}");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut shard = Shard::new(ShardOptions::default());
    for (number, datagram) in data.split(|byte| *byte == 0xff).enumerate() {
        let arrival = Arrival {
            source: SourceId((number % 2) as u32),
            stamp: number as u64,
            is_truncated: number % 3 == 2,
        };
        shard.accept(datagram, arrival, &mut |_| {});
    }
    let window = shard.take_window();
    for (_, tally) in &window.tallies {
        assert_eq!(tally.lines, tally.accepted + tally.rejected.total());
    }
    let limits = Limits { max_series: MAX_SERIES, ..Limits::default() };
    let mut registry = Registry::new(RegistryOptions { limits, ..RegistryOptions::default() });
    registry.merge(window);
    registry.flush(NOW, &mut |_| None, &mut FiniteOnly);
    assert!(registry.len() <= MAX_SERIES);
});
