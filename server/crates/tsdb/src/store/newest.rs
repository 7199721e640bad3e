//! The newest sample of one series, as far as it can be told without looking into blocks.
//!
//! Every cumulative series that comes to life asks for it, and of a million at once nearly none has
//! samples in a block.

use model::{Labels, Sample, Timestamp};

use super::Tsdb;

/// What is known of the newest sample of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Newest {
    /// Nothing is stored in the range.
    Nothing,
    /// This is it.
    Sample(Sample),
    /// Blocks or other nodes may have it: [`model::Storage::select`] tells.
    Elsewhere,
}

impl Tsdb {
    /// The newest sample of the series with exactly these labels from `start` to `end`, both inclusive,
    /// when that is found at once.
    pub fn newest(&self, labels: &Labels, start: Timestamp, end: Timestamp) -> Newest {
        let state = self.state();
        if state.peers.heads().next().is_some() {
            return Newest::Elsewhere;
        }
        let slot = state.head.find(labels.as_ref()).and_then(|series| state.head.slot(series));
        let last = slot.and_then(|slot| state.head.series(slot)?.last());
        let all = || state.blocks.iter().chain(state.rollups.iter());
        match last {
            Some(last) if (start..=end).contains(&last.timestamp) => {
                let is_newest = all().all(|block| block.row.max_time < last.timestamp);
                if is_newest { Newest::Sample(last) } else { Newest::Elsewhere }
            }
            None if !all().any(|block| block.overlaps(start, end)) => Newest::Nothing,
            _ => Newest::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::Value;

    use super::*;
    use crate::{Batch, Options, SeriesRef, engine::MemoryEngine};

    #[test]
    fn the_newest_sample_is_told_when_no_block_can_have_a_newer_one() {
        let engine = Arc::new(MemoryEngine::default());
        let (store, _) = Tsdb::open(engine, Options::default()).unwrap();
        let [a, b] = ["a", "b"].map(|name| Labels::from_pairs([("__name__", name)]));
        let commit = |series: SeriesRef, timestamp, value| {
            let samples = [(series, Value::Float(value))];
            let batch = Batch { timestamp, samples: &samples, ..Batch::default() };
            assert_eq!(store.commit(&batch).appended, 1);
        };
        let sample = |timestamp, value| Sample { timestamp, value: Value::Float(value) };
        assert_eq!(store.newest(&a, 0, 99), Newest::Nothing);
        let series = store.resolve(&a);
        assert_eq!(store.newest(&a, 0, 99), Newest::Nothing);
        commit(series, 10, 1.0);
        assert_eq!(store.newest(&a, 0, 99), Newest::Sample(sample(10, 1.0)));
        assert_eq!(store.newest(&a, 11, 99), Newest::Elsewhere, "it has nothing so new");
        store.seal().unwrap();
        assert_eq!(store.newest(&a, 0, 99), Newest::Elsewhere, "a block is as new");
        assert_eq!(store.newest(&b, 0, 99), Newest::Elsewhere, "a block may have it");
        assert_eq!(store.newest(&b, 11, 99), Newest::Nothing);
        commit(series, 20, 2.0);
        assert_eq!(store.newest(&a, 0, 99), Newest::Sample(sample(20, 2.0)));
    }
}
