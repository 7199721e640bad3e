//! The series that are asked about, and the requests that bring them to a server.

use std::sync::Arc;

use anyhow::Context as _;
use model::{
    Labels, Value,
    histogram::{NativeHistogram, Span},
};
use remote::{Encoder, Protocol};
use serde_json::json;

pub(crate) const STEP_MS: i64 = 10_000;
const HOUR_MS: i64 = 3_600_000;
/// Counters over 24 h.
const COUNTERS: usize = 1_000;
/// Gauges over 24 h.
const GAUGES: usize = 100;
/// All series of numbers.
const SERIES: usize = 10_000;
/// Series of native histograms over 6 h.
const HISTOGRAMS: usize = 100;
const SAMPLES_PER_REQUEST: usize = 10_000;

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// The time after the newest sample, in milliseconds.
    pub(crate) end: i64,
    /// Whether all series have samples for 24 h; else those that no query asks for are young.
    pub(crate) is_full: bool,
}

/// A request of remote write, and whether it holds histograms.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) body: Vec<u8>,
    pub(crate) has_histograms: bool,
}

/// Makes the requests in order of time and hands them over one by one.
pub(crate) fn each_request(
    extent: Extent,
    send: &mut dyn FnMut(&Request) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let series: Vec<Labels> = (0..SERIES).map(labels).collect();
    let histograms: Vec<Labels> = (0..HISTOGRAMS).map(histogram_labels).collect();
    let long = if extent.is_full { SERIES } else { COUNTERS + GAUGES };
    let steps = (24 * HOUR_MS / STEP_MS) as usize;
    let young = steps - (HOUR_MS / STEP_MS / 6) as usize;
    let shaped = steps - (6 * HOUR_MS / STEP_MS) as usize;
    let start = extent.end - 24 * HOUR_MS;
    let mut numbers = Batch::new(false);
    let mut distributions = Batch::new(true);
    for step in 0..steps {
        let at = start + step as i64 * STEP_MS;
        let count = if step < young { long } else { SERIES };
        for (number, labels) in series[..count].iter().enumerate() {
            numbers.push(labels, at, &Value::Float(value(number, step)), send)?;
        }
        if step >= shaped {
            for (number, labels) in histograms.iter().enumerate() {
                let value = Value::Histogram(Arc::new(histogram(number, step - shaped)));
                distributions.push(labels, at, &value, send)?;
            }
        }
    }
    numbers.send(send)?;
    distributions.send(send)
}

/// The series that have samples over 24 h in any case, as lines of JSON for an import.
pub(crate) fn each_line(
    extent: Extent,
    send: &mut dyn FnMut(String) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let steps = (24 * HOUR_MS / STEP_MS) as usize;
    let start = extent.end - 24 * HOUR_MS;
    for number in 0..COUNTERS + GAUGES {
        let labels = labels(number);
        let metric: serde_json::Map<_, _> =
            labels.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let values: Vec<f64> = (0..steps).map(|step| value(number, step)).collect();
        let times: Vec<i64> = (0..steps).map(|step| start + step as i64 * STEP_MS).collect();
        send(format!("{}\n", json!({"metric": metric, "values": values, "timestamps": times})))?;
    }
    Ok(())
}

struct Batch<'a> {
    encoder: Encoder<'a>,
    count: usize,
    has_histograms: bool,
}

impl<'a> Batch<'a> {
    fn new(has_histograms: bool) -> Self {
        Self { encoder: Encoder::new(Protocol::V1), count: 0, has_histograms }
    }

    fn push(
        &mut self,
        labels: &'a Labels,
        at: i64,
        value: &Value,
        send: &mut dyn FnMut(&Request) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.encoder.push(labels, at, value, None);
        self.count += 1;
        if self.count >= SAMPLES_PER_REQUEST { self.send(send) } else { Ok(()) }
    }

    fn send(&mut self, send: &mut dyn FnMut(&Request) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let full = std::mem::replace(self, Self::new(self.has_histograms));
        let body = remote::pack(&full.encoder.finish()).context("a request is below 4 GiB")?;
        send(&Request { body, has_histograms: self.has_histograms })
    }
}

/// First the counters, then the gauges, then what only counts.
fn labels(number: usize) -> Labels {
    let name = match number {
        0..COUNTERS => "shop_requests_total",
        _ if number < COUNTERS + GAUGES => "shop_load",
        _ => "shop_depth",
    };
    Labels::from_pairs([
        ("__name__", name.to_owned()),
        ("instance", format!("10.0.{}.{}:9100", number / 250, number % 250)),
        ("job", "shop".to_owned()),
        ("pod", format!("shop-backend-7d9f8b6c5-{number:05}")),
        ("service", format!("service-{}", number % 20)),
    ])
}

fn histogram_labels(number: usize) -> Labels {
    Labels::from_pairs([
        ("__name__", "shop_wait_seconds".to_owned()),
        ("instance", format!("10.0.0.{number}:9100")),
        ("job", "shop".to_owned()),
    ])
}

/// Counters of different speed, and gauges with two decimals.
fn value(number: usize, step: usize) -> f64 {
    let noise =
        |salt: usize| (step * 7_919 + number * 104_729 + salt).wrapping_mul(2_654_435_761) >> 7;
    if number < COUNTERS {
        (step * (10 + number % 50)) as f64 + (noise(0) % 10) as f64
    } else {
        let wave = ((step * 7 + number * 13) % 360) as f64;
        ((wave + (noise(1) % 100) as f64) * 12.5).round() / 100.0
    }
}

/// A counter of 24 buckets in which requests of a few durations are counted.
fn histogram(number: usize, step: usize) -> NativeHistogram {
    let positive: Vec<f64> =
        (0..24).map(|bucket| (step * (1 + (bucket * 7 + number) % 11)) as f64).collect();
    let count = positive.iter().sum();
    NativeHistogram {
        schema: 3,
        zero_threshold: 1e-128,
        count,
        sum: count * 0.25,
        positive_spans: vec![Span { offset: -24, length: 24 }],
        positive,
        ..NativeHistogram::default()
    }
}
