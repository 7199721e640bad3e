//! Who did what in a query: counts, and times when there is a clock.
//!
//! Rows are streamed, so parts of an expression take turns. At every turn the time since the last one
//! goes to the part that had it; nothing is measured twice.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    time::Duration,
};

use super::{Evaluator, RowRef, Sink, Steps};
use crate::{
    engine::{EvalError, Plan, Work},
    parser::Expr,
};

/// A part of the expression, by where it is in memory: the tree does not move while it is evaluated.
type Part = usize;

/// Counts work for parts of an expression.
pub(super) struct Profile<'a> {
    clock: Option<&'a (dyn Fn() -> Duration + Sync)>,
    present: Cell<Part>,
    since: Cell<Duration>,
    work: RefCell<HashMap<Part, Work>>,
}

impl<'a> Profile<'a> {
    pub(super) fn new(clock: Option<&'a (dyn Fn() -> Duration + Sync)>) -> Self {
        Self {
            clock,
            present: Cell::new(0),
            since: Cell::new(clock.map_or(Duration::ZERO, |clock| clock())),
            work: RefCell::default(),
        }
    }

    /// A part takes its turn; returns whose turn it was.
    fn turn(&self, part: Part) -> Part {
        let before = self.present.replace(part);
        if let Some(clock) = self.clock {
            let now = clock();
            let time = now.saturating_sub(self.since.replace(now));
            self.work.borrow_mut().entry(before).or_default().time += time;
        }
        before
    }

    fn add(&self, part: Part, work: Work) {
        self.work.borrow_mut().entry(part).or_default().add(work);
    }

    fn rows(&self, part: Part) -> usize {
        self.work.borrow().get(&part).map_or(0, |work| work.rows)
    }

    /// Waits for others: nobody's time. Returns whose turn it was.
    pub(super) fn pause(&self) -> Part {
        self.turn(0)
    }

    /// Gives the turn back after a pause.
    pub(super) fn resume(&self, part: Part) {
        self.turn(part);
    }

    /// Counts for the part whose turn it is.
    pub(super) fn count(&self, work: Work) {
        self.add(self.present.get(), work);
    }

    pub(super) fn into_work(self) -> HashMap<Part, Work> {
        self.turn(0);
        self.work.into_inner()
    }

    pub(super) fn join(&self, other: HashMap<Part, Work>) {
        for (part, work) in other {
            self.add(part, work);
        }
    }

    pub(super) fn plan(&self, expr: &Expr) -> Plan {
        self.turn(0);
        let work = self.work.borrow();
        Plan::of(expr, &|part| work.get(&place(part)).copied().unwrap_or_default())
    }
}

fn place(expr: &Expr) -> Part {
    std::ptr::from_ref(expr) as usize
}

impl Evaluator<'_> {
    /// Does something in the name of a part.
    pub(super) fn in_turn_of<T>(&self, expr: &Expr, work: impl FnOnce() -> T) -> T {
        let Some(profile) = &self.profile else { return work() };
        let caller = profile.turn(place(expr));
        let result = work();
        profile.turn(caller);
        result
    }

    /// Streams the rows of a part and counts what it does.
    pub(super) fn stream_counted(
        &self,
        expr: &Expr,
        steps: Steps,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        let Some(profile) = &self.profile else { return self.stream_part(expr, steps, sink) };
        let part = place(expr);
        let caller = profile.turn(part);
        let mut rows = 0;
        let result = self.stream_part(expr, steps, &mut |row: RowRef<'_>| {
            rows += 1;
            let part = profile.turn(caller);
            let taken = sink(row);
            profile.turn(part);
            taken
        });
        profile.turn(caller);
        profile.add(part, Work { rows, ..Work::default() });
        result
    }

    /// Computes something for a part, and counts the time.
    pub(super) fn counted<T>(
        &self,
        expr: &Expr,
        compute: impl FnOnce() -> Result<Vec<T>, EvalError>,
    ) -> Result<Vec<T>, EvalError> {
        let Some(profile) = &self.profile else { return compute() };
        let part = place(expr);
        let caller = profile.turn(part);
        let before = profile.rows(part);
        let result = compute();
        profile.turn(caller);
        // What is streamed on the way counts its rows itself.
        if caller != part
            && before == profile.rows(part)
            && let Ok(rows) = &result
        {
            profile.add(part, Work { rows: rows.len(), ..Work::default() });
        }
        result
    }
}
