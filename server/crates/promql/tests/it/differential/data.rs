//! Series of every usual kind: counters with resets, gauges with numbers that are none, series with
//! gaps and ends, classic histograms.

use model::{Labels, Timestamp, stale_marker};

use super::{BEGIN, Random, Samples, labels};

/// How far samples are apart, and how far they are from the full minute at which edges lie.
const STEP_MS: i64 = 15_000;
const OFF_EDGE_MS: i64 = 3_137;

/// Ninety minutes.
const COUNT: i64 = 360;

pub(super) fn times() -> impl Iterator<Item = Timestamp> {
    (0..COUNT).map(|i| BEGIN + i * STEP_MS + OFF_EDGE_MS)
}

pub(super) fn series(random: &mut Random) -> Vec<Samples> {
    let mut all = Vec::new();
    for job in ["api", "web", "db"] {
        for instance in ["1", "2", "3"] {
            let of = |name: &str, more: &str| {
                labels(&format!("{name}{{job=\"{job}\",instance=\"{instance}\"{more}}}"))
            };
            for code in ["200", "404", "500"] {
                all.push(counter(of("requests_total", &format!(",code=\"{code}\"")), random));
            }
            all.push(counter(of("bytes_total", ""), random));
            all.push(gauge(of("temperature", ""), random));
            all.push(gauge(of("load", ""), random));
            all.push(holes(of("flaky", ""), random));
            all.push(odd(of("odd", ""), random));
            all.extend(histogram(&of, random));
        }
        all.push(gauge(labels(&format!("limit{{job=\"{job}\",team=\"t-{job}\"}}")), random));
    }
    all
}

/// Rises by whole numbers and begins again now and then, high enough that its zero is far.
pub(super) fn counter(labels: Labels, random: &mut Random) -> Samples {
    let begin = |random: &mut Random| 50_000.0 + random.below(50_000) as f64;
    let mut value = begin(random);
    let values = times().map(|time| {
        value = if random.once_in(90) { begin(random) } else { value + random.below(40) as f64 };
        (time, value)
    });
    Samples { labels, values: values.collect() }
}

/// Multiples of an eighth above zero.
pub(super) fn gauge(labels: Labels, random: &mut Random) -> Samples {
    let values = times().map(|time| (time, 1.0 + random.below(8_000) as f64 / 8.0));
    Samples { labels, values: values.collect() }
}

/// A gauge with missing samples, and ends with a stale marker after which it comes back.
fn holes(labels: Labels, random: &mut Random) -> Samples {
    let mut values = gauge(labels.clone(), random).values;
    let mut gone = 0;
    values.retain_mut(|(_, value)| {
        if gone > 0 {
            gone -= 1;
            return false;
        }
        if random.once_in(60) {
            *value = stale_marker();
            gone = random.below(40);
        } else if random.once_in(30) {
            gone = random.below(30);
        }
        true
    });
    Samples { labels, values }
}

/// Infinities, NaN, zeros and negative numbers among whole ones.
fn odd(labels: Labels, random: &mut Random) -> Samples {
    let values = times().map(|time| {
        let value = match random.below(40) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => 0.0,
            n => n as f64 - 20.0,
        };
        (time, value)
    });
    Samples { labels, values: values.collect() }
}

/// A classic histogram: cumulative buckets, count and sum.
fn histogram(of: &impl Fn(&str, &str) -> Labels, random: &mut Random) -> Vec<Samples> {
    const BOUNDS: [&str; 5] = ["0.1", "0.5", "1", "5", "+Inf"];
    let mut counts = [1_000.0, 3_000.0, 6_000.0, 9_000.0, 9_500.0];
    let mut all: Vec<Samples> = BOUNDS
        .iter()
        .map(|bound| of("latency_bucket", &format!(",le=\"{bound}\"")))
        .chain([of("latency_count", ""), of("latency_sum", "")])
        .map(|labels| Samples { labels, values: Vec::new() })
        .collect();
    let mut sum = 20_000.0;
    for time in times() {
        let mut more = 0.0;
        for (i, count) in counts.iter_mut().enumerate() {
            more += random.below(9) as f64;
            *count += more;
            all[i].values.push((time, *count));
        }
        sum += more / 2.0;
        all[BOUNDS.len()].values.push((time, counts[BOUNDS.len() - 1]));
        all[BOUNDS.len() + 1].values.push((time, sum));
    }
    all
}
