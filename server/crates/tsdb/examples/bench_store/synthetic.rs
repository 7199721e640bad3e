//! Synthetic series and what they cost this process.

use std::sync::Arc;

use model::{Labels, NativeHistogram, Value, histogram::Span};

pub(crate) const STEP_MS: i64 = 10_000;
pub(crate) const START: i64 = 1_700_000_000_000;

/// How the values of a series go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Events since the start; a third of an event per flush to 300 of them, by series.
    Counter,
    /// Events per second, 2 to 2,000 of them per flush, by series: one decimal.
    Rate,
    /// A walk in steps of up to 2.
    IntegerGauge,
    /// A percentage with two decimals, evenly spread over 3 %.
    DecimalGauge,
    /// Milliseconds with three decimals, spread by 1 ms around 23 ms.
    Timer,
    Constant,
    /// The mean of 20 to 99 such timers, added up as floating point numbers.
    Mean,
    /// All of those above in turn.
    Mix,
    /// A counter with 500 to 559 events per flush.
    BusyCounter,
    /// Memory in pages of 4 KiB: a walk in steps of up to 32 pages.
    Bytes,
    /// Random mantissas, which nothing makes shorter.
    Mantissa,
    /// As `Mix`, with random mantissas instead of means.
    MixMantissa,
    Histogram,
}

/// What `Mix` is made of.
const MIX: [Kind; 7] = [
    Kind::Counter,
    Kind::Rate,
    Kind::IntegerGauge,
    Kind::DecimalGauge,
    Kind::Timer,
    Kind::Constant,
    Kind::Mean,
];

/// The labels of the series `number`: fifty metrics, many hosts.
pub(crate) fn labels(number: usize) -> Labels {
    Labels::from_pairs([
        ("__name__", format!("http_requests_{}_total", number % 50)),
        ("host", format!("web-{:03}.example.com", number / 50 % 100)),
        ("job", "frontend".to_owned()),
        ("path", format!("/api/v1/{}", number / 5_000)),
    ])
}

/// A series' values, one after the other.
pub(crate) struct Source {
    kind: Kind,
    random: u64,
    /// Events per flush.
    rate: f64,
    level: f64,
    histogram: Vec<f64>,
}

impl Source {
    pub(crate) fn new(kind: Kind, number: usize) -> Self {
        let kind = match (kind, MIX[number % MIX.len()]) {
            (Kind::Mix, one) => one,
            (Kind::MixMantissa, Kind::Mean) => Kind::Mantissa,
            (Kind::MixMantissa, one) => one,
            (kind, _) => kind,
        };
        let random = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let histogram = if kind == Kind::Histogram { vec![0.0; 60] } else { Vec::new() };
        let rate = [0.3, 3.0, 30.0, 300.0][number / MIX.len() % 4];
        Self { kind, random, rate, level: (number % 1_000) as f64, histogram }
    }

    fn below(&mut self, bound: u64) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % bound) as f64
    }

    /// The value of the next flush.
    pub(crate) fn next(&mut self) -> Value {
        let value = match self.kind {
            Kind::Counter => {
                self.level += self.events(self.rate);
                self.level
            }
            Kind::Rate => self.events(self.rate * 7.0) / 10.0,
            Kind::BusyCounter => {
                self.level += 500.0 + self.below(60);
                self.level
            }
            Kind::IntegerGauge => {
                self.level += self.below(5) - 2.0;
                self.level
            }
            Kind::DecimalGauge => (5_000.0 + self.below(300)) / 100.0,
            Kind::Bytes => {
                self.level += self.below(64) - 32.0;
                4_096.0 * (100_000.0 + self.level)
            }
            Kind::Timer => self.timer(),
            Kind::Constant => self.level,
            Kind::Mean => {
                let count = 20.0 + self.below(80);
                (0..count as usize).map(|_| self.timer()).sum::<f64>() / count
            }
            Kind::Mantissa => self.below(1 << 53) / (1_u64 << 53) as f64 * 100.0,
            Kind::Mix | Kind::MixMantissa | Kind::Histogram => return self.next_histogram(),
        };
        Value::Float(value)
    }

    /// How many events there were when so many are usual (Poisson; above 30 by a normal distribution).
    fn events(&mut self, usual: f64) -> f64 {
        let mut uniform = || self.below(1 << 53) / (1_u64 << 53) as f64;
        if usual > 30.0 {
            let deviation: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            return (usual + usual.sqrt() * deviation).round().max(0.0);
        }
        let (limit, mut product, mut events) = ((-usual).exp(), uniform(), 0.0);
        while product > limit {
            product *= uniform();
            events += 1.0;
        }
        events
    }

    /// Milliseconds to the microsecond.
    fn timer(&mut self) -> f64 {
        (20_000.0 + self.below(2_000) + self.below(2_000) + self.below(2_000)) / 1e3
    }

    /// A timer of 30 observations per flush around the middle buckets.
    fn next_histogram(&mut self) -> Value {
        for _ in 0..30 {
            let bucket = (self.below(20) + self.below(20) + self.below(22)) as usize;
            self.histogram[bucket.min(59)] += 1.0;
            self.level += 10.0 + self.below(1_000) / 1_000.0;
        }
        Value::Histogram(Arc::new(NativeHistogram {
            schema: 5,
            count: self.histogram.iter().sum(),
            sum: (self.level * 1e3).round() / 1e3,
            positive_spans: vec![Span { offset: 100, length: 60 }],
            positive: self.histogram.clone(),
            ..NativeHistogram::default()
        }))
    }
}

/// The time this thread has spent on a processor.
pub(crate) fn cpu_seconds() -> f64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = schedstat.split(' ').next().and_then(|text| text.parse::<u64>().ok());
    nanoseconds.unwrap_or_default() as f64 / 1e9
}

/// The memory of this process that is in use.
pub(crate) fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|text| text.parse::<u64>().ok());
    pages.unwrap_or_default() * 4_096
}
