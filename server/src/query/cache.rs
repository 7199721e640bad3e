//! Answers of range queries that are kept, so that a dashboard that moves on by a few steps computes
//! only those.
//!
//! An answer is kept with the moment at which the store was read. What changed since, the store tells:
//! steps before the oldest change are as they were, all others are computed again. Nothing is guessed
//! about how late samples may come.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{Storage, Timestamp};
use promql::{
    Annotations, Context, Engine, EvalError, Expr, Output, QueryValue, Range, Series, Stats,
};
use tsdb::{Moment, Tsdb};

use super::text::{SharedTexts, Texts};

/// One answer may take this part of the room.
const LARGEST_SHARE: usize = 4;

/// Answers kept, at most so many bytes of them; those used longest ago go first.
#[derive(Debug)]
pub(crate) struct Cache {
    limit_bytes: usize,
    inner: Mutex<Inner>,
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    /// Counts lookups, to tell what was used when.
    uses: u64,
}

/// What two queries must have in common to share steps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The expression in its one form.
    text: String,
    step_ms: i64,
    /// Where the steps lie.
    phase_ms: i64,
    lookback: Duration,
    /// The number of steps, doubled and doubled: an hour and a week of a query do not take each other's
    /// place.
    magnitude: u32,
}

#[derive(Debug)]
struct Entry {
    kept: Arc<Kept>,
    bytes: usize,
    used: u64,
}

/// An answer, and when it was right.
#[derive(Debug)]
pub(crate) struct Kept {
    series: Arc<Vec<Series>>,
    /// The same as text, once somebody asked for it again.
    texts: SharedTexts,
    annotations: Annotations,
    start: Timestamp,
    end: Timestamp,
    moment: Moment,
}

/// A range query that may be answered from the cache.
#[derive(Debug)]
pub(crate) struct Cacheable {
    key: Key,
    range: Range,
    lookahead_ms: i64,
}

impl Cacheable {
    /// `None` when answers to this query cannot be put together from others.
    pub(crate) fn of(expr: &Expr, range: Range, lookback: Duration) -> Option<Self> {
        if range.step_ms <= 0 || range.end < range.start {
            return None;
        }
        let lookahead_ms = promql::lookahead_ms(expr, lookback)?;
        let steps = range.end.checked_sub(range.start)? / range.step_ms + 1;
        let end = range.start + (steps - 1) * range.step_ms;
        let key = Key {
            text: expr.to_string(),
            step_ms: range.step_ms,
            phase_ms: range.start.rem_euclid(range.step_ms),
            lookback,
            magnitude: steps.ilog2(),
        };
        Some(Self { key, range: Range { end, ..range }, lookahead_ms })
    }

    /// The last step before everything that changed; `None` when nothing changed.
    fn last_before(&self, changed: Timestamp) -> Timestamp {
        let first_changed = changed.saturating_sub(self.lookahead_ms);
        let Range { start, step_ms, .. } = self.range;
        // The step just before the first one that is changed or later.
        let steps =
            (i128::from(first_changed) - i128::from(start) - 1).div_euclid(i128::from(step_ms));
        let last = i128::from(start) + steps * i128::from(step_ms);
        i64::try_from(last).unwrap_or(Timestamp::MIN)
    }
}

impl Cacheable {
    /// An answer that is kept, with the last of its steps that is still right, when it has any of this
    /// query's.
    fn usable(&self, kept: Arc<Kept>, store: &Tsdb) -> Option<(Arc<Kept>, Timestamp)> {
        let sound = store
            .changed_since(kept.moment)
            .map_or(kept.end, |changed| self.last_before(changed).min(kept.end));
        let until = sound.min(self.range.end);
        (kept.start <= self.range.start && until >= self.range.start).then_some((kept, until))
    }
}

impl Cache {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes: usize::try_from(limit_bytes).unwrap_or(usize::MAX),
            inner: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.limit_bytes > 0
    }

    /// The memory of all answers kept.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = Inner::default();
    }

    /// The answer to a range query, computed as far as it is not kept. Each answer is kept for the next
    /// time when it is complete.
    pub(crate) fn range(
        &self,
        query: &Cacheable,
        expr: &Expr,
        engine: &Engine,
        store: &Tsdb,
        ctx: &Context<'_>,
    ) -> Result<(Output, SharedTexts), EvalError> {
        let moment = store.moment();
        let usable = self.find(&query.key).and_then(|kept| query.usable(kept, store));
        let Some((kept, until)) = usable else {
            self.misses.fetch_add(1, Ordering::Relaxed);
            let output = engine.range(&store.view(), expr, query.range, ctx)?;
            self.keep(query, &output, moment, None);
            return Ok((output, None));
        };
        self.hits.fetch_add(1, Ordering::Relaxed);
        let mut output = if until >= query.range.end {
            Output {
                value: QueryValue::Matrix(Vec::new()),
                annotations: Annotations::default(),
                left_out: Vec::new(),
                stats: Stats::default(),
                plan: None,
                steps: Vec::new(),
            }
        } else {
            let rest = Range { start: until + query.range.step_ms, ..query.range };
            let view = store.view();
            engine.range(&view as &dyn Storage, expr, rest, ctx)?
        };
        let is_new = until < query.range.end;
        let QueryValue::Matrix(new) = &output.value else { return Ok((output, None)) };
        let joined = promql::join(query.range, until, &kept.series, new);
        let texts = self.texts(query, &kept, until, &joined);
        output.value = QueryValue::Matrix(joined);
        output.annotations.join(kept.annotations.clone());
        if is_new {
            self.keep(query, &output, moment, texts.clone());
        }
        Ok((output, texts))
    }

    /// How many steps of a query are kept, of how many.
    pub(crate) fn kept_steps(&self, query: &Cacheable, store: &Tsdb) -> (u64, u64) {
        let Range { start, end, step_ms } = query.range;
        let steps = |until: Timestamp| ((until - start) / step_ms + 1) as u64;
        let kept = self.lock().entries.get(&query.key).map(|entry| Arc::clone(&entry.kept));
        let until = kept.and_then(|kept| query.usable(kept, store)).map(|(_, until)| until);
        (until.map_or(0, steps), steps(end))
    }

    /// The texts of an answer whose steps up to `until` are kept.
    fn texts(
        &self,
        query: &Cacheable,
        kept: &Arc<Kept>,
        until: Timestamp,
        joined: &[Series],
    ) -> SharedTexts {
        let Range { start, end, step_ms } = query.range;
        let known = if let Some(texts) = &kept.texts {
            Arc::clone(texts)
        } else {
            let texts = Arc::new(Texts::of(&kept.series));
            let with_texts = Kept {
                series: Arc::clone(&kept.series),
                texts: Some(Arc::clone(&texts)),
                annotations: kept.annotations.clone(),
                ..**kept
            };
            self.insert(&query.key, with_texts);
            texts
        };
        if (start, end, until) == (kept.start, kept.end, kept.end) {
            return Some(known);
        }
        let first = usize::try_from((start - kept.start) / step_ms).ok()?;
        let count = usize::try_from((until - start) / step_ms + 1).ok()?;
        Some(Arc::new(known.join(&kept.series, first..first + count, joined)))
    }

    fn find(&self, key: &Key) -> Option<Arc<Kept>> {
        let mut inner = self.lock();
        inner.uses += 1;
        let used = inner.uses;
        let entry = inner.entries.get_mut(key)?;
        entry.used = used;
        Some(Arc::clone(&entry.kept))
    }

    fn keep(&self, query: &Cacheable, output: &Output, moment: Moment, texts: SharedTexts) {
        let QueryValue::Matrix(series) = &output.value else { return };
        if !output.left_out.is_empty() || !promql::are_lasting(&output.annotations) {
            return;
        }
        let kept = Kept {
            series: Arc::new(series.clone()),
            texts,
            annotations: output.annotations.clone(),
            start: query.range.start,
            end: query.range.end,
            moment,
        };
        self.insert(&query.key, kept);
    }

    fn insert(&self, key: &Key, kept: Kept) {
        let bytes = key.text.len() * 2
            + size_of::<(Key, Entry, Kept)>()
            + kept.series.iter().map(Series::heap_bytes).sum::<usize>()
            + kept.texts.as_ref().map_or(0, |texts| texts.heap_bytes());
        if bytes > self.limit_bytes / LARGEST_SHARE {
            return;
        }
        let kept = Arc::new(kept);
        let mut inner = self.lock();
        let used = inner.uses;
        if let Some(before) = inner.entries.insert(key.clone(), Entry { kept, bytes, used }) {
            inner.bytes -= before.bytes;
        }
        inner.bytes += bytes;
        while inner.bytes > self.limit_bytes {
            let oldest = inner.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { break };
            if let Some(entry) = inner.entries.remove(&key) {
                inner.bytes -= entry.bytes;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
