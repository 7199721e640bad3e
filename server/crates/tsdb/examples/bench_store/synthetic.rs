//! Synthetic series and what they cost this process.

use std::sync::Arc;

use model::{Labels, NativeHistogram, Value, histogram::Span};

pub(crate) const STEP_MS: i64 = 10_000;
pub(crate) const START: i64 = 1_700_000_000_000;

/// How the values of a series go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    BusyCounter,
    IntegerGauge,
    DecimalGauge,
    Bytes,
    Constant,
    Mantissa,
    /// All of those above in turn.
    Mix,
    Histogram,
}

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
    level: f64,
    histogram: Vec<f64>,
}

impl Source {
    pub(crate) fn new(kind: Kind, number: usize) -> Self {
        let plain = [
            Kind::Counter,
            Kind::BusyCounter,
            Kind::IntegerGauge,
            Kind::DecimalGauge,
            Kind::Bytes,
            Kind::Constant,
            Kind::Mantissa,
        ];
        let kind = if kind == Kind::Mix { plain[number % plain.len()] } else { kind };
        let random = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let histogram = if kind == Kind::Histogram { vec![0.0; 60] } else { Vec::new() };
        Self { kind, random, level: (number % 1_000) as f64, histogram }
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
                self.level += if self.below(3) == 0.0 { self.below(3) } else { 0.0 };
                self.level
            }
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
            Kind::Constant => self.level,
            Kind::Mantissa => self.below(1 << 40) / 3.0,
            Kind::Mix | Kind::Histogram => return self.next_histogram(),
        };
        Value::Float(value)
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
