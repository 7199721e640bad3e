//! The one place where tasks and threads start: each has a name, none is detached, and one that panics
//! stops the process in order.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// How often a stop says what it waits for.
const REPORT_INTERVAL: Duration = Duration::from_secs(3);

#[derive(Debug)]
struct Task {
    name: &'static str,
    stop: CancellationToken,
    handle: JoinHandle<()>,
}

/// Everything that runs. Clones share the list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    list: Arc<Mutex<Vec<Task>>>,
    failed: CancellationToken,
}

impl Tasks {
    /// Starts a task. It should end soon after `stop` is cancelled.
    #[expect(clippy::disallowed_methods, reason = "this is the named spawn")]
    pub(crate) fn spawn<F>(&self, name: &'static str, start: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let work = tokio::spawn(start(stop.clone()));
        let failed = self.failed.clone();
        let handle = tokio::spawn(async move {
            if let Err(error) = work.await {
                tracing::error!(task = name, %error, "a task failed, stopping");
                failed.cancel();
            }
        });
        self.push(name, stop, handle);
    }

    /// Starts a thread of its own for work that blocks.
    #[expect(clippy::disallowed_methods, reason = "this is the named spawn")]
    pub(crate) fn spawn_thread(
        &self,
        name: &'static str,
        work: impl FnOnce(CancellationToken) + Send + 'static,
    ) -> std::io::Result<()> {
        let stop = CancellationToken::new();
        let (done, wait) = oneshot::channel::<()>();
        let failed = self.failed.clone();
        let token = stop.clone();
        std::thread::Builder::new().name(name.into()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| work(token))).is_err() {
                tracing::error!(task = name, "a thread panicked, stopping");
                failed.cancel();
            }
            drop(done);
        })?;
        // The sender is dropped at the end; nothing is ever sent.
        let handle = tokio::spawn(async move { drop(wait.await) });
        self.push(name, stop, handle);
        Ok(())
    }

    fn push(&self, name: &'static str, stop: CancellationToken, handle: JoinHandle<()>) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(Task { name, stop, handle });
    }

    /// Stops the process in order, as if a task had failed.
    pub(crate) fn fail(&self) {
        self.failed.cancel();
    }

    /// Resolves when a task failed.
    pub(crate) async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Stops everything, last started first, within one bound for all. Returns the names of those that
    /// did not end in time.
    pub(crate) async fn stop(&self, bound: Duration) -> Vec<&'static str> {
        let deadline = Instant::now() + bound;
        let mut late = Vec::new();
        loop {
            let task = self.list.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(Task { name, stop, mut handle }) = task else { return late };
            stop.cancel();
            loop {
                let patience = (Instant::now() + REPORT_INTERVAL).min(deadline);
                if timeout_at(patience, &mut handle).await.is_ok() {
                    break;
                }
                if Instant::now() >= deadline {
                    handle.abort();
                    late.push(name);
                    break;
                }
                tracing::info!(task = name, "waiting for a task to end");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_stop_last_first() {
        let tasks = Tasks::default();
        let order = Arc::new(Mutex::new(Vec::new()));
        for name in ["first", "second"] {
            let order = Arc::clone(&order);
            tasks.spawn(name, |stop| async move {
                stop.cancelled().await;
                order.lock().unwrap().push(name);
            });
        }
        assert_eq!(tasks.stop(Duration::from_secs(5)).await, Vec::<&str>::new());
        assert_eq!(*order.lock().unwrap(), ["second", "first"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_named() {
        let tasks = Tasks::default();
        tasks.spawn("stuck", |_| std::future::pending());
        assert_eq!(tasks.stop(Duration::from_secs(5)).await, ["stuck"]);
    }

    #[tokio::test]
    async fn a_panic_is_noticed() {
        let tasks = Tasks::default();
        tasks.spawn_thread("panics", |_| panic!("on purpose")).unwrap();
        tasks.failed().await;
    }
}
