//! Results.

use std::{ops::Range, sync::Arc};

use model::{Column, Labels, NativeHistogram, Timestamp, Value};

use crate::{
    annotations::Annotations,
    eval::{Row, Steps, Values, is_absent},
};

/// The answer to a query.
#[derive(Debug, Clone)]
pub struct Output {
    /// The value.
    pub value: QueryValue,
    /// Remarks on it.
    pub annotations: Annotations,
    /// What the store could not read and the value therefore lacks, as sentences.
    pub left_out: Vec<String>,
    /// What it cost.
    pub stats: Stats,
    /// What each part of the expression did, when [`Context::profile`](crate::Context::profile) asked.
    pub plan: Option<super::Plan>,
    /// For every step of the query the samples it saw, those of overlapping windows again; empty
    /// unless [`Context::counts_steps`](crate::Context::counts_steps) asked. A histogram counts by the
    /// memory it takes in samples, as in Prometheus.
    pub steps: Vec<(Timestamp, u64)>,
}

/// What a query touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Series that matched, counted once per selector.
    pub series: usize,
    /// Samples read from the store.
    pub samples: usize,
    /// The most samples held in memory at once.
    pub peak_samples: usize,
}

/// The value of an expression.
#[derive(Debug, Clone)]
pub enum QueryValue {
    /// A number.
    Scalar {
        /// When.
        timestamp: Timestamp,
        /// The number.
        value: f64,
    },
    /// A text.
    Text {
        /// When.
        timestamp: Timestamp,
        /// The text.
        text: String,
    },
    /// A sample per series.
    Vector(Vec<VectorSample>),
    /// Samples per series.
    Matrix(Vec<Series>),
}

/// A sample of a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSample {
    /// The series.
    pub labels: Labels,
    /// The evaluation time.
    pub timestamp: Timestamp,
    /// The value.
    pub value: Value,
}

/// A series of a matrix, never empty.
#[derive(Debug, Clone)]
pub struct Series {
    /// The series.
    pub labels: Labels,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    OnSteps { steps: Steps, values: Values },
    Raw(Column),
}

/// A sample, borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Point<'a> {
    /// A number.
    Float(f64),
    /// A distribution.
    Histogram(&'a Arc<NativeHistogram>),
}

impl Series {
    pub(crate) fn on_steps(
        labels: Labels,
        steps: Steps,
        floats: Vec<f64>,
        histograms: Option<Vec<Option<Arc<NativeHistogram>>>>,
    ) -> Self {
        Self { labels, data: Data::OnSteps { steps, values: Values { floats, histograms } } }
    }

    pub(crate) fn raw(labels: Labels, column: Column) -> Self {
        Self { labels, data: Data::Raw(column) }
    }

    /// The samples, ascending in time.
    pub fn points(&self) -> Box<dyn Iterator<Item = (Timestamp, Point<'_>)> + '_> {
        match &self.data {
            Data::OnSteps { steps, values } => Box::new(
                (0..steps.count).filter_map(|i| values.point(i).map(|point| (steps.at(i), point))),
            ),
            Data::Raw(column) => {
                let floats = column.float_times.iter().zip(&column.floats);
                let histograms = column.histogram_times.iter().zip(&column.histograms);
                let mut all: Vec<(Timestamp, Point<'_>)> = floats
                    .map(|(t, v)| (*t, Point::Float(*v)))
                    .chain(histograms.map(|(t, h)| (*t, Point::Histogram(h))))
                    .collect();
                if !column.histograms.is_empty() {
                    all.sort_by_key(|(t, _)| *t);
                }
                Box::new(all.into_iter())
            }
        }
    }

    /// The time of the first step, the distance of steps in milliseconds, and a number per step, which
    /// is the staleness marker where there is none; `None` when the series has histograms or is not on
    /// steps.
    pub fn numbers(&self) -> Option<(Timestamp, i64, &[f64])> {
        match &self.data {
            Data::OnSteps { steps, values } if values.histograms.is_none() => {
                Some((steps.start, steps.step, &values.floats))
            }
            _ => None,
        }
    }

    /// Roughly the memory it takes, in bytes.
    pub fn heap_bytes(&self) -> usize {
        let (values, histograms) = match &self.data {
            Data::OnSteps { values, .. } => (
                size_of_val(&*values.floats),
                values.histograms.as_deref().map_or(&[][..], |all| all).iter().flatten().collect(),
            ),
            Data::Raw(column) => {
                (2 * size_of_val(&*column.floats), column.histograms.iter().collect::<Vec<_>>())
            }
        };
        let histograms = histograms.into_iter().map(|histogram| {
            let numbers = histogram.positive.len() + histogram.negative.len();
            size_of::<NativeHistogram>() + numbers * size_of::<f64>()
        });
        size_of::<Self>() + self.labels.as_packed().len() + values + histograms.sum::<usize>()
    }

    /// Copies the values of some of `steps`, by number, to their places in `out`, as far as it has them.
    pub(crate) fn copy_to(&self, out: &mut Values, steps: Steps, wanted: Range<usize>) {
        let Data::OnSteps { steps: own, values } = &self.data else { return };
        for number in wanted {
            let place = (steps.at(number) - own.start) / own.step;
            let Some(place) = usize::try_from(place).ok().filter(|place| *place < own.count) else {
                continue;
            };
            if let Some(point) = values.point(place) {
                out.set_point(number, point);
            }
        }
    }

    /// Whether it has histograms.
    pub fn has_histograms(&self) -> bool {
        match &self.data {
            Data::OnSteps { values, .. } => values.histograms.is_some(),
            Data::Raw(column) => !column.histograms.is_empty(),
        }
    }
}

/// The rows of a single step.
pub(super) fn vector(rows: Vec<Row>, steps: Steps) -> Vec<VectorSample> {
    let timestamp = steps.start;
    rows.into_iter()
        .filter_map(|row| {
            let value = match row.values.point(0)? {
                Point::Float(value) => Value::Float(value),
                Point::Histogram(histogram) => Value::Histogram(Arc::clone(histogram)),
            };
            Some(VectorSample { labels: row.labels, timestamp, value })
        })
        .collect()
}

/// The rows of many steps.
pub(super) fn matrix(rows: Vec<Row>, steps: Steps) -> Vec<Series> {
    rows.into_iter()
        .filter(|row| {
            row.values.histograms.is_some() || row.values.floats.iter().any(|v| !is_absent(*v))
        })
        .map(|row| Series::on_steps(row.labels, steps, row.values.floats, row.values.histograms))
        .collect()
}
