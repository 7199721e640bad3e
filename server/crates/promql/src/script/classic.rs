//! Classic histograms as native ones with custom bounds, for `load_with_nhcb`.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use model::{
    Labels, NativeHistogram, Value,
    histogram::{CUSTOM_BUCKETS_SCHEMA, Span},
    labels::METRIC_NAME,
};

use super::{SequenceValue, SeriesLine};

#[derive(Default)]
struct Parts<'a> {
    buckets: BTreeMap<u64, (f64, &'a [SequenceValue])>,
    count: Option<&'a [SequenceValue]>,
    sum: Option<&'a [SequenceValue]>,
}

/// The native histograms that the classic ones among the series stand for.
pub(super) fn native(series: &[&SeriesLine]) -> Vec<SeriesLine> {
    let mut order: Vec<Labels> = Vec::new();
    let mut histograms: HashMap<Labels, Parts<'_>> = HashMap::new();
    for line in series.iter().copied() {
        let name = line.labels.metric_name().unwrap_or_default();
        let Some((base, part)) = ["_bucket", "_count", "_sum"]
            .into_iter()
            .find_map(|part| name.strip_suffix(part).map(|base| (base, part)))
        else {
            continue;
        };
        let mut labels = line.labels.without(|label| label == "le").to_builder();
        labels.set(METRIC_NAME, base);
        let labels = labels.build();
        let parts = histograms.entry(labels.clone()).or_insert_with(|| {
            order.push(labels);
            Parts::default()
        });
        match part {
            "_bucket" => {
                if let Ok(upper) = line.labels.value_or_empty("le").parse::<f64>() {
                    // Order of the bits is the order of the numbers once negative ones are mirrored.
                    let bits = upper.to_bits();
                    let key = if upper < 0.0 { !bits } else { bits | 1 << 63 };
                    parts.buckets.insert(key, (upper, &line.values));
                }
            }
            "_count" => parts.count = Some(&line.values),
            _ => parts.sum = Some(&line.values),
        }
    }
    order
        .into_iter()
        .filter_map(|labels| {
            let parts = &histograms[&labels];
            (!parts.buckets.is_empty()).then(|| convert(labels, parts))
        })
        .collect()
}

fn convert(labels: Labels, parts: &Parts<'_>) -> SeriesLine {
    let steps = parts.buckets.values().map(|(_, values)| values.len()).max().unwrap_or(0);
    let values = (0..steps).map(|step| histogram_at(parts, step)).collect();
    SeriesLine { labels, values }
}

fn histogram_at(parts: &Parts<'_>, step: usize) -> SequenceValue {
    let number = |values: &[SequenceValue]| match values.get(step) {
        Some(Some(Value::Float(value))) => Some(*value),
        _ => None,
    };
    let mut bounds = Vec::new();
    let mut counts = Vec::new();
    let mut before = 0.0;
    for (upper, values) in parts.buckets.values() {
        let Some(cumulative) = number(values) else { continue };
        counts.push(cumulative - before);
        before = cumulative;
        if upper.is_finite() {
            bounds.push(*upper);
        }
    }
    if counts.is_empty() {
        return None;
    }
    let count = parts.count.and_then(number).unwrap_or(before);
    if counts.len() == bounds.len() {
        counts.push(count - before);
    }
    let mut histogram = NativeHistogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        custom_bounds: bounds,
        positive_spans: vec![Span { offset: 0, length: counts.len() as u32 }],
        positive: counts,
        count,
        sum: parts.sum.and_then(number).unwrap_or(0.0),
        ..NativeHistogram::default()
    };
    histogram.compact();
    Some(Value::Histogram(Arc::new(histogram)))
}
