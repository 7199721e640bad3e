//! The series of the head that matchers selected, in the order of their labels.
//!
//! Answers are in that order, and comparing labels costs more than all else that a query for the newest
//! samples does. So the order stays known until series come or go, and with it the labels, as long as they
//! are not too many: the head has them as numbers, and putting them together takes time too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use model::{Labels, Matcher};

/// The most memory for orders, in bytes.
const MAX_BYTES: usize = 16 << 20;
/// The most bytes of labels that are kept with an order.
const MAX_LABEL_BYTES: usize = MAX_BYTES / 4;
/// Fewer series than this are sorted each time.
const WORTHWHILE: usize = 32;

/// What matchers selected, for an index that lost series so many times.
#[derive(Debug)]
pub(crate) struct Order {
    removals: u64,
    /// The series, ascending.
    selected: Box<[u32]>,
    /// The series in the order of their labels.
    series: Box<[u32]>,
    /// Beside `series`, unless they are too many.
    labels: Option<Arc<[Labels]>>,
    label_bytes: usize,
}

impl Order {
    /// An order of the series with these labels, both in the order of the labels.
    pub(crate) fn new(removals: u64, series: Box<[u32]>, labels: Arc<[Labels]>) -> Self {
        let mut selected = series.clone();
        selected.sort_unstable();
        let label_bytes = labels.iter().map(label_bytes).sum();
        let labels = (label_bytes <= MAX_LABEL_BYTES).then_some(labels);
        let label_bytes = labels.as_ref().map_or(0, |_| label_bytes);
        Self { removals, selected, series, labels, label_bytes }
    }

    /// Whether it is the one of these series, ascending.
    pub(crate) fn is_of(&self, selected: &[u32]) -> bool {
        *self.selected == *selected
    }

    /// The series in the order of their labels.
    pub(crate) fn series(&self) -> &[u32] {
        &self.series
    }

    /// The labels beside the series. Those that are not kept are made by `labels_of`.
    pub(crate) fn labels(&self, labels_of: impl FnMut(u32) -> Labels) -> Arc<[Labels]> {
        match &self.labels {
            Some(labels) => Arc::clone(labels),
            None => self.series.iter().copied().map(labels_of).collect(),
        }
    }

    /// All of these series, ascending, with those whose order is known before all others, each with its
    /// labels if they are at hand.
    pub(crate) fn put_known_first(&self, selected: &[u32]) -> Vec<(u32, Option<Labels>)> {
        let labels = self.labels.iter().flat_map(|labels| labels.iter().cloned().map(Some));
        let known = self.series.iter().copied().zip(labels.chain(std::iter::repeat(None)));
        let new = super::difference(selected, &self.selected);
        known.chain(new.into_iter().map(|series| (series, None))).collect()
    }

    fn bytes(&self, matchers: &[Matcher]) -> usize {
        size_of::<Self>()
            + size_of_val(matchers)
            + self.series.len() * 2 * size_of::<u32>()
            + self.label_bytes
    }
}

/// What labels take, with the counts of those that share them.
fn label_bytes(labels: &Labels) -> usize {
    size_of::<Labels>() + 2 * size_of::<usize>() + labels.as_packed().len()
}

/// The orders of what was asked for lately.
#[derive(Debug, Default)]
pub(crate) struct Orders(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<Box<[Matcher]>, Entry, RandomState>,
    bytes: usize,
    /// Counts lookups, to tell what was used when.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    order: Arc<Order>,
    bytes: usize,
    used: u64,
}

impl Orders {
    /// What is known of matchers, if the index did not lose series since.
    pub(crate) fn get(&self, matchers: &[Matcher], removals: u64) -> Option<Arc<Order>> {
        let mut inner = self.lock();
        inner.uses += 1;
        let used = inner.uses;
        let entry = inner.known.get_mut(matchers).filter(|e| e.order.removals == removals)?;
        entry.used = used;
        Some(Arc::clone(&entry.order))
    }

    /// Keeps an order for the next time. What was used longest ago makes room.
    pub(crate) fn keep(&self, matchers: &[Matcher], order: Order) {
        let bytes = order.bytes(matchers);
        if order.series.len() < WORTHWHILE || bytes > MAX_BYTES / 2 {
            return;
        }
        let mut inner = self.lock();
        let entry = Entry { order: Arc::new(order), bytes, used: inner.uses };
        let before = inner.known.insert(matchers.into(), entry);
        inner.bytes += bytes;
        inner.bytes -= before.map_or(0, |before| before.bytes);
        while inner.bytes > MAX_BYTES {
            let oldest = inner.known.iter().min_by_key(|(_, entry)| entry.used);
            let Some(matchers) = oldest.map(|(matchers, _)| matchers.clone()) else { break };
            inner.bytes -= inner.known.remove(&matchers).map_or(0, |entry| entry.bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(removals: u64, series: &[u32]) -> Order {
        let labels = series.iter().map(|_| Labels::empty()).collect();
        Order::new(removals, series.into(), labels)
    }

    #[test]
    fn an_order_is_good_until_series_go() {
        let orders = Orders::default();
        let matchers = [Matcher::equal("a", "b")];
        let series: Vec<u32> = (0..100).rev().collect();
        orders.keep(&matchers, order(3, &series));
        assert!(orders.get(&matchers, 4).is_none());
        assert!(orders.get(&[Matcher::equal("a", "c")], 3).is_none());
        let known = orders.get(&matchers, 3).unwrap();
        let mut selected: Vec<u32> = (0..100).collect();
        assert!(known.is_of(&selected));
        selected.push(150);
        assert!(!known.is_of(&selected));
        let put = known.put_known_first(&selected);
        let at = |place: usize| (put[place].0, put[place].1.is_some());
        assert_eq!((at(0), at(99), at(100)), ((99, true), (0, true), (150, false)));
        assert_eq!(put.len(), 101);
        assert_eq!(known.labels(|_| unreachable!()).len(), 100);
    }

    #[test]
    fn labels_that_are_too_many_are_made_anew() {
        let long = Labels::from_pairs([("a", "x".repeat(MAX_LABEL_BYTES / 64))]);
        let series: Vec<u32> = (0..64).rev().collect();
        let labels = series.iter().map(|_| long.clone()).collect();
        let order = Order::new(0, series.into(), labels);
        let made = order.labels(|number| Labels::from_pairs([("a", number.to_string())]));
        assert_eq!(made[0], Labels::from_pairs([("a", "63")]));
        assert_eq!(order.put_known_first(&[0, 70])[0], (63, None));
        assert!(order.bytes(&[]) < 2_000);
    }

    #[test]
    fn orders_are_bounded_and_the_oldest_goes_first() {
        let orders = Orders::default();
        let matchers = |number: u32| [Matcher::equal("a", number.to_string())];
        let series: Vec<u32> = (0..100_000).collect();
        for number in 0..30 {
            orders.keep(&matchers(number), order(0, &series));
            assert!(orders.get(&matchers(0), 0).is_some(), "used all the time");
            assert!(orders.lock().bytes <= MAX_BYTES);
        }
        assert!(orders.get(&matchers(1), 0).is_none());
        assert!(orders.get(&matchers(29), 0).is_some());
    }
}
