//! Native histograms: sparse exponential buckets, Prometheus's `FloatHistogram`.
//!
//! In schema `n` (−4 to 8) bucket `i` holds values in `(base^(i-1), base^i]` with
//! `base = 2^(2^-n)`; schema 5 gives every percentile within 1.1 %. Schema −53 has custom bounds.
//! Source: `model/histogram/float_histogram.go` in Prometheus, and its specification of native
//! histograms.

/// The schema with custom bounds.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// A run of consecutive buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// For the first span the index of its first bucket; later the gap to the span before.
    pub offset: i32,
    /// How many buckets follow one another.
    pub length: u32,
}

/// What is known of a counter reset before this histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ResetHint {
    /// Nothing: compare to find out.
    #[default]
    Unknown,
    /// The counter was reset.
    Reset,
    /// It was not.
    NotReset,
    /// Not a counter but a gauge.
    Gauge,
}

/// A distribution of observations. Bucket counts are absolute, not deltas.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NativeHistogram {
    /// Resolution; see the module's documentation.
    pub schema: i32,
    /// Observations up to this absolute value count as zero.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// The sum of all observations.
    pub sum: f64,
    /// Runs of [`Self::positive`].
    pub positive_spans: Vec<Span>,
    /// Counts of the buckets above zero, in order of the bounds.
    pub positive: Vec<f64>,
    /// Runs of [`Self::negative`].
    pub negative_spans: Vec<Span>,
    /// Counts of the buckets below zero, in order of the absolute bounds.
    pub negative: Vec<f64>,
    /// Upper bounds for [`CUSTOM_BUCKETS_SCHEMA`], without the infinite last one; else empty.
    pub custom_bounds: Vec<f64>,
    /// Whether the counter restarted before this.
    pub reset_hint: ResetHint,
}
