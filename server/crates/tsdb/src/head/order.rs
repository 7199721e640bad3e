//! The order of all series that are sealed.
//!
//! There may be millions, and nobody may wait for all of them, so it is worked out beside the head, which
//! is looked at in pieces. Labels are compared pair by pair, and there are far fewer pairs than series:
//! these are sorted by their texts, and then the series by the ranks of their pairs.

use model::labels::{METRIC_NAME, OwnedPair};

use super::{Head, index::HeadIndex};

/// So many pairs or series are looked at while others wait.
const PER_LOOK: usize = 16_384;

/// Series on their way into the order of a block: by metric, then by labels.
#[derive(Debug, Default)]
pub(crate) struct SealOrder {
    texts: Vec<(OwnedPair, u32)>,
    /// By number of the pair: its place among all pairs in use, from 1 on. 0 is less than any.
    ranks: Vec<u32>,
    /// Of one series after the other: the rank of its metric, and of all its pairs.
    rows: Vec<u32>,
    /// Where the row of a series begins, and its slot.
    series: Vec<(u32, u32)>,
}

impl SealOrder {
    /// Takes up pairs from the number `next` on. Returns whether there are more.
    pub(crate) fn add_pairs(&mut self, index: &HeadIndex, next: &mut u32) -> bool {
        let end = index.pair_numbers() as u32;
        let until = end.min(*next + PER_LOOK as u32);
        let in_use = (*next..until).filter(|&pair| !index.is_free_pair(pair));
        self.texts.extend(in_use.map(|pair| (index.pair(pair).to_owned(), pair)));
        *next = until;
        until < end
    }

    /// Sorts the pairs that were taken up.
    pub(crate) fn rank(&mut self) {
        let mut texts = std::mem::take(&mut self.texts);
        texts.sort_unstable_by(|a, b| a.0.as_pair().cmp(&b.0.as_pair()));
        let numbers = texts.iter().map(|(_, pair)| *pair as usize + 1).max().unwrap_or_default();
        self.ranks.resize(numbers, 0);
        for ((_, pair), rank) in texts.iter().zip(1..) {
            self.ranks[*pair as usize] = rank;
        }
    }

    /// Takes up series with samples set aside from the slot `next` on, whose pairs were there before.
    /// Returns whether there are more.
    pub(crate) fn add_series(&mut self, head: &Head, next: &mut u32) -> bool {
        let end = head.slots.len() as u32;
        let until = end.min(*next + PER_LOOK as u32);
        for slot in *next..until {
            let Some(series) = head.series(slot).filter(|series| series.sealing.is_some()) else {
                continue;
            };
            let start = self.rows.len() as u32;
            let is_metric = |pair: &&u32| head.index.pair(**pair).name() == METRIC_NAME;
            let metric = series.pairs.iter().find(is_metric);
            self.rows.push(metric.map_or(0, |&pair| self.rank_of(pair)));
            for &pair in &series.pairs {
                let rank = self.rank_of(pair);
                self.rows.push(rank);
            }
            self.series.push((start, slot));
        }
        *next = until;
        until < end
    }

    /// The slots in order.
    pub(crate) fn finish(self) -> Vec<u32> {
        let Self { rows, series, .. } = self;
        let ends = series.iter().skip(1).map(|(start, _)| *start).chain([rows.len() as u32]);
        let mut keyed: Vec<(u64, u32, u32, u32)> = series
            .iter()
            .zip(ends)
            .map(|(&(start, slot), end)| {
                let rank = |at: u32| {
                    let at = start + at;
                    u64::from(if at < end { rows[at as usize] } else { 0 })
                };
                (rank(0) << 32 | rank(1), start, end, slot)
            })
            .collect();
        drop(series);
        let row = |start: u32, end: u32| &rows[start as usize..end as usize];
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| row(a.1, a.2).cmp(row(b.1, b.2))));
        keyed.into_iter().map(|(.., slot)| slot).collect()
    }

    fn rank_of(&self, pair: u32) -> u32 {
        self.ranks.get(pair as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::{Labels, Value};
    use proptest::prelude::*;

    use super::*;
    use crate::block::series_order;

    fn any_labels() -> impl Strategy<Value = BTreeMap<String, String>> {
        let name = prop_oneof![Just("__name__"), Just("a"), Just("A"), Just("ab")];
        proptest::collection::btree_map(name.prop_map(str::to_owned), "[ab]{0,3}|é", 0..4)
    }

    proptest! {
        #[test]
        fn property_the_order_is_that_of_the_texts(
            all in proptest::collection::btree_set(any_labels(), 0..40),
        ) {
            let mut head = Head::default();
            let mut labels: Vec<Labels> = all.into_iter().map(Labels::from_pairs).collect();
            for labels in &labels {
                let series = head.resolve(labels.as_ref());
                head.append(series.slot, 1, &Value::Float(0.0));
            }
            head.cut();
            let mut order = SealOrder::default();
            let (mut pair, mut slot) = (0, 0);
            while order.add_pairs(head.index(), &mut pair) {}
            order.rank();
            while order.add_series(&head, &mut slot) {}
            let slots = order.finish();
            let found: Vec<Labels> =
                slots.iter().map(|&slot| head.labels(head.series(slot).unwrap())).collect();
            labels.sort_by(series_order);
            labels.dedup();
            prop_assert_eq!(found, labels);
        }
    }
}
