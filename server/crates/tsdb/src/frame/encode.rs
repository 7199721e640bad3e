//! Writing frames.

use std::sync::Arc;

use model::{Metadata, NativeHistogram, Value};

use super::{
    Flush, FrameSample, MAGIC, VERSION,
    series::NewSeries,
    values::{LastValues, put_series, put_times},
};
use crate::{
    bytes::{finish_envelope, put_i64, put_u64, start_envelope},
    head::Head,
};

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
    new_series: NewSeries,
    last: LastValues,
    /// By the series' number: where its sample of this flush is; memory that is used again.
    places: Vec<u32>,
}

/// A place without a sample.
const NOWHERE: u32 = u32::MAX;

/// The order in which samples are written: the numbers, then the histograms, each by the number of
/// the series.
#[derive(Debug, Default)]
struct Order {
    floats: Vec<u32>,
    histograms: Vec<u32>,
}

impl FrameEncoder {
    /// Starts a new epoch: the next frame builds on nothing.
    pub(crate) fn start_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.position = 0;
        self.numbers.fill(0);
        self.series = 0;
        self.new_series.clear();
        self.last.clear();
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Writes a flush. A decoder gives its samples back by the number of the series, numbers before
    /// histograms. Where that makes a difference, because a series has several samples, those of
    /// `flush` are put into the same order first.
    pub(crate) fn encode(&mut self, flush: &mut Flush, head: &Head) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 2 * flush.len());
        start_envelope(&mut out, MAGIC, VERSION);
        put_u64(&mut out, self.epoch);
        put_u64(&mut out, self.position);
        put_i64(&mut out, flush.timestamp);
        put_u64(&mut out, u64::from(self.series));
        self.put_new_series(flush, head, &mut out);
        self.last.grow(self.series as usize);
        put_metadata(&flush.metadata, &mut out);
        let dated = self.order_of(&mut flush.dated, true);
        let ticks = self.order_of(&mut flush.ticks, false);
        for (samples, order, is_dated) in
            [(&flush.dated, dated, true), (&flush.ticks, ticks, false)]
        {
            for part in [&order.floats, &order.histograms] {
                put_u64(&mut out, part.len() as u64);
                put_series(part.iter().map(|&at| self.number(samples[at as usize].0)), &mut out);
                if is_dated {
                    let times = part.iter().map(|&at| samples[at as usize].1);
                    put_times(times, flush.timestamp, &mut out);
                }
            }
            self.put_values(samples, &order, &mut out);
        }
        self.position += 1;
        finish_envelope(&mut out);
        out
    }

    fn put_values(&mut self, samples: &[FrameSample], order: &Order, out: &mut Vec<u8>) {
        let Self { last, numbers, .. } = self;
        let number = |slot: u32| numbers[slot as usize] - 1;
        let floats = order.floats.iter().filter_map(|&at| {
            let sample = &samples[at as usize];
            Some((number(sample.0), as_float(&sample.2)?))
        });
        last.put_floats(floats, out);
        if !order.histograms.is_empty() {
            let histograms = order.histograms.iter().filter_map(|&at| {
                let sample = &samples[at as usize];
                Some((number(sample.0), as_histogram(&sample.2)?))
            });
            last.put_histograms(histograms, out);
        }
    }

    /// Numbers the series that are new in this epoch, in the order in which they come.
    fn put_new_series(&mut self, flush: &Flush, head: &Head, out: &mut Vec<u8>) {
        let mut new: Vec<u32> = Vec::new();
        for (at, &(slot, ..)) in flush.samples().enumerate() {
            let slot_index = slot as usize;
            if slot_index >= self.numbers.len() {
                self.numbers.resize(slot_index + 1, 0);
            }
            if self.numbers[slot_index] == 0 {
                if new.is_empty() {
                    // After a start nearly all that follow are new too.
                    new.reserve(flush.len() - at);
                }
                new.push(slot);
                self.series += 1;
                self.numbers[slot_index] = self.series;
            }
        }
        self.new_series.put(&new, head, out);
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
            samples.sort_by_cached_key(key);
        }
    }

    /// The order of samples. Where there is one per series they are not moved.
    fn order_of(&mut self, samples: &mut [FrameSample], is_dated: bool) -> Order {
        // Many samples are dropped into their places; of few it is cheaper to compare the numbers.
        let is_many = samples.len() >= self.series as usize / 8;
        let by_number = if is_many { self.placed(samples) } else { self.compared(samples) };
        let Some(by_number) = by_number else {
            self.sort(samples, is_dated);
            return Order::of_sorted(samples);
        };
        let is_float_at = |&at: &u32| is_float(&samples[at as usize].2);
        if by_number.iter().all(is_float_at) {
            return Order { floats: by_number, histograms: Vec::new() };
        }
        let (floats, histograms) = by_number.into_iter().partition(is_float_at);
        Order { floats, histograms }
    }

    /// Where the samples are, by the number of the series; `None` when a series has several.
    fn placed(&mut self, samples: &[FrameSample]) -> Option<Vec<u32>> {
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        places.resize(self.series as usize, NOWHERE);
        let mut is_single = true;
        for (at, sample) in samples.iter().enumerate() {
            let place = &mut places[self.number(sample.0) as usize];
            is_single &= *place == NOWHERE;
            *place = at as u32;
        }
        let mut order = Vec::with_capacity(samples.len());
        order.extend(places.iter().filter(|&&at| at != NOWHERE));
        self.places = places;
        is_single.then_some(order)
    }

    /// As [`Self::placed`], by sorting.
    fn compared(&self, samples: &[FrameSample]) -> Option<Vec<u32>> {
        let numbers = samples.iter().map(|sample| u64::from(self.number(sample.0)));
        let mut keys: Vec<u64> = (0..).zip(numbers).map(|(at, n): (u64, _)| n << 32 | at).collect();
        keys.sort_unstable();
        let is_single = keys.windows(2).all(|pair| pair[0] >> 32 != pair[1] >> 32);
        is_single.then(|| keys.into_iter().map(|key| key as u32).collect())
    }
}

impl Order {
    fn of_sorted(samples: &[FrameSample]) -> Self {
        let split = samples.partition_point(|sample| is_float(&sample.2)) as u32;
        Self { floats: (0..split).collect(), histograms: (split..samples.len() as u32).collect() }
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
