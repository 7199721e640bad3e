//! Any bytes as a chunk of a Prometheus block: samples or an error, in bounded memory.
//!
//! The first byte chooses the encoding.
#![no_main]

use import::prometheus::{Samples, decode_chunk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let mut samples = Samples::default();
    if decode_chunk(choice % 3 + 1, body, &mut samples).is_err() {
        assert!(samples.floats.is_empty() && samples.histograms.is_empty());
    }
    assert!(samples.floats.len() + samples.histograms.len() <= usize::from(u16::MAX));
    for (_, histogram) in &samples.histograms {
        let of = |spans: &[model::histogram::Span]| -> usize {
            spans.iter().map(|span| span.length as usize).sum()
        };
        assert_eq!(of(&histogram.positive_spans), histogram.positive.len());
        assert_eq!(of(&histogram.negative_spans), histogram.negative.len());
        assert!(histogram.buckets().len() <= 2 * 65_536 + 1);
    }
});
