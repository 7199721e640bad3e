//! A mergeable sketch of a distribution: base-2 exponential buckets, sparse, with exact counts.
//!
//! In schema `n` bucket `i` holds values in `(base^(i-1), base^i]` with `base = 2^(2^-n)`, as in
//! Prometheus's native histograms and OpenTelemetry's exponential histograms. A sketch starts at
//! [`SCHEMA`] 5 (buckets 2.19 % wide): a quantile is off by at most 1.09 % of its value, and merging
//! adds no error. When the values span more than [`MAX_SPAN`] buckets, neighbours are merged in pairs,
//! which is exact but halves the resolution.
//!
//! The bucket of a value comes from the bits of the double: the exponent gives the octave, the top
//! bits of the mantissa a place in a table that is off by one bucket at most. No logarithm is taken.

use model::NativeHistogram;

mod buckets;

use buckets::Buckets;

/// The resolution a sketch starts with: 32 buckets per doubling.
pub const SCHEMA: i32 = 5;
/// The most buckets between the lowest and the highest value of one sign. At [`SCHEMA`] this is a
/// ratio of 2^32 from smallest to largest: a microsecond to more than an hour.
pub const MAX_SPAN: u32 = 1024;
/// Values up to this size count as zero: 2^-128, the default of Prometheus's clients.
pub const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;

/// The coarsest exponential schema of native histograms.
const MIN_SCHEMA: i32 = -4;
/// The finest one.
const MAX_SCHEMA: i32 = 8;

const MANTISSA_BITS: u32 = 52;
const MANTISSA_MASK: u64 = (1 << MANTISSA_BITS) - 1;
const BUCKETS_PER_OCTAVE: usize = 1 << SCHEMA;

/// The mantissa bits of `2^(j/32)`, rounded to the nearest double: the lower bounds, exclusive, of the
/// buckets of an octave.
const BOUNDS: [u64; BUCKETS_PER_OCTAVE] = [
    0x0,
    0x59b0_d315_8574,
    0xb558_6cf9_890f,
    0x0001_1301_d012_5b51,
    0x0001_72b8_3c7d_517b,
    0x0001_d487_3168_b9aa,
    0x0002_387a_6e75_6238,
    0x0002_9e9d_f51f_dee1,
    0x0003_06fe_0a31_b715,
    0x0003_71a7_373a_a9cb,
    0x0003_dea6_4c12_3422,
    0x0004_4e08_6061_892d,
    0x0004_bfda_d536_2a27,
    0x0005_342b_569d_4f82,
    0x0005_ab07_dd48_5429,
    0x0006_247e_b03a_5585,
    0x0006_a09e_667f_3bcd,
    0x0007_1f75_e8ec_5f74,
    0x0007_a114_73eb_0187,
    0x0008_2589_994c_ce13,
    0x0008_ace5_422a_a0db,
    0x0009_3737_b0cd_c5e5,
    0x0009_c491_82a3_f090,
    0x000a_5503_b23e_255d,
    0x000a_e89f_995a_d3ad,
    0x000b_7f76_f2fb_5e47,
    0x000c_199b_dd85_529c,
    0x000c_b720_dcef_9069,
    0x000d_5818_dcfb_a487,
    0x000d_fc97_337b_9b5f,
    0x000e_a4af_a2a4_90da,
    0x000f_5076_5b6e_4540,
];

/// The mantissa is cut into this many equal cells. Bounds are at least 1/46 apart, so that a cell of
/// 1/64 holds one at most.
const CELL_BITS: u32 = 6;
const CELLS: usize = 1 << CELL_BITS;

/// For each cell, how many bounds lie below its start.
const BOUNDS_BELOW_CELL: [u8; CELLS] = {
    let mut below = [0; CELLS];
    let mut cell = 0;
    while cell < CELLS {
        let start = (cell as u64) << (MANTISSA_BITS - CELL_BITS);
        let mut count = 0;
        while count < BUCKETS_PER_OCTAVE && BOUNDS[count] < start {
            count += 1;
        }
        below[cell] = count as u8;
        cell += 1;
    }
    below
};

/// The bucket of a positive, finite, normal value at [`SCHEMA`].
#[inline]
fn bucket_of(value: f64) -> i32 {
    let bits = value.to_bits();
    let exponent = (bits >> MANTISSA_BITS) as i32 - 1023;
    let mantissa = bits & MANTISSA_MASK;
    let below = BOUNDS_BELOW_CELL[(mantissa >> (MANTISSA_BITS - CELL_BITS)) as usize];
    // The last cell has all bounds below it.
    let is_above_next = BOUNDS.get(usize::from(below)).is_some_and(|bound| *bound < mantissa);
    exponent * BUCKETS_PER_OCTAVE as i32 + i32::from(below) + i32::from(is_above_next)
}

/// The bucket that takes in bucket `index` when the resolution is halved `levels` times.
#[inline]
fn coarser(index: i32, levels: u32) -> i32 {
    ((index - 1) >> levels) + 1
}

/// A distribution of weighted values.
///
/// Values must be finite and weights positive and finite; a sketch ignores anything else.
#[derive(Debug, Clone, PartialEq)]
pub struct Sketch {
    schema: i32,
    sum: f64,
    zero: f64,
    positive: Buckets,
    /// Most distributions have none.
    negative: Option<Box<Buckets>>,
}

impl Default for Sketch {
    fn default() -> Self {
        Self::new()
    }
}

impl Sketch {
    /// An empty sketch.
    pub fn new() -> Self {
        Self { schema: SCHEMA, sum: 0.0, zero: 0.0, positive: Buckets::new(), negative: None }
    }

    /// Adds a value that stands for `weight` observations.
    #[inline]
    pub fn add(&mut self, value: f64, weight: f64) {
        if !value.is_finite() || !weight.is_finite() || weight <= 0.0 {
            return;
        }
        self.sum = saturating_add(self.sum, value * weight);
        if value.abs() <= ZERO_THRESHOLD {
            self.zero += weight;
            return;
        }
        let levels = (SCHEMA - self.schema) as u32;
        let index = coarser(bucket_of(value.abs()), levels);
        if value > 0.0 && self.positive.add(index, weight) {
            return;
        }
        self.add_bucket(index, value < 0.0, weight);
    }

    /// Adds to a bucket of the present schema, which may have to be widened.
    fn add_bucket(&mut self, index: i32, is_negative: bool, weight: f64) {
        let mut index = index;
        loop {
            let side = if is_negative {
                &mut **self.negative.get_or_insert_with(|| Box::new(Buckets::new()))
            } else {
                &mut self.positive
            };
            if side.grow_and_add(index, weight) {
                return;
            }
            self.halve_resolution();
            index = coarser(index, 1);
        }
    }

    /// Adds all observations of another sketch. The result has the coarser resolution of the two.
    pub fn merge(&mut self, other: &Self) {
        while self.schema > other.schema {
            self.halve_resolution();
        }
        self.sum = saturating_add(self.sum, other.sum);
        self.zero += other.zero;
        let mut merge_side = |side: &Buckets, is_negative| {
            side.for_each(|index, count| {
                // The schema may sink while the buckets are added.
                let levels = (other.schema - self.schema) as u32;
                self.add_bucket(coarser(index, levels), is_negative, count);
            });
        };
        merge_side(&other.positive, false);
        if let Some(negative) = &other.negative {
            merge_side(negative, true);
        }
    }

    fn halve_resolution(&mut self) {
        self.schema -= 1;
        self.positive = self.positive.halved();
        if let Some(negative) = &mut self.negative {
            **negative = negative.halved();
        }
    }

    /// The resolution: [`SCHEMA`], or less when the values span too much.
    pub fn schema(&self) -> i32 {
        self.schema
    }

    /// The number of observations.
    pub fn count(&self) -> f64 {
        self.zero + self.positive.total() + self.negative.as_ref().map_or(0.0, |n| n.total())
    }

    /// The sum of the observations.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.count() == 0.0
    }

    /// The value that a share `q` in `[0, 1]` of the observations does not exceed; `None` when empty.
    ///
    /// At [`SCHEMA`] the result is within 1.09 % of the value that the same rank has in the exact data.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count <= 0.0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * count;
        let mut seen = 0.0;
        let mut last = 0.0;
        let negative = self.negative.iter().flat_map(|side| side.iter().rev());
        let negative = negative.map(|(index, count)| (-self.middle(index), count));
        let zero = (self.zero > 0.0).then_some((0.0, self.zero));
        let positive = self.positive.iter().map(|(index, count)| (self.middle(index), count));
        for (value, count) in negative.chain(zero).chain(positive) {
            seen += count;
            last = value;
            if seen >= rank {
                break;
            }
        }
        Some(last)
    }

    /// The value whose relative distance to both bounds of a bucket is the same.
    fn middle(&self, index: i32) -> f64 {
        let bound = |index: i32| (f64::from(index) * f64::from(-self.schema).exp2()).exp2();
        let (lower, upper) = (bound(index - 1), bound(index));
        // Half of the harmonic mean's usual form, so that the largest buckets do not overflow.
        lower / (lower / upper + 1.0) * 2.0
    }

    /// The same observations as a native histogram, with absolute counts.
    pub fn to_native(&self) -> NativeHistogram {
        let (positive_spans, positive) = self.positive.to_spans();
        let (negative_spans, negative) =
            self.negative.as_ref().map(|side| side.to_spans()).unwrap_or_default();
        NativeHistogram {
            schema: self.schema,
            zero_threshold: ZERO_THRESHOLD,
            zero_count: self.zero,
            count: self.count(),
            sum: self.sum,
            positive_spans,
            positive,
            negative_spans,
            negative,
            ..NativeHistogram::default()
        }
    }

    /// Reads a native histogram back, to continue it. Resolutions above [`SCHEMA`] are reduced.
    ///
    /// `None` when it has custom bounds, which have no place here, or is a staleness marker.
    pub fn from_native(histogram: &NativeHistogram) -> Option<Self> {
        let schema = histogram.schema;
        if !(MIN_SCHEMA..=MAX_SCHEMA).contains(&schema) || !histogram.sum.is_finite() {
            return None;
        }
        // No double lies outside; a damaged histogram may.
        let limit = if schema < 0 { 2048 >> -schema } else { 2048 << schema };
        let mut sketch = Self::new();
        while sketch.schema > schema {
            sketch.halve_resolution();
        }
        let is_count = |count: &f64| count.is_finite() && *count > 0.0;
        let is_usable =
            |(index, count): &(i32, f64)| (-limit..=limit).contains(index) && is_count(count);
        sketch.sum = histogram.sum;
        sketch.zero = Some(histogram.zero_count).filter(is_count).unwrap_or(0.0);
        let sides = [
            (&histogram.positive_spans, &histogram.positive, false),
            (&histogram.negative_spans, &histogram.negative, true),
        ];
        for (spans, counts, is_negative) in sides {
            for (index, count) in buckets::indexed(spans, counts).filter(is_usable) {
                let levels = (schema - sketch.schema) as u32;
                sketch.add_bucket(coarser(index, levels), is_negative, count);
            }
        }
        Some(sketch)
    }

    /// The memory of the sketch, its own size included.
    pub fn size_bytes(&self) -> usize {
        let negative =
            self.negative.as_ref().map_or(0, |side| size_of::<Buckets>() + side.heap_bytes());
        size_of::<Self>() + self.positive.heap_bytes() + negative
    }
}

/// Adds without leaving the finite numbers: an infinite sum could never be continued.
pub(crate) fn saturating_add(a: f64, b: f64) -> f64 {
    (a + b).clamp(f64::MIN, f64::MAX)
}

#[cfg(test)]
mod tests;
