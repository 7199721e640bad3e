//! Threads that help with large queries.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use promql::{Task, Workers};

/// The threads that queries may use beside the one that each of them has: one for every core beyond
/// the first, for all queries together. A query that finds none free does all of its work itself.
#[derive(Debug)]
pub(crate) struct Helpers {
    free: AtomicUsize,
}

impl Default for Helpers {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self { free: AtomicUsize::new(cores - 1) }
    }
}

impl Helpers {
    /// Takes a helper when there is one; it is given back when the value is dropped.
    fn take(&self) -> Option<Helper<'_>> {
        let less = |free: usize| free.checked_sub(1);
        self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Helper(self))
    }
}

struct Helper<'a>(&'a Helpers);

impl Drop for Helper<'_> {
    fn drop(&mut self) {
        self.0.free.fetch_add(1, Ordering::Relaxed);
    }
}

impl Workers for Helpers {
    fn count(&self) -> usize {
        1 + self.free.load(Ordering::Relaxed)
    }

    fn run(&self, tasks: Vec<Task<'_>>) {
        let most = tasks.len().saturating_sub(1);
        let queue = Mutex::new(tasks);
        let work = || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let Some(task) = next else { return };
                task();
            }
        };
        thread::scope(|scope| {
            for _ in 0..most {
                let Some(helper) = self.take() else { break };
                let help = || {
                    let _helper = helper;
                    work();
                };
                let thread = thread::Builder::new().name("query-helper".to_owned());
                if thread.spawn_scoped(scope, help).is_err() {
                    // No more threads: the others do all of it.
                    break;
                }
            }
            work();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_and_helpers_come_back() {
        for free in [0, 1, 3] {
            let helpers = Helpers { free: AtomicUsize::new(free) };
            assert_eq!(helpers.count(), free + 1);
            let ran = AtomicUsize::new(0);
            let tasks = (0..10).map(|_| {
                let task = || {
                    ran.fetch_add(1, Ordering::Relaxed);
                };
                Box::new(task) as Task<'_>
            });
            helpers.run(tasks.collect());
            assert_eq!(ran.into_inner(), 10);
            assert_eq!(helpers.count(), free + 1);
        }
    }
}
