//! Documents that a page shows, kept fresh.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::de::DeserializeOwned;

use crate::api::{self, Abort, Failure};
use crate::live::use_live;
use crate::state::range::{Range, use_range};
use crate::state::session::use_session;

/// A document and how getting it went.
///
/// While a fresh one is on its way, and when that fails, the one before stays.
#[derive(Debug)]
pub(crate) struct Fetched<T: Send + Sync + 'static> {
    pub(crate) data: RwSignal<Option<Arc<T>>>,
    pub(crate) failure: RwSignal<Option<Failure>>,
}

impl<T: Send + Sync + 'static> Clone for Fetched<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Fetched<T> {}

impl<T: Send + Sync + 'static> Fetched<T> {
    fn new() -> Self {
        Self { data: RwSignal::new(None), failure: RwSignal::new(None) }
    }

    /// A part of the document; whoever reads it runs again only when that part has changed. Its
    /// default until the document is there.
    pub(crate) fn part<P>(self, pick: impl Fn(&T) -> P + Send + Sync + 'static) -> Part<P>
    where
        P: Clone + Default + PartialEq + Send + Sync + 'static,
    {
        let read = move || self.data.with(|data| data.as_deref().map(&pick).unwrap_or_default());
        Part::new(Box::new(move || Erased(Arc::new(read()))))
    }

    /// A list of the document, likewise.
    pub(crate) fn list<I>(
        self,
        pick: impl Fn(&T) -> Vec<I> + Send + Sync + 'static,
    ) -> Signal<Arc<Vec<I>>>
    where
        I: PartialEq + Send + Sync + 'static,
    {
        let part = self.part(move |document| Arc::new(pick(document)));
        Signal::derive(move || part.get())
    }

    /// Takes what a request brought.
    fn settle(self, result: Result<T, Failure>) {
        match result {
            Ok(value) => {
                self.data.set(Some(Arc::new(value)));
                self.failure.set(None);
            }
            Err(failure) => self.failure.set(Some(failure)),
        }
    }
}

/// A value without its type that can be compared with others of that type.
trait AnyPart: Any + Send + Sync {
    fn is_equal(&self, other: &dyn Any) -> bool;
}

impl<P: PartialEq + Send + Sync + 'static> AnyPart for P {
    fn is_equal(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<P>() == Some(self)
    }
}

/// A part of a document without its type, so that the code of memos is compiled once for all parts:
/// there are about fifty, and the download shrinks with them.
#[derive(Clone)]
struct Erased(Arc<dyn AnyPart>);

impl PartialEq for Erased {
    fn eq(&self, other: &Self) -> bool {
        let other: &dyn Any = &*other.0;
        self.0.is_equal(other)
    }
}

/// A part of a document, see [`Fetched::part`].
#[derive(Debug)]
pub(crate) struct Part<P> {
    memo: Memo<Erased>,
    kind: PhantomData<fn() -> P>,
}

impl<P> Clone for Part<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Part<P> {}

impl<P: Clone + Default + 'static> Part<P> {
    fn new(read: Box<dyn Fn() -> Erased + Send + Sync>) -> Self {
        Self { memo: Memo::new(move |_| read()), kind: PhantomData }
    }

    /// The part as it is now.
    pub(crate) fn get(self) -> P {
        self.with(P::clone)
    }

    /// Looks at the part as it is now.
    pub(crate) fn with<R>(self, look: impl FnOnce(&P) -> R) -> R {
        self.memo.with(|erased| {
            let part: &dyn Any = &*erased.0;
            match part.downcast_ref() {
                Some(part) => look(part),
                None => look(&P::default()),
            }
        })
    }
}

/// Keeps the document at `path` fresh: asks again when the path changes (which forgets the old
/// document) and after every flush or change of state (which does not). An answer that takes longer
/// than that is waited for, not asked for again.
pub(crate) fn use_fetch<T>(path: impl Fn() -> String + 'static) -> Fetched<T>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let live = use_live();
    let fetched = Fetched::new();
    let request = Request::new();
    Effect::new(move |previous: Option<String>| {
        let path = path();
        live.track();
        if previous.as_ref() != Some(&path) {
            request.cancel();
            fetched.data.set(None);
            fetched.failure.set(None);
        }
        let wanted = path.clone();
        request.start(
            |signal| async move { api::get::<T>(&wanted, signal.as_ref()).await },
            move |result| fetched.settle(result),
        );
        path
    });
    fetched
}

/// Keeps the document at `path` over the page's time range fresh, with at most `limit` entries. A range
/// that only moves on in time, and another limit, leave the old document in place until the new one is
/// there.
pub(crate) fn use_fetch_in_range<T>(
    path: impl Fn() -> String + 'static,
    limit: Signal<u32>,
) -> Fetched<T>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let (live, range) = (use_live(), use_range());
    let fetched = Fetched::new();
    let request = Request::new();
    Effect::new(move |previous: Option<(String, i64, u32)>| {
        let (path, span, limit) = (path(), range.span(), limit.get());
        live.track();
        let asked = (path, span.end_ms - span.start_ms, limit);
        if previous.as_ref() != Some(&asked) {
            request.cancel();
        }
        if previous.is_some_and(|previous| previous.0 != asked.0) {
            fetched.data.set(None);
            fetched.failure.set(None);
        }
        let separator = if asked.0.contains('?') { '&' } else { '?' };
        let start = span.start_ms as f64 / 1e3;
        let mut wanted = format!("{}{separator}start={start}&limit={limit}", asked.0);
        // A range that moves on has no end: what came since the last flush is there as well.
        if let Range::Fixed { to_ms, .. } = range.range() {
            wanted = format!("{wanted}&end={}", to_ms as f64 / 1e3);
        }
        request.start(
            |signal| async move { api::get::<T>(&wanted, signal.as_ref()).await },
            move |result| fetched.settle(result),
        );
        asked
    });
    fetched
}

/// At most one request on its way, aborted with its owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    abort: StoredValue<Option<(u64, Abort)>, LocalStorage>,
    number: StoredValue<u64>,
}

impl Request {
    pub(crate) fn new() -> Self {
        let request = Self { abort: StoredValue::new_local(None), number: StoredValue::new(0) };
        on_cleanup(move || request.cancel());
        request
    }

    /// Whether an answer is awaited.
    pub(crate) fn is_pending(self) -> bool {
        self.abort.try_with_value(Option::is_some).unwrap_or(false)
    }

    /// Stops waiting.
    pub(crate) fn cancel(self) {
        self.abort.try_update_value(Option::take);
    }

    /// Runs a request unless one is on its way; `settle` gets its result unless it is canceled.
    pub(crate) fn start<T, F>(
        self,
        run: impl FnOnce(Option<web_sys::AbortSignal>) -> F,
        settle: impl FnOnce(Result<T, Failure>) + 'static,
    ) where
        T: 'static,
        F: Future<Output = Result<T, Failure>> + 'static,
    {
        if self.is_pending() {
            return;
        }
        let session = use_session();
        let number = self.number.get_value() + 1;
        self.number.set_value(number);
        let abort = Abort::new();
        let answer = run(abort.signal());
        self.abort.set_value(Some((number, abort)));
        spawn_local(async move {
            let result = answer.await;
            let is_mine = |pending: &mut Option<(u64, Abort)>| {
                pending.take_if(|pending| pending.0 == number).is_some()
            };
            if self.abort.try_update_value(is_mine) != Some(true) {
                return;
            }
            if result.as_ref().is_err_and(Failure::is_signed_out) {
                session.expired();
            }
            settle(result);
        });
    }
}
