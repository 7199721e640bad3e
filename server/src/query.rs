//! Runs queries on blocking threads, with a limit on how many at once, a deadline, and an end when
//! nobody waits any more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{Storage, Timestamp};
use promql::{Context, Engine, EvalError, Expr, Output, ParseError, Range};
use tokio::{sync::Semaphore, time::Instant};
use tsdb::Tsdb;

/// What a single query asks for besides its expression.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct QueryOptions {
    /// Less time than the server allows.
    pub(crate) timeout: Option<Duration>,
    /// Another lookback than the server's.
    pub(crate) lookback: Option<Duration>,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    /// The expression is not PromQL.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// It could not be evaluated.
    #[error(transparent)]
    Eval(#[from] EvalError),
}

/// Counts of queries since the start.
#[derive(Debug, Default)]
pub(crate) struct QueryStats {
    /// Queries answered or refused.
    pub(crate) total: AtomicU64,
    /// Queries that failed.
    pub(crate) failed: AtomicU64,
}

/// The way to ask the store.
#[derive(Debug, Clone)]
pub(crate) struct Queries {
    store: Arc<Tsdb>,
    engine: Arc<Engine>,
    permits: Arc<Semaphore>,
    timeout: Duration,
    pub(crate) stats: Arc<QueryStats>,
}

impl Queries {
    pub(crate) fn new(
        store: Arc<Tsdb>,
        engine: Engine,
        max_concurrent: usize,
        timeout: Duration,
    ) -> Self {
        Self {
            store,
            engine: Arc::new(engine),
            permits: Arc::new(Semaphore::new(max_concurrent)),
            timeout,
            stats: Arc::default(),
        }
    }

    /// The engine, for callers that are on a blocking thread already.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The store, for callers that are on a blocking thread already.
    pub(crate) fn store(&self) -> &Arc<Tsdb> {
        &self.store
    }

    /// The value of an expression at one time.
    pub(crate) async fn instant(
        &self,
        text: &str,
        at: Timestamp,
        options: QueryOptions,
    ) -> Result<Output, QueryError> {
        let expr = self.parse(text)?;
        self.evaluate(options, move |engine, store, ctx| engine.instant(store, &expr, at, ctx))
            .await
    }

    /// The values of an expression at every step.
    pub(crate) async fn range(
        &self,
        text: &str,
        range: Range,
        options: QueryOptions,
    ) -> Result<Output, QueryError> {
        let expr = self.parse(text)?;
        self.evaluate(options, move |engine, store, ctx| engine.range(store, &expr, range, ctx))
            .await
    }

    /// Reads from the store on a blocking thread, within the same limits as a query.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tsdb) -> T + Send + 'static,
    ) -> T {
        let store = Arc::clone(&self.store);
        let permits = Arc::clone(&self.permits);
        let _permit = permits.acquire().await.expect("the semaphore is never closed");
        blocking(move || work(&store)).await
    }

    fn parse(&self, text: &str) -> Result<Expr, QueryError> {
        promql::parse(text).map_err(|error| {
            self.count(false);
            error.into()
        })
    }

    async fn evaluate(
        &self,
        options: QueryOptions,
        work: impl FnOnce(&Engine, &dyn Storage, &Context<'_>) -> Result<Output, EvalError>
        + Send
        + 'static,
    ) -> Result<Output, QueryError> {
        let timeout = options.timeout.map_or(self.timeout, |timeout| timeout.min(self.timeout));
        let deadline = Instant::now() + timeout;
        let permits = Arc::clone(&self.permits);
        let Ok(permit) = tokio::time::timeout_at(deadline, permits.acquire_owned()).await else {
            self.count(false);
            return Err(EvalError::Timeout.into());
        };
        let cancelled = CancelOnDrop::default();
        let flag = Arc::clone(&cancelled.0);
        let (store, engine) = (Arc::clone(&self.store), Arc::clone(&self.engine));
        let result = blocking(move || {
            let _permit = permit;
            let is_late = || Instant::now() >= deadline;
            let ctx = Context {
                cancelled: Some(&flag),
                is_late: Some(&is_late),
                lookback: options.lookback,
            };
            work(&engine, &store.view(), &ctx)
        })
        .await;
        self.count(result.is_ok());
        Ok(result?)
    }

    fn count(&self, is_ok: bool) {
        self.stats.total.fetch_add(1, Ordering::Relaxed);
        self.stats.failed.fetch_add(u64::from(!is_ok), Ordering::Relaxed);
    }
}

/// Tells the evaluation to end when the future that waits for it is dropped: the client went.
#[derive(Debug, Default)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs work that must not hold an async worker; a panic in it goes on in the caller.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
