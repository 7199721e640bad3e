//! The live value of one series.

use std::sync::{Arc, Weak};

use model::{NativeHistogram, Value};

use crate::{
    distinct::Distinct,
    series::SeriesKind,
    sketch::{Sketch, saturating_add},
    window::Delta,
};

#[derive(Debug)]
pub(super) enum State {
    Counter(Counter),
    Gauge(Gauge),
    Timer(Box<Timer>),
    Set(Box<Distinct>),
}

/// A counter that never falls.
#[derive(Debug, Default)]
pub(super) struct Counter {
    pub(super) total: f64,
    /// Counts below zero that increments to come have to make up for.
    debt: f64,
}

impl Counter {
    pub(super) fn add(&mut self, count: f64) {
        let count = count - self.debt;
        self.debt = (-count).max(0.0);
        self.total = saturating_add(self.total, count.max(0.0));
    }
}

#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// `None` until the gauge is set.
    pub(super) value: Option<f64>,
    /// The arrival of the last write that set it.
    pub(super) stamp: u64,
}

#[derive(Debug, Default)]
pub(super) struct Timer {
    pub(super) total: Sketch,
    /// The histogram emitted last, while the store still holds it: an idle timer is not built anew.
    emitted: Weak<NativeHistogram>,
}

impl State {
    pub(super) fn new(kind: SeriesKind) -> Self {
        match kind {
            SeriesKind::Counter => Self::Counter(Counter::default()),
            SeriesKind::Gauge => Self::Gauge(Gauge::default()),
            SeriesKind::Timer => Self::Timer(Box::default()),
            SeriesKind::Set => Self::Set(Box::default()),
        }
    }

    /// Adds a window's delta of the same kind. A change of a gauge is handed back with its arrival:
    /// whether it counts is known when all windows are merged.
    pub(super) fn add(&mut self, delta: Delta) -> Option<(f64, u64)> {
        match (self, delta) {
            (Self::Counter(counter), Delta::Counter(count)) => counter.add(count),
            (Self::Gauge(gauge), Delta::Gauge(write)) => {
                if !write.is_absolute {
                    return Some((write.value, write.stamp));
                }
                if gauge.value.is_none() || write.stamp >= gauge.stamp {
                    *gauge = Gauge { value: Some(write.value), stamp: write.stamp };
                }
            }
            (Self::Timer(timer), Delta::Timer(sketch)) => timer.add(&sketch),
            (Self::Set(members), Delta::Set(more)) => members.merge(&more),
            // The registry refuses a series of another kind before it comes here.
            _ => {}
        }
        None
    }

    /// The value of this tick; `None` for a gauge that was never set. A set starts anew.
    pub(super) fn emit(&mut self) -> Option<Value> {
        match self {
            Self::Counter(counter) => Some(Value::Float(counter.total)),
            Self::Gauge(gauge) => gauge.value.map(Value::Float),
            Self::Timer(timer) => Some(Value::Histogram(timer.emit())),
            Self::Set(members) => Some(Value::Float(std::mem::take(&mut **members).count())),
        }
    }
}

impl Timer {
    pub(super) fn add(&mut self, sketch: &Sketch) {
        self.total.merge(sketch);
        self.emitted = Weak::new();
    }

    fn emit(&mut self) -> Arc<NativeHistogram> {
        self.emitted.upgrade().unwrap_or_else(|| {
            let histogram = Arc::new(self.total.to_native());
            self.emitted = Arc::downgrade(&histogram);
            histogram
        })
    }
}
