//! Writing frames.

use std::sync::Arc;

use model::{Labels, Metadata, NativeHistogram, Value};

use super::{
    Flush, FrameSample, MAGIC, VERSION,
    values::{LastValues, put_series, put_times},
};
use crate::bytes::{finish_envelope, put_i64, put_text, put_u64, start_envelope};

/// Writes the frames of one epoch after the other.
#[derive(Debug, Default)]
pub(crate) struct FrameEncoder {
    epoch: u64,
    /// How many frames of the epoch were written.
    position: u64,
    /// By slot of the head: the series' number in the epoch plus one, or 0.
    numbers: Vec<u32>,
    /// How many series have a number.
    series: u32,
    last: LastValues,
}

impl FrameEncoder {
    /// Starts a new epoch: the next frame builds on nothing.
    pub(crate) fn start_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.position = 0;
        self.numbers.fill(0);
        self.series = 0;
        self.last.clear();
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Writes a flush, after putting its samples into the order in which a decoder gives them back:
    /// by the number of the series, numbers before histograms.
    pub(crate) fn encode<'a>(
        &mut self,
        flush: &mut Flush,
        labels_of: impl Fn(u32) -> Option<&'a Labels>,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 2 * flush.len());
        start_envelope(&mut out, MAGIC, VERSION);
        put_u64(&mut out, self.epoch);
        put_u64(&mut out, self.position);
        put_i64(&mut out, flush.timestamp);
        put_u64(&mut out, u64::from(self.series));
        self.put_new_series(flush, labels_of, &mut out);
        self.last.grow(self.series as usize);
        put_metadata(&flush.metadata, &mut out);
        self.sort(&mut flush.dated, true);
        self.sort(&mut flush.ticks, false);
        for (samples, is_dated) in [(&flush.dated, true), (&flush.ticks, false)] {
            let split = samples.partition_point(|sample| is_float(&sample.2));
            for samples in [&samples[..split], &samples[split..]] {
                put_u64(&mut out, samples.len() as u64);
                put_series(samples.iter().map(|sample| self.number(sample.0)), &mut out);
                if is_dated {
                    put_times(samples.iter().map(|sample| sample.1), flush.timestamp, &mut out);
                }
            }
            self.put_values(&samples[..split], &samples[split..], &mut out);
        }
        self.position += 1;
        finish_envelope(&mut out);
        out
    }

    fn put_values(
        &mut self,
        floats: &[FrameSample],
        histograms: &[FrameSample],
        out: &mut Vec<u8>,
    ) {
        let Self { last, numbers, .. } = self;
        let number = |slot: u32| numbers[slot as usize] - 1;
        last.put_floats(
            floats.iter().filter_map(|sample| Some((number(sample.0), as_float(&sample.2)?))),
            out,
        );
        if !histograms.is_empty() {
            last.put_histograms(
                histograms
                    .iter()
                    .filter_map(|sample| Some((number(sample.0), as_histogram(&sample.2)?))),
                out,
            );
        }
    }

    /// Numbers the series that are new in this epoch, by their labels, which makes neighbors share
    /// long prefixes.
    fn put_new_series<'a>(
        &mut self,
        flush: &Flush,
        labels_of: impl Fn(u32) -> Option<&'a Labels>,
        out: &mut Vec<u8>,
    ) {
        let mut new: Vec<(&str, u32)> = Vec::new();
        for &(slot, ..) in flush.samples() {
            let slot_index = slot as usize;
            if slot_index >= self.numbers.len() {
                self.numbers.resize(slot_index + 1, 0);
            }
            if self.numbers[slot_index] == 0 {
                // Any number but 0 marks the slot as seen; the right one follows.
                self.numbers[slot_index] = u32::MAX;
                new.push((labels_of(slot).map_or("", Labels::as_packed), slot));
            }
        }
        new.sort_unstable();
        put_u64(out, new.len() as u64);
        let mut before = "";
        for (packed, slot) in new {
            self.series += 1;
            self.numbers[slot as usize] = self.series;
            let shared = shared_prefix(before, packed);
            put_u64(out, shared as u64);
            put_text(out, &packed[shared..]);
            before = packed;
        }
    }

    fn number(&self, slot: u32) -> u32 {
        self.numbers[slot as usize] - 1
    }

    fn sort(&self, samples: &mut [FrameSample], is_dated: bool) {
        let key = |sample: &FrameSample| {
            let time = if is_dated { sample.1 } else { 0 };
            (!is_float(&sample.2), self.number(sample.0), time)
        };
        if !samples.is_sorted_by_key(key) {
            samples.sort_by_key(key);
        }
    }
}

fn put_metadata(metadata: &[Metadata], out: &mut Vec<u8>) {
    put_u64(out, metadata.len() as u64);
    for metadata in metadata {
        crate::metadata::put(metadata, out);
    }
}

fn is_float(value: &Value) -> bool {
    matches!(value, Value::Float(_))
}

fn as_float(value: &Value) -> Option<&f64> {
    match value {
        Value::Float(value) => Some(value),
        Value::Histogram(_) => None,
    }
}

fn as_histogram(value: &Value) -> Option<&Arc<NativeHistogram>> {
    match value {
        Value::Float(_) => None,
        Value::Histogram(value) => Some(value),
    }
}

/// How many bytes two texts share at the start, cut at a character.
fn shared_prefix(a: &str, b: &str) -> usize {
    let mut shared = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    while !b.is_char_boundary(shared) {
        shared -= 1;
    }
    shared
}
