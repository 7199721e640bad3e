//! Quantiles, fractions and moments of classic and native histograms.

mod classic;
mod native;
mod split;

use model::NativeHistogram;

use crate::{
    annotations::Note,
    engine::EvalError,
    eval::{Evaluator, Row, Steps, Values},
    parser::{Call, Expr, Span},
};

use classic::ClassicBucket;
use split::Histograms;

/// A number of a native histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// `histogram_avg`
    Avg,
    /// `histogram_count`
    Count,
    /// `histogram_stddev`
    Stddev,
    /// `histogram_stdvar`
    Stdvar,
    /// `histogram_sum`
    Sum,
}

/// Replaces every histogram of a row by one of its numbers; plain numbers are left out.
pub(crate) fn apply_part(part: Part, input: &Values, output: &mut Values) {
    for (step, histogram) in input.histograms.iter().flatten().enumerate() {
        if let Some(histogram) = histogram {
            output.floats[step] = match part {
                Part::Avg => histogram.sum / histogram.count,
                Part::Count => histogram.count,
                Part::Sum => histogram.sum,
                Part::Stdvar => native::variance(histogram),
                Part::Stddev => native::variance(histogram).sqrt(),
            };
        }
    }
}

/// `histogram_quantile`
pub(crate) fn quantile_rows(
    evaluator: &Evaluator<'_>,
    call: &Call,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let q = evaluator.scalar(&call.args[0], steps)?;
    note_invalid_quantiles(evaluator, &q, call.args[0].span);
    let histograms = Histograms::collect(evaluator, &call.args[1], steps)?;
    Ok(histograms.quantiles(evaluator, &q, &call.args[0], &call.args[1], steps))
}

/// `histogram_quantiles`: the same for several quantiles, told apart by a label.
pub(crate) fn quantiles_rows(
    evaluator: &Evaluator<'_>,
    call: &Call,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let histograms = Histograms::collect(evaluator, &call.args[0], steps)?;
    let label = super::labels::text_of(&call.args[1]);
    let mut rows: Vec<Row> = Vec::new();
    for arg in &call.args[2..] {
        let q = evaluator.scalar(arg, steps)?;
        note_invalid_quantiles(evaluator, &q, arg.span);
        for row in histograms.quantiles(evaluator, &q, &call.args[0], &call.args[0], steps) {
            split_by_quantile(&row, label, &q, &mut rows);
        }
    }
    crate::eval::merge_same_labels(rows)
}

/// The quantile may differ from step to step, and with it the label.
fn split_by_quantile(row: &Row, label: &str, q: &[f64], rows: &mut Vec<Row>) {
    let mut start = 0;
    while start < q.len() {
        let same = |value: &f64| value.to_bits() == q[start].to_bits();
        let end = start + q[start..].iter().take_while(|value| same(value)).count();
        let mut values = Values::absent(q.len());
        values.floats[start..end].copy_from_slice(&row.values.floats[start..end]);
        if values.has_any() {
            let mut labels = row.labels.to_builder();
            labels.set(label, &open_metrics(q[start]));
            rows.push(Row { labels: labels.build(), drop_name: row.drop_name, values });
        }
        start = end;
    }
}

/// A number as the OpenMetrics format writes it, with a decimal point.
fn open_metrics(value: f64) -> String {
    let text = model::number::Shortest::General(value).to_string();
    let is_whole = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if is_whole { format!("{text}.0") } else { text }
}

/// `histogram_fraction`
pub(crate) fn fraction_rows(
    evaluator: &Evaluator<'_>,
    call: &Call,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let lower = evaluator.scalar(&call.args[0], steps)?;
    let upper = evaluator.scalar(&call.args[1], steps)?;
    let histograms = Histograms::collect(evaluator, &call.args[2], steps)?;
    let native = |metric: &str, histogram: &NativeHistogram, step: usize| {
        let (fraction, has_nan) = native::fraction(lower[step], upper[step], histogram);
        if has_nan {
            evaluator.note(&Note::FractionNaN { metric }, call.args[0].span);
        }
        fraction
    };
    let classic = |_: &str, buckets: &mut Vec<ClassicBucket>, step: usize| {
        classic::fraction(lower[step], upper[step], buckets)
    };
    Ok(histograms.compute(evaluator, &call.args[2], steps, &native, &classic))
}

/// Remarks on every quantile outside `[0, 1]`.
fn note_invalid_quantiles(evaluator: &Evaluator<'_>, q: &[f64], span: Span) {
    let mut last = None;
    for q in q.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
        if last != Some(q.to_bits()) {
            evaluator.note(&Note::InvalidQuantile(*q), span);
        }
        last = Some(q.to_bits());
    }
}

impl Histograms {
    fn quantiles(
        &self,
        evaluator: &Evaluator<'_>,
        q: &[f64],
        q_arg: &Expr,
        arg: &Expr,
        steps: Steps,
    ) -> Vec<Row> {
        let native = |metric: &str, histogram: &NativeHistogram, step: usize| {
            let (value, skew) = native::quantile(q[step], histogram);
            match skew {
                Some(native::Skew::Nan) => {
                    evaluator.note(&Note::QuantileNaN { metric }, q_arg.span);
                }
                Some(native::Skew::Higher) => {
                    evaluator.note(&Note::QuantileSkewed { metric }, q_arg.span);
                }
                None => {}
            }
            value
        };
        let classic = |metric: &str, buckets: &mut Vec<ClassicBucket>, step: usize| {
            let (value, forced) = classic::quantile(q[step], buckets, steps.at(step));
            if let Some(forced) = forced {
                evaluator.note(&Note::ForcedMonotonicity { metric, forced }, arg.span);
            }
            value
        };
        self.compute(evaluator, arg, steps, &native, &classic)
    }
}
