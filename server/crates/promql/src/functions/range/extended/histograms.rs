//! Native histograms at the borders of a range.

use std::sync::Arc;

use model::{
    NativeHistogram,
    histogram::{Combined, IncompatibleSchemas, ResetHint},
};

use super::{Around, Extended};
use crate::{
    annotations::{Combination, Note},
    eval::Evaluator,
    functions::range::Job,
    parser::Span,
};

/// Whom to tell of histograms that do not fit each other.
pub(super) struct Remarks<'a> {
    pub(super) evaluator: &'a Evaluator<'a>,
    pub(super) metric: &'a str,
    pub(super) span: Span,
}

impl Remarks<'_> {
    fn note(&self, note: &Note<'_>) {
        self.evaluator.note(note, self.span);
    }

    /// Remarks on a combination; nothing when the layouts could not be combined.
    fn combined(
        &self,
        combined: Result<Combined, IncompatibleSchemas>,
        how: Combination,
    ) -> Option<()> {
        match combined {
            Ok(combined) if combined.bounds_reconciled => self.note(&Note::BoundsReconciled(how)),
            Ok(_) => {}
            Err(_) => {
                self.note(&Note::MixedSchemas { metric: self.metric });
                return None;
            }
        }
        Some(())
    }

    /// One kind of buckets, and for a counter no gauges.
    fn check_kinds(&self, histograms: &[Arc<NativeHistogram>], is_counter: bool) -> Option<()> {
        let is_custom = histograms[0].has_custom_buckets();
        for histogram in histograms {
            if histogram.has_custom_buckets() != is_custom {
                self.note(&Note::MixedSchemas { metric: self.metric });
                return None;
            }
            if is_counter && histogram.reset_hint == ResetHint::Gauge {
                self.note(&Note::NotACounter { metric: self.metric });
            }
        }
        Some(())
    }
}

impl Extended<'_, Arc<NativeHistogram>> {
    /// The change over the range, a gauge.
    pub(super) fn change(&self, job: &Job<'_>, is_counter: bool) -> Option<NativeHistogram> {
        let remarks = Remarks { evaluator: job.evaluator, metric: job.metric, span: job.span };
        let (first, last) = self.borders()?;
        remarks.check_kinds(&self.values[first..=last], is_counter)?;
        let (left, right) = self.ends((first, last), is_counter, &remarks)?;
        let is_gauge = |histogram: &NativeHistogram| histogram.reset_hint == ResetHint::Gauge;
        if !(is_counter || is_gauge(&left) && is_gauge(&right)) {
            remarks.note(&Note::NotAGauge { metric: job.metric });
        }
        let mut change = right.clone();
        remarks.combined(change.subtract(&left), Combination::Subtraction)?;
        if is_counter {
            let mut lost: Option<NativeHistogram> = None;
            for before in self.before_resets((first, last), &left, &right) {
                match &mut lost {
                    None => lost = Some(before.clone()),
                    Some(lost) => remarks.combined(lost.add(before), Combination::Addition)?,
                }
            }
            if let Some(lost) = lost {
                remarks.combined(change.add(&lost), Combination::Addition)?;
            }
        }
        change.reset_hint = ResetHint::Gauge;
        change.compact();
        Some(change)
    }

    /// The histograms at the start and the end.
    pub(super) fn ends(
        &self,
        (first, last): (usize, usize),
        is_counter: bool,
        remarks: &Remarks<'_>,
    ) -> Option<(NativeHistogram, NativeHistogram)> {
        let left = if self.interpolates_start(first) {
            self.interpolate(first, self.window.start, is_counter, remarks)?
        } else {
            (*self.values[first]).clone()
        };
        let right = if self.interpolates_end(last) {
            self.interpolate(last - 1, self.window.end, is_counter, remarks)?
        } else {
            (*self.values[last]).clone()
        };
        Some((left, right))
    }

    /// The histogram at a time; the last one before it when there is none after it.
    pub(super) fn at(&self, at: i64, remarks: &Remarks<'_>) -> Option<Arc<NativeHistogram>> {
        match self.around(at) {
            Around::Nothing => None,
            Around::Sample(i) => Some(Arc::clone(&self.values[i])),
            // What is known of a reset holds between samples, not for a value that goes on.
            Around::Last(i) => {
                let hint = ResetHint::Unknown;
                Some(Arc::new(NativeHistogram { reset_hint: hint, ..(*self.values[i]).clone() }))
            }
            Around::Between(i) => {
                let pair = [&self.values[i], &self.values[i + 1]];
                if pair[0].has_custom_buckets() != pair[1].has_custom_buckets() {
                    remarks.note(&Note::MixedSchemas { metric: remarks.metric });
                    return None;
                }
                let is_counter = pair.iter().any(|h| h.reset_hint != ResetHint::Gauge);
                self.interpolate(i, at, is_counter, remarks).map(Arc::new)
            }
        }
    }

    /// The histogram between a sample and the next at a time; a counter that was reset rises from
    /// nothing.
    pub(super) fn interpolate(
        &self,
        i: usize,
        at: i64,
        is_counter: bool,
        remarks: &Remarks<'_>,
    ) -> Option<NativeHistogram> {
        let (before, after) = (&self.values[i], &self.values[i + 1]);
        if at == self.times[i] {
            return Some((**before).clone());
        }
        if at == self.times[i + 1] {
            return Some((**after).clone());
        }
        let mut between = (**after).clone();
        if is_counter && after.is_reset_since(before) {
            between.scale(self.share(i, at));
            return Some(between);
        }
        remarks.combined(between.subtract(before), Combination::Subtraction)?;
        between.scale(self.share(i, at));
        remarks.combined(between.add(before), Combination::Addition)?;
        Some(between)
    }

    /// The last histogram before each reset on the way from `left` to `right`. A reset between the
    /// samples around the start is part of `left` already.
    fn before_resets<'h>(
        &'h self,
        (first, last): (usize, usize),
        left: &'h NativeHistogram,
        right: &'h NativeHistogram,
    ) -> Vec<&'h NativeHistogram> {
        let (mut before, mut from) = (left, first + 1);
        let starts_within = self.interpolates_start(first)
            && self.values[first + 1].is_reset_since(&self.values[first]);
        if starts_within {
            before = &self.values[first + 1];
            from += 1;
        }
        if from > last {
            return Vec::new();
        }
        let mut found = Vec::new();
        for now in self.values[from..last].iter().map(|h| &**h).chain([right]) {
            if now.is_reset_since(before) {
                found.push(before);
            }
            before = now;
        }
        found
    }
}
