//! Sorting the rows of a vector into native histograms and the buckets of classic ones.

use std::collections::HashMap;

use model::{Labels, NativeHistogram};

use super::ClassicBucket;
use crate::{
    annotations::Note,
    engine::EvalError,
    eval::{Evaluator, Row, Steps, Values, is_absent},
    parser::Expr,
};

/// The label that holds the upper bound of a classic bucket.
const BUCKET_LABEL: &str = "le";

/// The histograms of a vector.
pub(super) struct Histograms {
    rows: Vec<Row>,
    groups: Vec<Group>,
    /// The group of classic buckets with the labels of a row, for the rows with native histograms.
    conflicts: Vec<Option<usize>>,
}

/// The buckets of one classic histogram.
struct Group {
    /// Labels without the bucket's bound; the name is kept.
    labels: Labels,
    /// Upper bound and row of each bucket.
    buckets: Vec<(f64, usize)>,
}

impl Histograms {
    pub(super) fn collect(
        evaluator: &Evaluator<'_>,
        arg: &Expr,
        steps: Steps,
    ) -> Result<Self, EvalError> {
        let rows = evaluator.rows(arg, steps)?;
        evaluator.release_rows(rows.len(), steps);
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<Labels, usize> = HashMap::new();
        for (i, row) in rows.iter().enumerate() {
            if row.values.floats.iter().all(|value| is_absent(*value)) {
                continue;
            }
            let bound = row.labels.value_or_empty(BUCKET_LABEL);
            let Some(upper) = parse_bound(bound) else {
                let metric = row.labels.metric_name().unwrap_or_default();
                evaluator.note(&Note::BadBucketLabel { metric, label: bound }, arg.span);
                continue;
            };
            let labels = row.labels.without(|name| name == BUCKET_LABEL);
            let place = *places.entry(labels.clone()).or_insert_with(|| {
                groups.push(Group { labels, buckets: Vec::new() });
                groups.len() - 1
            });
            groups[place].buckets.push((upper, i));
        }
        let conflict = |row: &Row| {
            row.values.histograms.as_ref().and_then(|_| places.get(&row.labels).copied())
        };
        let conflicts = rows.iter().map(conflict).collect();
        Ok(Self { rows, groups, conflicts })
    }

    /// A number per histogram and step. Where a native and a classic histogram have the same labels
    /// neither gives one.
    pub(super) fn compute(
        &self,
        evaluator: &Evaluator<'_>,
        arg: &Expr,
        steps: Steps,
        native: &dyn Fn(&str, &NativeHistogram, usize) -> f64,
        classic: &dyn Fn(&str, &mut Vec<ClassicBucket>, usize) -> f64,
    ) -> Vec<Row> {
        let mut out = Vec::new();
        for (row, conflict) in self.rows.iter().zip(&self.conflicts) {
            let Some(histograms) = &row.values.histograms else { continue };
            let metric = row.labels.metric_name().unwrap_or_default();
            let mut values = Values::absent(steps.count);
            for (step, histogram) in histograms.iter().enumerate() {
                let Some(histogram) = histogram else { continue };
                if conflict.is_some_and(|group| self.has_buckets(&self.groups[group], step)) {
                    evaluator.note(&Note::MixedClassicNative { metric }, arg.span);
                    continue;
                }
                values.floats[step] = native(metric, histogram, step);
            }
            if values.has_any() {
                out.push(Row { labels: row.labels.clone(), drop_name: true, values });
            }
        }
        let mut buckets = Vec::new();
        for (g, group) in self.groups.iter().enumerate() {
            let natives: Vec<&Row> = self
                .rows
                .iter()
                .zip(&self.conflicts)
                .filter(|(_, conflict)| **conflict == Some(g))
                .map(|(row, _)| row)
                .collect();
            let metric = group.labels.metric_name().unwrap_or_default();
            let mut values = Values::absent(steps.count);
            for step in 0..steps.count {
                buckets.clear();
                for (upper, row) in &group.buckets {
                    let count = self.rows[*row].values.floats[step];
                    if !is_absent(count) {
                        buckets.push(ClassicBucket { upper: *upper, count });
                    }
                }
                let is_mixed = natives.iter().any(|row| row.values.histogram(step).is_some());
                if !buckets.is_empty() && !is_mixed {
                    values.floats[step] = classic(metric, &mut buckets, step);
                }
            }
            if values.has_any() {
                out.push(Row { labels: group.labels.clone(), drop_name: true, values });
            }
        }
        out
    }

    fn has_buckets(&self, group: &Group, step: usize) -> bool {
        group.buckets.iter().any(|(_, row)| !is_absent(self.rows[*row].values.floats[step]))
    }
}

/// The bound in a bucket's label; `None` when it is missing or not a number.
fn parse_bound(text: &str) -> Option<f64> {
    let is_number = text.bytes().next().is_some_and(|b| !b.is_ascii_whitespace());
    if is_number { text.parse().ok() } else { None }
}
