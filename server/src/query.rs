//! Runs queries on blocking threads, with a limit on how many at once, a deadline, and an end when
//! nobody waits any more.

mod cache;
mod helpers;
mod slow;
mod text;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use model::Timestamp;
use promql::{Context, Engine, EvalError, Expr, Output, ParseError, Profiling, Range};
use tokio::{sync::Semaphore, time::Instant};
use tsdb::Tsdb;

use cache::{Cache, Cacheable};
use helpers::Helpers;
pub(crate) use slow::SlowLog;
pub(crate) use text::{SharedTexts, Times};

/// What a single query asks for besides its expression.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct QueryOptions {
    /// Less time than the server allows.
    pub(crate) timeout: Option<Duration>,
    /// Another lookback than the server's.
    pub(crate) lookback: Option<Duration>,
    /// Neither look at answers that are kept, nor keep this one.
    pub(crate) skips_cache: bool,
    /// Measure the time of each part of the expression.
    pub(crate) explains: bool,
    /// Count the samples of each step.
    pub(crate) counts_steps: bool,
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
    /// Queries that took longer than `query.slow`.
    pub(crate) slow: AtomicU64,
}

/// The way to ask the store.
#[derive(Debug, Clone)]
pub(crate) struct Queries {
    store: Arc<Tsdb>,
    engine: Arc<Engine>,
    permits: Arc<Semaphore>,
    helpers: Arc<Helpers>,
    limits: Limits,
    pub(crate) cache: Arc<Cache>,
    pub(crate) stats: Arc<QueryStats>,
}

/// What queries may cost beyond what the engine limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many run at the same time.
    pub(crate) max_concurrent: usize,
    /// How long one may take.
    pub(crate) timeout: Duration,
    /// The memory for answers that are kept; 0 keeps none.
    pub(crate) cache_bytes: u64,
    /// From how long on a query is logged; zero logs none.
    pub(crate) slow: Duration,
}

impl Queries {
    pub(crate) fn new(store: Arc<Tsdb>, engine: Engine, limits: Limits) -> Self {
        Self {
            store,
            engine: Arc::new(engine),
            permits: Arc::new(Semaphore::new(limits.max_concurrent)),
            helpers: Arc::default(),
            limits,
            cache: Arc::new(Cache::new(limits.cache_bytes)),
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
        let log = SlowLog::new(self, text, (at, at, 0));
        self.evaluate(options, options.explains, log, move |queries, ctx| {
            queries.engine.instant(&queries.store.view(), &expr, at, ctx)
        })
        .await
    }

    /// The values of an expression at every step, and their texts when they are known.
    pub(crate) async fn range(
        &self,
        text: &str,
        range: Range,
        options: QueryOptions,
    ) -> Result<(Output, SharedTexts), QueryError> {
        let expr = self.parse(text)?;
        let log = SlowLog::new(self, text, (range.start, range.end, range.step_ms));
        let lookback = options.lookback.unwrap_or(self.engine.options().lookback);
        let uses_cache = self.cache.is_enabled() && !options.skips_cache && !options.explains;
        let cacheable = if uses_cache { Cacheable::of(&expr, range, lookback) } else { None };
        // A clock costs little beside rows of many steps.
        let texts = Arc::new(OnceLock::new());
        let found = Arc::clone(&texts);
        let output = self.evaluate(options, true, log, move |queries, ctx| {
            let Queries { engine, store, cache, .. } = queries;
            match cacheable {
                Some(query) => {
                    let (output, texts) = cache.range(&query, &expr, engine, store, ctx)?;
                    if let Some(texts) = texts {
                        // Only this closure ever sets it.
                        let _is_first = found.set(texts);
                    }
                    Ok(output)
                }
                None => engine.range(&store.view(), &expr, range, ctx),
            }
        });
        let output = output.await?;
        Ok((output, texts.get().cloned()))
    }

    /// How many steps of a range query the cache has, and how many there are; `None` when the query is
    /// not one for it.
    pub(crate) fn kept_steps(
        &self,
        text: &str,
        range: Range,
        lookback: Option<Duration>,
    ) -> Option<(u64, u64)> {
        let lookback = lookback.unwrap_or(self.engine.options().lookback);
        let query = Cacheable::of(&promql::parse(text).ok()?, range, lookback)?;
        self.cache.is_enabled().then(|| self.cache.kept_steps(&query, &self.store))
    }

    /// How long a query may take at most.
    pub(crate) fn timeout(&self) -> Duration {
        self.limits.timeout
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
        has_clock: bool,
        log: SlowLog,
        work: impl FnOnce(&Self, &Context<'_>) -> Result<Output, EvalError> + Send + 'static,
    ) -> Result<Output, QueryError> {
        let most = self.limits.timeout;
        let timeout = options.timeout.map_or(most, |timeout| timeout.min(most));
        let started = Instant::now();
        let deadline = started + timeout;
        let permits = Arc::clone(&self.permits);
        let Ok(permit) = tokio::time::timeout_at(deadline, permits.acquire_owned()).await else {
            self.count(false);
            return Err(EvalError::Timeout.into());
        };
        let cancelled = CancelOnDrop::default();
        let flag = Arc::clone(&cancelled.0);
        let queries = self.clone();
        let result = blocking(move || {
            let _permit = permit;
            let is_late = || Instant::now() >= deadline;
            let clock = || started.elapsed();
            let ctx = Context {
                cancelled: Some(&flag),
                is_late: Some(&is_late),
                lookback: options.lookback,
                workers: Some(&*queries.helpers),
                counts_steps: options.counts_steps,
                profile: Some(Profiling { clock: if has_clock { Some(&clock) } else { None } }),
            };
            let result = work(&queries, &ctx);
            log.finish(started.elapsed(), &result);
            result
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
