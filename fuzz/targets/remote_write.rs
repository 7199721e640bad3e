//! Any body of a remote write request: read or refused, never more than the limit in memory.
//!
//! The first byte chooses the protocol, and whether the rest is packed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use remote::{Message, Protocol, WireError, unpack};

const LIMIT: usize = 1 << 20;

fn read(protocol: Protocol, bytes: &[u8]) -> Result<(), WireError> {
    let message = Message::open(protocol, bytes, 7)?;
    for series in message.series() {
        let series = series?;
        series.key()?;
        series.metadata()?;
        assert!(series.describe().len() < 4096);
        if let Ok(labels) = series.labels() {
            assert!(labels.metric_name().is_some());
        }
        for sample in series.samples() {
            sample?;
        }
        for histogram in series.histograms() {
            if let (_, Ok(histogram)) = histogram? {
                let spans: u32 = histogram.positive_spans.iter().map(|span| span.length).sum();
                assert_eq!(spans as usize, histogram.positive.len());
            }
        }
        for exemplar in series.exemplars() {
            drop(exemplar?);
        }
    }
    message.metadata().try_for_each(|metadata| metadata.map(drop))
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let protocol = if choice & 1 == 0 { Protocol::V1 } else { Protocol::V2 };
    if choice & 2 == 0 {
        let _refused = read(protocol, body);
    } else if let Ok(message) = unpack(body, LIMIT) {
        assert!(message.len() <= LIMIT);
        let _refused = read(protocol, &message);
    }
});
