//! Rows: a series with a value or nothing at every step.

use std::{collections::HashMap, sync::Arc};

use model::{Labels, NativeHistogram, is_stale, labels::METRIC_NAME, stale_marker};

use crate::engine::{EvalError, Point};

/// Stands for "no number at this step". It is the staleness marker, a NaN that no arithmetic produces
/// and that selectors never pass on.
pub(crate) const ABSENT: f64 = stale_marker();

pub(crate) fn absent(count: usize) -> Vec<f64> {
    vec![ABSENT; count]
}

pub(crate) fn is_absent(value: f64) -> bool {
    is_stale(value)
}

/// A histogram or nothing per step.
pub(crate) type Histograms = Vec<Option<Arc<NativeHistogram>>>;

/// The values of a row. A step has a number, a histogram or nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    /// A number per step, [`ABSENT`] where there is none.
    pub(crate) floats: Vec<f64>,
    /// A histogram per step, when there is any.
    pub(crate) histograms: Option<Histograms>,
}

impl Values {
    pub(crate) fn absent(count: usize) -> Self {
        Self { floats: absent(count), histograms: None }
    }

    /// Forgets all values and keeps the memory.
    pub(crate) fn reset(&mut self, count: usize) {
        self.floats.clear();
        self.floats.resize(count, ABSENT);
        self.histograms = None;
    }

    pub(crate) fn point(&self, step: usize) -> Option<Point<'_>> {
        if let Some(histogram) = self.histogram(step) {
            return Some(Point::Histogram(histogram));
        }
        let value = self.floats[step];
        (!is_absent(value)).then_some(Point::Float(value))
    }

    pub(crate) fn histogram(&self, step: usize) -> Option<&Arc<NativeHistogram>> {
        self.histograms.as_ref()?[step].as_ref()
    }

    pub(crate) fn is_present(&self, step: usize) -> bool {
        !is_absent(self.floats[step]) || self.histogram(step).is_some()
    }

    pub(crate) fn has_any(&self) -> bool {
        self.histograms.is_some() || self.floats.iter().any(|value| !is_absent(*value))
    }

    pub(crate) fn set_histogram(&mut self, step: usize, histogram: Arc<NativeHistogram>) {
        let count = self.floats.len();
        self.histograms.get_or_insert_with(|| vec![None; count])[step] = Some(histogram);
    }

    pub(crate) fn set_point(&mut self, step: usize, point: Point<'_>) {
        match point {
            Point::Float(value) => self.floats[step] = value,
            Point::Histogram(histogram) => self.set_histogram(step, Arc::clone(histogram)),
        }
    }

    /// The value of the single step at every one of `count` steps.
    pub(crate) fn broadcast(&self, count: usize) -> Self {
        let histograms =
            self.histogram(0).map(|histogram| vec![Some(Arc::clone(histogram)); count]);
        Self { floats: vec![self.floats[0]; count], histograms }
    }
}

/// A series of a vector over all steps.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The labels, the name included even when it is to be dropped.
    pub(crate) labels: Labels,
    /// Whether the name is dropped at the end.
    pub(crate) drop_name: bool,
    /// The values.
    pub(crate) values: Values,
}

impl Row {
    pub(crate) fn as_ref(&self) -> RowRef<'_> {
        RowRef { labels: &self.labels, drop_name: self.drop_name, values: &self.values }
    }
}

/// A row whose values are still in the buffer of whoever computed them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowRef<'a> {
    pub(crate) labels: &'a Labels,
    pub(crate) drop_name: bool,
    pub(crate) values: &'a Values,
}

impl RowRef<'_> {
    pub(crate) fn to_row(self) -> Row {
        Row { labels: self.labels.clone(), drop_name: self.drop_name, values: self.values.clone() }
    }
}

/// The labels that tell what is measured. They go together when the result is something else.
pub(crate) fn is_identity(name: &str) -> bool {
    matches!(name, METRIC_NAME | "__type__" | "__unit__")
}

pub(crate) fn without_identity(labels: &Labels) -> Labels {
    labels.without(is_identity)
}

/// Joins rows with equal labels.
///
/// # Errors
/// When two of them have a value at the same step.
pub(crate) fn merge_same_labels(rows: Vec<Row>) -> Result<Vec<Row>, EvalError> {
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(rows.len());
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match places.get(&row.labels) {
            None => {
                places.insert(row.labels.clone(), merged.len());
                merged.push(row);
            }
            Some(place) => merge_into(&mut merged[*place].values, &row.values)?,
        }
    }
    Ok(merged)
}

pub(crate) fn merge_into(target: &mut Values, other: &Values) -> Result<(), EvalError> {
    for step in 0..other.floats.len() {
        if let Some(point) = other.point(step) {
            if target.is_present(step) {
                return Err(EvalError::duplicate_labels());
            }
            target.set_point(step, point);
        }
    }
    Ok(())
}
