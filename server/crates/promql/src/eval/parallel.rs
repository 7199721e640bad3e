//! Large queries in pieces: what is computed series by series is divided among workers, each with some
//! of the series.
//!
//! Pieces are runs of neighbors in the order of labels, and are put together in that order, so the
//! answer does not depend on who was faster.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    ops::Range,
    sync::Arc,
};

use model::{Timestamp, storage::Selection};

use super::{Evaluator, Steps, profile::Profile};
use crate::{
    annotations::Annotations,
    engine::{EvalError, Stats, Task, Work},
    functions::{Special, range::RangeFunction},
    parser::{Expr, ExprKind, Selector, ValueType},
};

/// A query with less work is done before helpers have begun. The unit is about a sample.
const WORTHWHILE: u64 = 40_000;
/// What a series costs at least, in the same unit.
const SERIES_WORK: u64 = 8;
/// How much time a sample stands for, when it is not known how many there are.
const USUAL_STEP_MS: u64 = 30_000;

/// The series that an evaluator of a piece visits.
pub(super) struct Share<'a> {
    pub(super) selection: &'a dyn Selection,
    pub(super) series: Range<usize>,
}

/// What a piece found besides its values.
struct Findings {
    annotations: Annotations,
    stats: Stats,
    work: HashMap<usize, Work>,
    seen: Vec<u64>,
}

/// A piece that may not be computed yet.
type Slot<S> = Option<Result<(S, Findings), EvalError>>;

impl Evaluator<'_> {
    /// Computes something from the rows of an expression, in several pieces where that is worthwhile.
    /// Each piece is asked of an evaluator that streams a part of the rows; they come back in the order
    /// of the series.
    pub(crate) fn in_pieces<S: Send>(
        &self,
        expr: &Expr,
        steps: Steps,
        piece: &(dyn Fn(&Evaluator<'_>) -> Result<S, EvalError> + Sync),
    ) -> Result<Vec<S>, EvalError> {
        let Some((workers, leaf)) = self.ctx.workers.zip(self.leaf(expr)) else {
            return Ok(vec![piece(self)?]);
        };
        let (selector, range) = (leaf.selector, self.reach(&leaf, steps)?);
        let selection = self.in_turn_of(leaf.part, || self.select(selector, range))?;
        let count = selection.labels().len();
        let pieces = match workers.count().min(count) {
            0 => 1,
            pieces if work(count, range, steps) >= WORTHWHILE => pieces,
            _ => 1,
        };
        let selection: &dyn Selection = &*selection;
        let mut slots: Vec<Slot<S>> = (0..pieces).map(|_| None).collect();
        let origin = Origin::of(self);
        let tasks = slots.iter_mut().enumerate().map(|(number, slot)| {
            let series = count * number / pieces..count * (number + 1) / pieces;
            let origin = &origin;
            let task = move || {
                let evaluator = origin.evaluator(Share { selection, series });
                *slot = Some(piece(&evaluator).map(|value| (value, evaluator.into_findings())));
            };
            Box::new(task) as Task<'_>
        });
        let tasks: Vec<Task<'_>> = tasks.collect();
        let part = self.profile.as_ref().map(Profile::pause);
        if pieces == 1 {
            for task in tasks {
                task();
            }
        } else {
            workers.run(tasks);
        }
        if let Some((profile, part)) = self.profile.as_ref().zip(part) {
            profile.resume(part);
        }
        let mut values = Vec::with_capacity(pieces);
        for slot in slots {
            // A piece that was not computed lost its worker.
            let (value, findings) = slot.unwrap_or(Err(EvalError::Canceled))?;
            self.add_findings(findings);
            values.push(value);
        }
        Ok(values)
    }

    /// The one selector of an expression whose rows are computed series by series from it.
    fn leaf<'e>(&self, expr: &'e Expr) -> Option<Leaf<'e>> {
        if self.share.is_some() {
            return None;
        }
        match &expr.kind {
            ExprKind::Paren(inner) => self.leaf(inner),
            ExprKind::Sign { operand, .. } => self.leaf(operand),
            ExprKind::Selector(selector) => Leaf::of(expr, selector, None),
            ExprKind::Binary(binary) => {
                let (scalar, vector) = match binary.left.value_type() {
                    ValueType::Scalar => (&binary.left, &binary.right),
                    _ => (&binary.right, &binary.left),
                };
                is_plain(scalar).then(|| self.leaf(vector))?
            }
            ExprKind::Call(call) => {
                let is_streamed = match call.function.special {
                    Special::Math(_) | Special::Date(_) | Special::HistogramPart(_) => true,
                    Special::Timestamp => true,
                    Special::Range(function) => function != RangeFunction::AbsentOverTime,
                    _ => false,
                };
                let (scalars, others): (Vec<&Expr>, Vec<&Expr>) =
                    call.args.iter().partition(|arg| arg.value_type() == ValueType::Scalar);
                let [arg] = *others else { return None };
                if !is_streamed || !scalars.into_iter().all(is_plain) {
                    return None;
                }
                match &arg.unwrapped().kind {
                    ExprKind::Range(range) => Leaf::of(expr, &range.selector, Some(range)),
                    ExprKind::Subquery(_) => None,
                    _ => self.leaf(arg),
                }
            }
            _ => None,
        }
    }

    /// The oldest and newest timestamp of a leaf that the steps need, both inclusive.
    fn reach(&self, leaf: &Leaf<'_>, steps: Steps) -> Result<(Timestamp, Timestamp), EvalError> {
        match leaf.range {
            Some(range) => Ok(self.window_spec(range)?.time_range(&steps)),
            None => self.selector_reach(leaf.selector, steps),
        }
    }

    fn into_findings(self) -> Findings {
        Findings {
            annotations: self.annotations.into_inner(),
            stats: self.stats.get(),
            seen: self.seen.into_inner(),
            work: self.profile.map(Profile::into_work).unwrap_or_default(),
        }
    }

    fn add_findings(&self, findings: Findings) {
        self.annotations.borrow_mut().join(findings.annotations);
        let mut stats = self.stats.get();
        stats.series += findings.stats.series;
        stats.samples += findings.stats.samples;
        stats.peak_samples = stats.peak_samples.max(findings.stats.peak_samples);
        self.stats.set(stats);
        if let Some(profile) = &self.profile {
            profile.join(findings.work);
        }
        for (seen, more) in self.seen.borrow_mut().iter_mut().zip(findings.seen) {
            *seen += more;
        }
    }
}

/// What the evaluators of all pieces have in common, without what only one thread may use.
struct Origin<'a> {
    storage: &'a dyn model::Storage,
    options: &'a crate::engine::Options,
    ctx: &'a crate::engine::Context<'a>,
    query: Steps,
    lookback_ms: i64,
    held: Arc<std::sync::atomic::AtomicUsize>,
}

impl<'a> Origin<'a> {
    fn of(evaluator: &Evaluator<'a>) -> Self {
        Self {
            storage: evaluator.storage,
            options: evaluator.options,
            ctx: evaluator.ctx,
            query: evaluator.query,
            lookback_ms: evaluator.lookback_ms,
            held: Arc::clone(&evaluator.held),
        }
    }

    fn evaluator<'s>(&'s self, share: Share<'s>) -> Evaluator<'s> {
        Evaluator {
            storage: self.storage,
            options: self.options,
            ctx: self.ctx,
            query: self.query,
            lookback_ms: self.lookback_ms,
            annotations: RefCell::default(),
            stats: Cell::default(),
            held: Arc::clone(&self.held),
            share: Some(share),
            profile: self.ctx.profile.map(|profiling| Profile::new(profiling.clock)),
            seen: RefCell::new(vec![0; if self.ctx.counts_steps { self.query.count } else { 0 }]),
        }
    }
}

/// The selector that all rows come from, and the range around it.
struct Leaf<'e> {
    /// The part of the expression that reads it.
    part: &'e Expr,
    selector: &'e Selector,
    range: Option<&'e crate::parser::RangeSelector>,
}

impl<'e> Leaf<'e> {
    /// A selector at a fixed time is evaluated once, not at every step.
    fn of(
        part: &'e Expr,
        selector: &'e Selector,
        range: Option<&'e crate::parser::RangeSelector>,
    ) -> Option<Self> {
        selector.at.is_none().then_some(Self { part, selector, range })
    }
}

/// Whether a scalar can be computed without reading series.
fn is_plain(expr: &Expr) -> bool {
    let mut reads = false;
    expr.walk(&mut |node| reads |= matches!(node.kind, ExprKind::Selector(_) | ExprKind::Range(_)));
    !reads
}

fn work(series: usize, (start, end): (Timestamp, Timestamp), steps: Steps) -> u64 {
    let samples = end.abs_diff(start) / USUAL_STEP_MS;
    series as u64 * samples.max(steps.count as u64).max(SERIES_WORK)
}

#[cfg(test)]
mod tests {
    use model::{Labels, NativeHistogram, Value, histogram};

    use crate::{
        Context, Engine, Options, Output, Point, QueryValue, Range, Task, Workers,
        script::MemoryStorage,
    };

    /// Does the last piece first.
    struct Backwards(usize);

    impl Workers for Backwards {
        fn count(&self) -> usize {
            self.0
        }

        fn run(&self, mut tasks: Vec<Task<'_>>) {
            assert!(tasks.len() > 1, "one piece needs no workers");
            while let Some(task) = tasks.pop() {
                task();
            }
        }
    }

    fn storage() -> MemoryStorage {
        let mut storage = MemoryStorage::new();
        for series in 0..60_i32 {
            let labels = |name: &str| {
                let group = (series % 7).to_string();
                Labels::from_pairs([
                    ("__name__", name),
                    ("group", &group),
                    ("n", &series.to_string()),
                ])
            };
            for step in 0..200_i32 {
                let at = i64::from(step) * 15_000;
                let value = f64::from((step * 37 + series * 11) % 101) / 7.0;
                storage.append(&labels("x"), at, Value::Float(value));
                let count = f64::from(step * (series + 1));
                let shape = NativeHistogram {
                    schema: 1,
                    count,
                    sum: count * 0.3,
                    positive_spans: vec![histogram::Span { offset: series % 5, length: 2 }],
                    positive: vec![count / 4.0, count * 3.0 / 4.0],
                    ..NativeHistogram::default()
                };
                storage.append(&labels("h"), at, Value::Histogram(shape.into()));
            }
        }
        storage
    }

    fn points(output: &Output) -> Vec<(String, i64, Vec<f64>)> {
        let QueryValue::Matrix(series) = &output.value else { panic!("no matrix") };
        let numbers = |point: Point<'_>| match point {
            Point::Float(value) => vec![value],
            Point::Histogram(h) => [h.count, h.sum].into_iter().chain(h.positive.clone()).collect(),
        };
        let of_series = |series: &crate::Series| {
            let labels = series.labels.to_string();
            series.points().map(|(at, p)| (labels.clone(), at, numbers(p))).collect::<Vec<_>>()
        };
        series.iter().flat_map(of_series).collect()
    }

    #[test]
    fn pieces_add_up_to_the_whole() {
        let storage = storage();
        let engine = Engine::new(Options::default());
        let range = Range { start: 0, end: 3_000_000, step_ms: 3_000 };
        for query in [
            "x",
            "sum by (group) (rate(x[1m]))",
            "avg(x * 2)",
            "stddev by (group) (x)",
            "stdvar(x)",
            "min(-x)",
            "max without (n) (x)",
            "count(x > 7)",
            "group by (group) (x)",
            "topk by (group) (2, x)",
            "bottomk(3, abs(x))",
            "sum by (group) (rate(h[1m]))",
            "avg(h)",
            "histogram_quantile(0.9, sum(rate(h[1m])))",
            "timestamp(x)",
            "max_over_time(x[2m] offset 1m)",
        ] {
            let expr = crate::parse(query).unwrap();
            let ask = |ctx: &Context<'_>| engine.range(&storage, &expr, range, ctx).unwrap();
            let whole = ask(&Context::default());
            for count in [2, 7] {
                let workers = Backwards(count);
                let pieces = ask(&Context { workers: Some(&workers), ..Context::default() });
                assert_eq!(pieces.stats.series, whole.stats.series, "{query}");
                assert_eq!(pieces.stats.samples, whole.stats.samples, "{query}");
                let (pieces, whole) = (points(&pieces), points(&whole));
                assert_eq!(pieces.len(), whole.len(), "{query}");
                for (a, b) in pieces.iter().zip(&whole) {
                    assert_eq!((&a.0, a.1, a.2.len()), (&b.0, b.1, b.2.len()), "{query}");
                    let is_close = |(a, b): (&f64, &f64)| {
                        (a - b).abs() <= 1e-12 * b.abs().max(1.0) || (a.is_nan() && b.is_nan())
                    };
                    assert!(a.2.iter().zip(&b.2).all(is_close), "{query}: {a:?} {b:?}");
                }
            }
        }
    }
}
