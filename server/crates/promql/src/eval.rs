//! Evaluation, a column of steps at a time.
//!
//! An expression is evaluated once for all steps. What works series by series (selectors, range
//! functions, arithmetic with a number) is streamed: a series is read, computed into a reused buffer
//! and handed on, so that `sum by (job) (rate(x[5m]))` never holds more than one series and the
//! groups. Only what needs several series at once holds rows.

mod dispatch;
mod invariant;
mod length;
mod parallel;
mod profile;
mod rows;
mod select;
mod starts;
mod steps;
mod window;

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use model::{Storage, Timestamp};

pub(crate) use rows::{
    ABSENT, Row, RowRef, Values, absent, is_absent, is_identity, merge_same_labels,
    without_identity,
};
pub(crate) use steps::Steps;
pub(crate) use window::{StepWindow, WindowSpec, Windows};

use parallel::Share;
use profile::Profile;

use crate::{
    annotations::{Annotations, Note},
    engine::{Context, EvalError, Options, Output, QueryValue, Stats, Work},
    parser::{Expr, Span},
};

/// Takes rows one by one.
pub(crate) type Sink<'a> = dyn FnMut(RowRef<'_>) -> Result<(), EvalError> + 'a;

/// The state of one query.
pub(crate) struct Evaluator<'a> {
    pub(crate) storage: &'a dyn Storage,
    pub(crate) options: &'a Options,
    pub(crate) ctx: &'a Context<'a>,
    /// The steps of the query itself; subqueries have others.
    pub(crate) query: Steps,
    pub(crate) lookback_ms: i64,
    annotations: RefCell<Annotations>,
    stats: Cell<Stats>,
    /// Samples in memory, those of all pieces of the query together.
    held: Arc<AtomicUsize>,
    /// When this evaluates a piece of the query: which series.
    share: Option<Share<'a>>,
    profile: Option<Profile<'a>>,
    /// Samples seen by each step of the query, when they are counted.
    seen: RefCell<Vec<u64>>,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(
        storage: &'a dyn Storage,
        options: &'a Options,
        ctx: &'a Context<'a>,
        query: Steps,
    ) -> Self {
        let lookback = ctx.lookback.unwrap_or(options.lookback);
        Self {
            storage,
            options,
            ctx,
            query,
            lookback_ms: i64::try_from(lookback.as_millis()).unwrap_or(i64::MAX),
            annotations: RefCell::default(),
            stats: Cell::default(),
            held: Arc::default(),
            share: None,
            profile: ctx.profile.map(|profiling| Profile::new(profiling.clock)),
            seen: RefCell::new(vec![0; if ctx.counts_steps { query.count } else { 0 }]),
        }
    }

    pub(crate) fn finish(self, expr: &Expr, value: QueryValue) -> Output {
        Output {
            steps: self.query.iter().zip(self.seen.take()).collect(),
            plan: self.profile.as_ref().map(|profile| profile.plan(expr)),
            value,
            annotations: self.annotations.into_inner(),
            left_out: self.storage.left_out(),
            stats: self.stats.get(),
        }
    }

    /// The rows of the whole expression, names dropped where a step on the way asked for it.
    pub(crate) fn result(&self, expr: &Expr) -> Result<Vec<Row>, EvalError> {
        let mut rows = self.rows(expr, self.query)?;
        for row in &mut rows {
            if std::mem::take(&mut row.drop_name) {
                row.labels = without_identity(&row.labels);
            }
        }
        merge_same_labels(rows)
    }

    pub(crate) fn note(&self, note: &Note<'_>, span: Span) {
        self.annotations.borrow_mut().add(note, span);
    }

    /// Counts what each step saw of a series. The steps of subqueries see it for the first one of the
    /// query's that needs it.
    fn count_seen(&self, steps: Steps, samples: impl Fn(usize) -> u64) {
        let mut seen = self.seen.borrow_mut();
        if seen.is_empty() {
            return;
        }
        for step in 0..steps.count {
            let after = (steps.at(step) - self.query.start + self.query.step - 1)
                .div_euclid(self.query.step);
            let place = usize::try_from(after).unwrap_or(0).min(seen.len() - 1);
            seen[place] += samples(step);
        }
    }

    pub(crate) fn count_series(&self, series: usize) {
        let mut stats = self.stats.get();
        stats.series += series;
        self.stats.set(stats);
        if let Some(profile) = &self.profile {
            profile.count(Work { series, ..Work::default() });
        }
    }

    /// Counts samples read and checks that they fit beside what is held.
    pub(crate) fn count_samples(&self, samples: usize) -> Result<(), EvalError> {
        let mut stats = self.stats.get();
        stats.samples += samples;
        self.stats.set(stats);
        if let Some(profile) = &self.profile {
            profile.count(Work { samples, ..Work::default() });
        }
        self.check_memory(samples)
    }

    /// Counts samples that stay in memory until [`Self::release`].
    pub(crate) fn hold(&self, samples: usize) -> Result<(), EvalError> {
        self.held.fetch_add(samples, Ordering::Relaxed);
        self.check_memory(0)
    }

    pub(crate) fn release(&self, samples: usize) {
        let less = |held: usize| Some(held.saturating_sub(samples));
        // The change itself never refuses.
        let _before: Result<usize, usize> =
            self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    fn check_memory(&self, more: usize) -> Result<(), EvalError> {
        let present = self.held.load(Ordering::Relaxed) + more;
        let mut stats = self.stats.get();
        stats.peak_samples = stats.peak_samples.max(present);
        self.stats.set(stats);
        if present > self.options.max_samples {
            return Err(EvalError::TooManySamples { limit: self.options.max_samples });
        }
        self.ctx.check()
    }

    /// The fixed time of `@`, when there is one.
    pub(crate) fn at(&self, at: Option<crate::parser::At>) -> Option<Timestamp> {
        use crate::parser::At;
        at.map(|at| match at {
            At::Timestamp(ms) => ms,
            At::Start => self.query.start,
            At::End => self.query.end(),
        })
    }
}
