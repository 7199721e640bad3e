//! Aggregations that need all values of a group at once: `quantile` and `count_values`.

use model::number::Shortest;

use super::group::Groups;
use crate::{
    annotations::Note,
    engine::{EvalError, Point},
    eval::{Evaluator, Row, Steps, Values, is_absent},
    functions::{labels::text_of, range::quantile_of},
    parser::{Aggregate, Grouping, Span},
};

pub(super) fn quantiles(
    evaluator: &Evaluator<'_>,
    aggregate: &Aggregate,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let Some(param) = &aggregate.param else { return Ok(Vec::new()) };
    let q = evaluator.scalar(param, steps)?;
    let mut groups = Groups::new(&aggregate.grouping);
    let mut collected: Vec<(bool, Vec<Vec<f64>>)> = Vec::new();
    let mut held = 0;
    let mut ignored = false;
    evaluator.stream(&aggregate.expr, steps, &mut |row| {
        let place = groups.place(row.labels);
        if place == collected.len() {
            collected.push((false, vec![Vec::new(); steps.count]));
        }
        let (drop_name, values) = &mut collected[place];
        *drop_name |= row.drop_name;
        evaluator.hold(steps.count)?;
        held += steps.count;
        ignored |= row.values.histograms.is_some();
        for (step, value) in row.values.floats.iter().enumerate() {
            if !is_absent(*value) {
                values[step].push(*value);
            }
        }
        Ok(())
    })?;
    evaluator.release(held);
    note_extremes(evaluator, &q, param.span);
    if ignored {
        let note = Note::IgnoredInAggregation { aggregation: "quantile" };
        evaluator.note(&note, aggregate.expr.span);
    }
    let finished =
        collected.into_iter().enumerate().filter_map(|(place, (drop_name, steps_values))| {
            let mut values = Values::absent(steps.count);
            for (step, mut numbers) in steps_values.into_iter().enumerate() {
                if !numbers.is_empty() {
                    values.floats[step] = quantile_of(q[step], &mut numbers);
                }
            }
            values.has_any().then(|| Row {
                labels: groups.labels(place).clone(),
                drop_name,
                values,
            })
        });
    Ok(finished.collect())
}

/// Remarks on the quantiles that are furthest out of range.
fn note_extremes(evaluator: &Evaluator<'_>, q: &[f64], span: Span) {
    let nan = q.iter().copied().find(|q| q.is_nan());
    let greatest = q.iter().copied().fold(1.0, f64::max);
    let least = q.iter().copied().fold(0.0, f64::min);
    let outside = [(greatest > 1.0).then_some(greatest), (least < 0.0).then_some(least)];
    for q in nan.into_iter().chain(outside.into_iter().flatten()) {
        evaluator.note(&Note::InvalidQuantile(q), span);
    }
}

/// One series per value, which becomes a label. Values are rarely many, so labels are made per value.
pub(super) fn count_values(
    evaluator: &Evaluator<'_>,
    aggregate: &Aggregate,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let label = aggregate.param.as_ref().map(text_of).unwrap_or_default();
    if label.is_empty() {
        let written = aggregate.param.as_ref().map(ToString::to_string).unwrap_or_default();
        return Err(EvalError::Execution(format!("invalid label name {written}")));
    }
    let grouping = match &aggregate.grouping {
        Grouping::By(names) => {
            Grouping::By(names.iter().cloned().chain([label.to_owned()]).collect())
        }
        without @ Grouping::Without(_) => without.clone(),
    };
    let mut groups = Groups::new(&grouping);
    let mut counts: Vec<Values> = Vec::new();
    evaluator.stream(&aggregate.expr, steps, &mut |row| {
        let mut labels = row.labels.to_builder();
        let mut last: Option<(u64, usize)> = None;
        for step in 0..steps.count {
            let Some(point) = row.values.point(step) else { continue };
            let place = match (point, last) {
                (Point::Float(value), Some((bits, place))) if bits == value.to_bits() => place,
                _ => {
                    labels.set(label, &text(point));
                    let place = groups.place(&labels.build());
                    if place == counts.len() {
                        evaluator.hold(steps.count)?;
                        counts.push(Values::absent(steps.count));
                    }
                    place
                }
            };
            if let Point::Float(value) = point {
                last = Some((value.to_bits(), place));
            }
            let count = &mut counts[place].floats[step];
            *count = if is_absent(*count) { 1.0 } else { *count + 1.0 };
        }
        Ok(())
    })?;
    evaluator.release(counts.len() * steps.count);
    let rows = counts.into_iter().enumerate().map(|(place, values)| Row {
        labels: groups.labels(place).clone(),
        drop_name: false,
        values,
    });
    Ok(rows.collect())
}

fn text(point: Point<'_>) -> String {
    match point {
        Point::Float(value) => Shortest::Plain(value).to_string(),
        Point::Histogram(histogram) => histogram.to_string(),
    }
}
