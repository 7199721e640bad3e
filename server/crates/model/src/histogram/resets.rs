//! Counter resets of histograms.

use super::{NativeHistogram, ResetHint, spans};

impl NativeHistogram {
    /// Whether the counter restarted between `previous` and this: some count went down, or the layout
    /// changed in a way that only a restart explains.
    ///
    /// Source: `FloatHistogram.DetectReset` in Prometheus.
    pub fn is_reset_since(&self, previous: &Self) -> bool {
        match self.reset_hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.has_custom_buckets() != previous.has_custom_buckets() {
            return true;
        }
        if self.has_custom_buckets() && self.custom_bounds != previous.custom_bounds {
            return self.is_reset_on_common_bounds(previous);
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let (zero_count, threshold) = if self.zero_threshold == previous.zero_threshold {
            (previous.zero_count, previous.zero_threshold)
        } else {
            previous.zero_count_within(self.zero_threshold)
        };
        if threshold != self.zero_threshold || self.zero_count < zero_count {
            return true;
        }
        self.lost_counts(previous)
    }

    /// Whether a bucket outside the zero bucket holds less than before.
    fn lost_counts(&self, previous: &Self) -> bool {
        let shift = previous.schema.saturating_sub(self.schema);
        for (now, before) in [
            (
                (&self.positive_spans, &self.positive),
                (&previous.positive_spans, &previous.positive),
            ),
            (
                (&self.negative_spans, &self.negative),
                (&previous.negative_spans, &previous.negative),
            ),
        ] {
            let merged;
            let (before_spans, before_counts) = if shift > 0 {
                merged = spans::merge_resolution(before.0, before.1, shift);
                (&merged.0, &merged.1)
            } else {
                before
            };
            let threshold = self.zero_threshold;
            let is_outside = |index: i32| {
                self.has_custom_buckets()
                    || threshold == 0.0
                    || super::bucket_bound(self.schema, index, &[]) > threshold
            };
            // In the same layout, with nothing inside the zero bucket, places tell which buckets belong
            // together. That is nearly always so, and bounds are expensive.
            let is_same_layout = shift <= 0 && now.0 == before.0 && now.1.len() == before.1.len();
            if is_same_layout && now.0.first().is_none_or(|first| is_outside(first.offset)) {
                if now.1.iter().zip(before.1).any(|(now, before)| now < before) {
                    return true;
                }
                continue;
            }
            let mut current = spans::indexed(now.0, now.1).peekable();
            for (index, count) in spans::indexed(before_spans, before_counts) {
                if count == 0.0 || !is_outside(index) {
                    continue;
                }
                while current.next_if(|(i, _)| *i < index).is_some() {}
                match current.peek() {
                    Some((i, now)) if *i == index && *now >= count => {}
                    _ => return true,
                }
            }
        }
        false
    }

    /// Compares cumulative counts at the bounds that both have.
    fn is_reset_on_common_bounds(&self, previous: &Self) -> bool {
        let common: Vec<f64> = self
            .custom_bounds
            .iter()
            .filter(|bound| previous.custom_bounds.contains(bound))
            .copied()
            .chain([f64::INFINITY])
            .collect();
        let rolled_up = |histogram: &Self| {
            let mut counts = vec![0.0; common.len()];
            for bucket in histogram.positive_buckets() {
                let slot = common.partition_point(|bound| *bound < bucket.upper);
                counts[slot.min(common.len() - 1)] += bucket.count;
            }
            counts
        };
        rolled_up(self).iter().zip(rolled_up(previous)).any(|(now, before)| *now < before)
    }
}
