//! Any bytes as a chunk of a Prometheus block: samples or nothing, in bounded memory.
//!
//! The first byte chooses the encoding.
#![no_main]

#[path = "../../server/src/import/prometheus/bits.rs"]
mod bits;
#[allow(dead_code)]
#[path = "../../server/src/import/prometheus/bytes.rs"]
mod bytes;
#[path = "../../server/src/import/prometheus/histograms.rs"]
mod histograms;
#[path = "../../server/src/import/prometheus/xor.rs"]
mod xor;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let (mut floats, mut histograms) = (Vec::new(), Vec::new());
    let _damaged = match choice % 3 {
        0 => xor::decode(body, &mut floats),
        1 => histograms::decode(body, &mut histograms),
        _ => histograms::decode_floats(body, &mut histograms),
    };
    assert!(floats.len() + histograms.len() <= usize::from(u16::MAX));
    for (_, histogram) in &histograms {
        let of = |spans: &[model::histogram::Span]| -> usize {
            spans.iter().map(|span| span.length as usize).sum()
        };
        assert_eq!(of(&histogram.positive_spans), histogram.positive.len());
        assert_eq!(of(&histogram.negative_spans), histogram.negative.len());
        assert!(histogram.buckets().len() <= 2 * 65_536 + 1);
    }
});
