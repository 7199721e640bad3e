//! What one value does to the open window.

use crate::{
    context::GaugeNegative,
    line::{Kind, Metric},
    sketch::saturating_add,
    window::{Cell, Delta, GaugeDelta},
};

/// How a value is applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    /// How many observations it stands for.
    weight: f64,
    /// Whether it replaces the value of a gauge; else it changes it.
    is_absolute: bool,
    /// When it arrived.
    stamp: u64,
}

impl Operation {
    #[inline]
    pub(super) fn new(
        metric: &Metric<'_>,
        text: &[u8],
        gauge_negative: GaugeNegative,
        stamp: u64,
    ) -> Self {
        let is_absolute = match text.first() {
            Some(b'+') => metric.kind != Kind::Gauge,
            Some(b'-') => metric.kind != Kind::Gauge || gauge_negative == GaugeNegative::Absolute,
            _ => true,
        };
        let weight = if metric.rate < 1.0 { 1.0 / metric.rate } else { 1.0 };
        Self { weight, is_absolute, stamp }
    }
}

impl Cell {
    /// Brings the sketch into the cache ahead of its use.
    #[inline]
    pub(super) fn touch(&self) {
        if let Delta::Timer(sketch) = &self.delta {
            std::hint::black_box(sketch.schema());
        }
    }

    /// Applies a number. Members of sets are inserted elsewhere.
    #[inline]
    pub(super) fn apply(&mut self, value: f64, operation: Operation) {
        let value = if self.is_scaled { value * self.series.scale } else { value };
        match &mut self.delta {
            Delta::Counter(sum) => *sum = saturating_add(*sum, value * operation.weight),
            Delta::Timer(sketch) => sketch.add(value, operation.weight),
            Delta::Gauge(gauge) => {
                *gauge = if operation.is_absolute {
                    GaugeDelta { value, is_absolute: true, stamp: operation.stamp }
                } else {
                    let value = saturating_add(gauge.value, value);
                    GaugeDelta { value, stamp: operation.stamp, ..*gauge }
                };
            }
            Delta::Set(_) => {}
        }
    }
}
