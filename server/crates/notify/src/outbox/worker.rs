//! The worker: leases rows, sends them with bounded concurrency, marks them.

use std::{
    any::Any,
    collections::HashSet,
    panic,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{Clock, Timestamp};
use tokio::{
    sync::Notify,
    task::{JoinError, JoinSet},
    time::{Instant, timeout, timeout_at},
};

use super::{Backoff, OutboxStore, Row, StoreError};
use crate::{
    notification::Notification,
    receivers::{Delivery, Registry},
};

/// How the worker works.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// The most notifications sent at a time.
    pub concurrency: usize,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How long a row stays leased; more than the attempt may take.
    pub lease_for: Duration,
    /// How often the store is asked when nothing woke the worker.
    pub poll_interval: Duration,
    /// How long attempts may go on after the stop.
    pub drain_timeout: Duration,
    /// From which age on a row that still fails is dead.
    pub give_up_after: Duration,
    /// The wait between attempts.
    pub backoff: Backoff,
    /// A random number in `[0, 1)`, for the backoff.
    pub random: fn() -> f64,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            concurrency: 16,
            attempt_timeout: Duration::from_secs(30),
            lease_for: Duration::from_mins(1),
            poll_interval: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(10),
            give_up_after: Duration::from_hours(72),
            backoff: Backoff::default(),
            random: rand::random::<f64>,
        }
    }
}

/// Tells the worker that rows were written. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Has the worker look at the store soon.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// What the worker did since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Notifications accepted by the other side.
    pub sent: u64,
    /// Attempts that failed and will be repeated.
    pub retried: u64,
    /// Notifications given up.
    pub dead: u64,
    /// Operations of the store that failed.
    pub store_errors: u64,
}

/// Delivers what is in the outbox. The caller runs [`Worker::run`]; nothing is started by itself.
#[derive(Debug, Clone)]
pub struct Worker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn OutboxStore>,
    registry: RwLock<Registry>,
    clock: Arc<dyn Clock>,
    options: WorkerOptions,
    wake: Wake,
    sent: AtomicU64,
    retried: AtomicU64,
    dead: AtomicU64,
    store_errors: AtomicU64,
}

impl Worker {
    /// A worker on a store.
    pub fn new(
        store: Arc<dyn OutboxStore>,
        registry: Registry,
        clock: Arc<dyn Clock>,
        options: WorkerOptions,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            registry: RwLock::new(registry),
            clock,
            options,
            wake: Wake::default(),
            sent: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            store_errors: AtomicU64::new(0),
        }))
    }

    /// The handle for whoever writes rows.
    pub fn wake_handle(&self) -> Wake {
        self.0.wake.clone()
    }

    /// Uses other receivers from the next attempt on, after a reload of the configuration.
    pub fn set_registry(&self, registry: Registry) {
        *self.0.registry.write().unwrap_or_else(std::sync::PoisonError::into_inner) = registry;
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        Counts {
            sent: self.0.sent.load(Ordering::Relaxed),
            retried: self.0.retried.load(Ordering::Relaxed),
            dead: self.0.dead.load(Ordering::Relaxed),
            store_errors: self.0.store_errors.load(Ordering::Relaxed),
        }
    }

    /// Works until `stop` is ready, then lets attempts under way finish for at most the drain timeout.
    /// An attempt cut off then is repeated when its lease has run out.
    ///
    /// # Panics
    /// When a receiver panics: the caller sees it as its own.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut attempts = JoinSet::new();
        loop {
            self.fill(&mut attempts).await;
            let pause = tokio::time::sleep(self.0.options.poll_interval);
            tokio::select! {
                () = &mut stop => break,
                Some(finished) = attempts.join_next() => rethrow(finished),
                () = self.0.wake.0.notified() => {}
                () = pause => {}
            }
        }
        let deadline = Instant::now() + self.0.options.drain_timeout;
        while let Ok(Some(finished)) = timeout_at(deadline, attempts.join_next()).await {
            rethrow(finished);
        }
        if !attempts.is_empty() {
            tracing::warn!(
                attempts = attempts.len(),
                "stopped with notifications under way; they are sent again later"
            );
        }
    }

    /// Sends everything that is due now, once, and returns how many attempts that were.
    ///
    /// # Errors
    /// When the store cannot lease; nothing was sent then.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let rows = self.lease(self.0.options.concurrency).await?;
        let count = rows.len();
        let mut attempts = JoinSet::new();
        for row in rows {
            attempts.spawn(Arc::clone(&self.0).deliver(row));
        }
        while let Some(finished) = attempts.join_next().await {
            rethrow(finished);
        }
        Ok(count)
    }

    /// Leases as many rows as there are free places.
    async fn fill(&self, attempts: &mut JoinSet<()>) {
        let free = self.0.options.concurrency.saturating_sub(attempts.len());
        if free == 0 {
            return;
        }
        match self.lease(free).await {
            Ok(rows) => {
                for row in rows {
                    attempts.spawn(Arc::clone(&self.0).deliver(row));
                }
            }
            Err(error) => {
                tracing::error!(%error, "cannot lease notifications from the outbox");
            }
        }
    }

    async fn lease(&self, limit: usize) -> Result<Vec<Row>, StoreError> {
        let now = self.0.clock.now();
        let leased = self.0.store.lease(now, limit, self.0.options.lease_for).await;
        let mut rows = leased.inspect_err(|_| {
            self.0.store_errors.fetch_add(1, Ordering::Relaxed);
        })?;
        // The store's promise, checked: out of order would mean a resolve before its fire.
        let mut keys = HashSet::new();
        rows.sort_by_key(|row| row.seq);
        rows.retain(|row| keys.insert((row.destination.clone(), row.dedup_key.clone())));
        Ok(rows)
    }
}

/// Panics of an attempt are ours; attempts are cancelled only by dropping the set.
fn rethrow(finished: Result<(), JoinError>) {
    let panic: Option<Box<dyn Any + Send>> = finished.err().and_then(|e| e.try_into_panic().ok());
    if let Some(panic) = panic {
        panic::resume_unwind(panic);
    }
}

impl Inner {
    async fn deliver(self: Arc<Self>, row: Row) {
        let delivery = self.attempt(&row).await;
        let now = self.clock.now();
        let marked = self.mark(&row, delivery, now).await;
        if let Err(error) = marked {
            // The lease runs out and the row is sent again under the same id.
            self.store_errors.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                notification.id = %row.id, notification.destination = row.destination, %error,
                "cannot mark a notification in the outbox"
            );
        }
        // The next row of the same key has become free.
        self.wake.wake();
    }

    async fn attempt(&self, row: &Row) -> Delivery {
        let rejected = |reason: String| Delivery::Rejected { reason };
        let receiver = {
            let registry = self.registry.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            registry.get(&row.destination)
        };
        let Some(receiver) = receiver else {
            return rejected("the destination is no longer configured".to_owned());
        };
        let notification: Notification = match serde_json::from_value(row.payload.clone()) {
            Ok(notification) => notification,
            Err(error) => return rejected(format!("the stored notification is damaged: {error}")),
        };
        match timeout(self.options.attempt_timeout, receiver.send(&notification)).await {
            Ok(delivery) => delivery,
            Err(_) => Delivery::Retry { reason: "timed out".to_owned(), after: None },
        }
    }

    async fn mark(&self, row: &Row, delivery: Delivery, now: Timestamp) -> Result<(), StoreError> {
        let age = Duration::from_millis(u64::try_from(now - row.created_at).unwrap_or(0));
        match delivery {
            Delivery::Done { provider_ref } => {
                self.sent.fetch_add(1, Ordering::Relaxed);
                self.store.done(row.id, now, provider_ref).await
            }
            Delivery::Retry { reason, .. } if age >= self.options.give_up_after => {
                let age = model::duration::Pretty(age);
                self.give_up(row, now, format!("given up after {age}: {reason}")).await
            }
            Delivery::Retry { reason, after } => {
                self.retried.fetch_add(1, Ordering::Relaxed);
                let random = (self.options.random)();
                let delay = self.options.backoff.delay(row.attempts, random, after);
                tracing::warn!(
                    notification.id = %row.id, notification.destination = row.destination,
                    notification.attempt = row.attempts + 1, reason, ?delay,
                    "a notification failed and will be tried again"
                );
                let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
                self.store.retry(row.id, now.saturating_add(delay), reason).await
            }
            Delivery::Rejected { reason } => self.give_up(row, now, reason).await,
        }
    }

    async fn give_up(&self, row: &Row, now: Timestamp, reason: String) -> Result<(), StoreError> {
        self.dead.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            notification.id = %row.id, notification.destination = row.destination, reason,
            "a notification could not be delivered and is kept as a dead letter"
        );
        self.store.dead(row.id, now, reason).await
    }
}
