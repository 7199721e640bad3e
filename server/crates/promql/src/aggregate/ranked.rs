//! Aggregations that pick some of the series of a group: `topk`, `bottomk`, `limitk`, `limit_ratio`.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use model::Labels;
use xxhash_rust::xxh64::xxh64;

use super::group::Groups;
use crate::{
    annotations::Note,
    engine::EvalError,
    eval::{Evaluator, Row, Steps, Values, is_absent},
    parser::{Aggregate, AggregateOp, Span},
};

pub(super) fn pick(
    evaluator: &Evaluator<'_>,
    aggregate: &Aggregate,
    span: Span,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let Some(param) = &aggregate.param else { return Ok(Vec::new()) };
    let wanted = evaluator.scalar(param, steps)?;
    match aggregate.op {
        AggregateOp::LimitRatio => {
            let ratios = ratios(evaluator, &wanted, param.span)?;
            let keeps = |labels: &Labels, step: usize, _: usize| {
                ratios[step] != 0.0 && is_sampled(labels, ratios[step])
            };
            filter(evaluator, aggregate, steps, &keeps)
        }
        AggregateOp::Limitk => {
            let limits = limits(&wanted)?;
            let keeps = |_: &Labels, step: usize, seen: usize| seen < limits[step];
            filter(evaluator, aggregate, steps, &keeps)
        }
        _ => extremes(evaluator, aggregate, span, steps, &limits(&wanted)?),
    }
}

/// How many series are wanted at each step, zero when less than one.
fn limits(wanted: &[f64]) -> Result<Vec<usize>, EvalError> {
    let greatest = wanted.iter().copied().fold(f64::NAN, f64::max);
    if greatest < 1.0 {
        return Ok(vec![0; wanted.len()]);
    }
    let limit = |k: &f64| match *k {
        k if k.is_nan() => Err(EvalError::Execution("Parameter value is NaN".to_owned())),
        k if k >= 9_223_372_036_854_775_807.0 => {
            Err(EvalError::Execution(format!("Scalar value {k} overflows int64")))
        }
        k if k <= -9_223_372_036_854_775_808.0 => {
            Err(EvalError::Execution(format!("Scalar value {k} underflows int64")))
        }
        k => Ok(k.max(0.0) as usize),
    };
    wanted.iter().map(limit).collect()
}

fn ratios(evaluator: &Evaluator<'_>, wanted: &[f64], span: Span) -> Result<Vec<f64>, EvalError> {
    if wanted.iter().any(|ratio| ratio.is_nan()) {
        return Err(EvalError::Execution("Ratio value is NaN".to_owned()));
    }
    for (given, used) in [
        (wanted.iter().copied().fold(f64::NEG_INFINITY, f64::max), 1.0),
        (wanted.iter().copied().fold(f64::INFINITY, f64::min), -1.0),
    ] {
        if given.abs() > 1.0 && given.signum() == used {
            evaluator.note(&Note::InvalidRatio { given, used }, span);
        }
    }
    Ok(wanted.iter().map(|ratio| ratio.clamp(-1.0, 1.0)).collect())
}

/// Whether a series is in the sample of this ratio; that of `-(1 - ratio)` holds exactly the others.
fn is_sampled(labels: &Labels, ratio: f64) -> bool {
    let offset = hash(labels) as f64 / u64::MAX as f64;
    if ratio >= 0.0 { offset < ratio } else { offset >= 1.0 + ratio }
}

/// Prometheus's hash of a label set, so that both sample the same series: each text with its length in
/// one byte, or 255 and three bytes, least significant first.
fn hash(labels: &Labels) -> u64 {
    let mut bytes = Vec::new();
    for (name, value) in labels {
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(length) if length < 255 => bytes.push(length),
                _ => {
                    bytes.push(255);
                    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes()[..3]);
                }
            }
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    xxh64(&bytes, 0)
}

type Keeps<'a> = dyn Fn(&Labels, usize, usize) -> bool + 'a;

/// Passes on the values that `keeps` chooses by labels, step, and how many of the group were chosen.
fn filter(
    evaluator: &Evaluator<'_>,
    aggregate: &Aggregate,
    steps: Steps,
    keeps: &Keeps<'_>,
) -> Result<Vec<Row>, EvalError> {
    let mut groups = Groups::new(&aggregate.grouping);
    let mut seen: Vec<Vec<usize>> = Vec::new();
    let mut rows = Vec::new();
    evaluator.stream(&aggregate.expr, steps, &mut |row| {
        let group = groups.place(row.labels);
        if group == seen.len() {
            seen.push(vec![0; steps.count]);
        }
        let mut values = Values::absent(steps.count);
        for (step, seen) in seen[group].iter_mut().enumerate() {
            let Some(point) = row.values.point(step) else { continue };
            if keeps(row.labels, step, *seen) {
                *seen += 1;
                values.set_point(step, point);
            }
        }
        if values.has_any() {
            rows.push(Row { labels: row.labels.clone(), drop_name: row.drop_name, values });
        }
        Ok(())
    })?;
    Ok(rows)
}

/// A value and the series it is of. The worst is the least value, NaN before all; of equal ones the
/// series that came last.
#[derive(Clone, Copy, PartialEq)]
struct Ranked {
    value: f64,
    row: usize,
}

impl Eq for Ranked {}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .value
            .is_nan()
            .cmp(&self.value.is_nan())
            .then(self.value.partial_cmp(&other.value).unwrap_or(Ordering::Equal))
            .then(other.row.cmp(&self.row))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The best of one group at one step, the worst of them on top.
type Best = BinaryHeap<Reverse<Ranked>>;

fn extremes(
    evaluator: &Evaluator<'_>,
    aggregate: &Aggregate,
    span: Span,
    steps: Steps,
    limits: &[usize],
) -> Result<Vec<Row>, EvalError> {
    if limits.iter().all(|limit| *limit == 0) {
        return Ok(Vec::new());
    }
    let sign = if aggregate.op == AggregateOp::Topk { 1.0 } else { -1.0 };
    let pieces = evaluator.in_pieces(&aggregate.expr, steps, &|piece| {
        let mut contest = Contest::new(aggregate, limits);
        piece.stream(&aggregate.expr, steps, &mut |row| {
            contest.has_histograms |= row.values.histograms.is_some();
            let group = contest.groups.place(row.labels);
            let number = contest.series.len();
            let mut is_in = false;
            for (step, value) in row.values.floats.iter().enumerate() {
                if !is_absent(*value) {
                    let candidate = Ranked { value: sign * value, row: number };
                    is_in |= contest.enter(group, step, candidate, piece)?;
                }
            }
            // Most series never come near the best.
            if is_in {
                contest.series.push((row.labels.clone(), row.drop_name));
            }
            Ok(())
        })?;
        Ok(contest)
    })?;
    let mut pieces = pieces.into_iter();
    let Some(mut all) = pieces.next() else { return Ok(Vec::new()) };
    for piece in pieces {
        all.join(piece, evaluator)?;
    }
    if all.has_histograms {
        let aggregation = aggregate.op.as_str();
        evaluator.note(&Note::IgnoredInAggregation { aggregation }, span);
    }
    Ok(collect(evaluator, all.best, &all.series, sign, steps))
}

/// The best so far of every group and step.
struct Contest<'a> {
    limits: &'a [usize],
    groups: Groups<'a>,
    best: Vec<Vec<Best>>,
    /// Those that were among the best at some step, for some time.
    series: Vec<(Labels, bool)>,
    has_histograms: bool,
}

impl<'a> Contest<'a> {
    fn new(aggregate: &'a Aggregate, limits: &'a [usize]) -> Self {
        Self {
            limits,
            groups: Groups::new(&aggregate.grouping),
            best: Vec::new(),
            series: Vec::new(),
            has_histograms: false,
        }
    }

    /// Whether the candidate is among the best, so far.
    fn enter(
        &mut self,
        group: usize,
        step: usize,
        candidate: Ranked,
        evaluator: &Evaluator<'_>,
    ) -> Result<bool, EvalError> {
        if group >= self.best.len() {
            self.best.resize_with(group + 1, || vec![Best::new(); self.limits.len()]);
        }
        let best = &mut self.best[group][step];
        if best.len() < self.limits[step] {
            evaluator.hold(1)?;
            best.push(Reverse(candidate));
        } else if best.peek().is_some_and(|worst| candidate > worst.0) {
            best.pop();
            best.push(Reverse(candidate));
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Lets in what another piece of the query chose. Its series come after ours.
    fn join(&mut self, other: Self, evaluator: &Evaluator<'_>) -> Result<(), EvalError> {
        let before = self.series.len();
        for (place, steps) in other.best.into_iter().enumerate() {
            let group = self.groups.place_of_group(other.groups.labels(place));
            for (step, best) in steps.into_iter().enumerate() {
                evaluator.release(best.len());
                for Reverse(Ranked { value, row }) in best {
                    self.enter(group, step, Ranked { value, row: before + row }, evaluator)?;
                }
            }
        }
        self.series.extend(other.series);
        self.has_histograms |= other.has_histograms;
        Ok(())
    }
}

/// Rows of the chosen series: by rank for a single step, else in the order of the input.
fn collect(
    evaluator: &Evaluator<'_>,
    best: Vec<Vec<Best>>,
    series: &[(Labels, bool)],
    sign: f64,
    steps: Steps,
) -> Vec<Row> {
    let mut places: Vec<Option<usize>> = vec![None; series.len()];
    let mut rows: Vec<Row> = Vec::new();
    for group in best {
        for (step, best) in group.into_iter().enumerate() {
            evaluator.release(best.len());
            // Ascending in reverse order is descending: the best first.
            for Reverse(Ranked { value, row }) in best.into_sorted_vec() {
                let place = *places[row].get_or_insert_with(|| {
                    let (labels, drop_name) = series[row].clone();
                    rows.push(Row { labels, drop_name, values: Values::absent(steps.count) });
                    rows.len() - 1
                });
                rows[place].values.floats[step] = sign * value;
            }
        }
    }
    rows
}
