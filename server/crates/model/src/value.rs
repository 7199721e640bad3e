//! Sample values and Prometheus's staleness marker.

use std::sync::Arc;

use crate::{histogram::NativeHistogram, time::Timestamp};

/// The NaN that marks the end of a series (`model/value/value.go` in Prometheus).
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The value that says "this series ended here".
pub const fn stale_marker() -> f64 {
    f64::from_bits(STALE_BITS)
}

/// Whether a value is the staleness marker; other NaNs are ordinary values.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

/// What a series holds at one time.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Float(f64),
    /// A whole distribution; shared, because one is copied along every query.
    Histogram(Arc<NativeHistogram>),
}

impl Value {
    /// Whether this is the end of a series. A histogram is stale when its sum is the marker.
    pub fn is_stale(&self) -> bool {
        match self {
            Self::Float(value) => is_stale(*value),
            Self::Histogram(histogram) => is_stale(histogram.sum),
        }
    }
}

/// A value and its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When.
    pub timestamp: Timestamp,
    /// What.
    pub value: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_marker_is_stale() {
        assert!(is_stale(stale_marker()));
        assert!(stale_marker().is_nan());
        assert!(!is_stale(f64::NAN));
        assert!(!is_stale(0.0));
    }
}
