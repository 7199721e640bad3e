//! Finding the series of a query, in heads and blocks.

use std::sync::Arc;

use hashbrown::HashMap;
use model::{Labels, Matcher, StorageError, Timestamp, labels::LabelsJoiner, storage::Select};

use super::{
    State, Tsdb,
    deletion::{self, Mask},
    gathering::{Found, Gathering, HeadPart},
    joined::Joined,
    notes::Notes,
    overlap::{Asked, overlapping, overlapping_rollups, widened},
    rollup,
    selection::{TsdbSelection, damaged},
};
use crate::{
    block::Block,
    head::{Series, samples::Samples},
    postings::{self, Condition, Order},
};

/// What was deleted of series, by block and number within the block.
type Masks = HashMap<(u64, u32), Vec<Mask>, foldhash::fast::FixedState>;

/// Series with what was found of them, both ascending by labels.
type Sorted = (Arc<[Labels]>, Vec<Found>);

impl Tsdb {
    /// Finds all series that match and may have samples in the range.
    pub(super) fn find(&self, request: &Select<'_>) -> Result<TsdbSelection<'_>, StorageError> {
        // Only what needs the state is done under its lock: what it finds is shared and does not change
        // any more.
        let conditions = self.conditions.of(request.matchers);
        let state = self.state();
        let zones = rollup::zones(&state, request.start);
        let times = widened(request, &zones);
        let blocks = overlapping(&state, times);
        let rollups = overlapping_rollups(&state, request, &zones);
        let notes = state.notes_for_readers();
        let head = self.find_in_head(request.matchers, &state, &conditions, times);
        let of_peers = find_in_peers(request.matchers, &state, times);
        drop(state);

        let mut masks = Masks::default();
        let (mut labels, mut found) = self.sort(request, head)?;
        let is_simple = rollups.is_empty() && of_peers.is_empty();
        let has_deletions = || {
            let pending = |asked: &Asked| notes[asked.owner as usize].pending(&asked.block);
            blocks.iter().any(|asked| !pending(asked).is_empty())
        };
        let can_remember = is_simple && !blocks.is_empty() && !has_deletions();
        let joined = can_remember.then(|| self.joined.get(request.matchers, &labels, &blocks));
        if let Some(joined) = joined.flatten() {
            (labels, found) = joined.with(found);
            if labels.len() > request.max_series {
                return Err(StorageError::TooManySeries { limit: request.max_series });
            }
        } else if !(blocks.is_empty() && is_simple) {
            let of_head = Arc::clone(&labels);
            let mut all = Gathering::of(labels.iter().cloned().zip(found), request.max_series);
            for (labels, part) in of_peers {
                all.entry(labels)?.peers.push(part);
            }
            for (at, Asked { block, owner }) in blocks.iter().enumerate() {
                let notes = &notes[*owner as usize];
                each_series(block, &conditions, notes, &mut masks, &mut |labels, number| {
                    all.entry(labels)?.blocks.push((at as u32, number));
                    Ok(())
                })?;
            }
            for (at, Asked { block, owner }) in rollups.iter().enumerate() {
                let notes = &notes[*owner as usize];
                each_series(block, &conditions, notes, &mut masks, &mut |labels, number| {
                    all.entry(labels)?.rollups.push((at as u32, number));
                    Ok(())
                })?;
            }
            (labels, found) = all.sorted(labels);
            if can_remember {
                let joined = Joined::of(of_head, &labels, &found);
                self.joined.keep(request.matchers, &blocks, joined);
            }
        }
        Ok(TsdbSelection {
            store: self,
            labels,
            found,
            blocks,
            rollups,
            zones,
            raw_since: notes.iter().map(|notes| notes.raw_since).collect(),
            masks,
            start: request.start,
            end: request.end,
            left_out: None,
        })
    }

    /// What matches in this node's head.
    fn find_in_head(
        &self,
        matchers: &[Matcher],
        state: &State,
        conditions: &[Condition<'_>],
        times: (Timestamp, Timestamp),
    ) -> InHead {
        let head = &state.head;
        let selected = postings::select(head.index(), conditions);
        let mut joiner = LabelsJoiner::default();
        let removals = head.index().removals();
        let known = self.orders.get(matchers, removals);
        if let Some(order) = known.as_ref().filter(|order| order.is_of(&selected)) {
            let labels = order.labels(|slot| {
                let series = head.series(slot);
                series.map(|it| head.join(it, &mut joiner).to_labels()).unwrap_or_default()
            });
            let part = |slot: &u32| head_part(head.series(*slot)?, 0, times);
            return InHead::Sorted(labels, order.series().iter().map(part).collect());
        }
        let slots = match known {
            Some(order) => order.put_known_first(&selected),
            None => selected.into_iter().map(|slot| (slot, None)).collect(),
        };
        let all = slots.into_iter().filter_map(|(slot, labels)| {
            let series = head.series(slot)?;
            let labels = labels.unwrap_or_else(|| head.join(series, &mut joiner).to_labels());
            Some((labels, slot, head_part(series, 0, times)))
        });
        InHead::Unsorted(removals, all.collect())
    }

    /// Sorts what the head has and leaves out what has nothing in the range.
    fn sort(&self, request: &Select<'_>, head: InHead) -> Result<Sorted, StorageError> {
        let (labels, parts) = match head {
            InHead::Sorted(labels, parts) => (labels, parts),
            InHead::Unsorted(removals, mut all) => {
                // What was known comes first and is in order, which a stable sort finds out.
                all.sort_by(|a, b| a.0.cmp(&b.0));
                let series = all.iter().map(|(_, slot, _)| *slot).collect();
                let labels: Arc<[Labels]> = all.iter().map(|(labels, ..)| labels.clone()).collect();
                let order = Order::new(removals, series, Arc::clone(&labels));
                self.orders.keep(request.matchers, order);
                (labels, all.into_iter().map(|(.., part)| part).collect())
            }
        };
        let wanted = parts.iter().flatten().count();
        if wanted > request.max_series {
            return Err(StorageError::TooManySeries { limit: request.max_series });
        }
        let labels = if wanted == parts.len() {
            labels
        } else {
            let with_parts = labels.iter().zip(&parts).filter(|(_, part)| part.is_some());
            with_parts.map(|(labels, _)| labels.clone()).collect()
        };
        let found = |part| Found { head: Some(part), ..Found::default() };
        Ok((labels, parts.into_iter().flatten().map(found).collect()))
    }
}

/// What matches in the heads of other nodes.
fn find_in_peers(
    matchers: &[Matcher],
    state: &State,
    times: (Timestamp, Timestamp),
) -> Vec<(Labels, HeadPart)> {
    let mut parts = Vec::new();
    for (owner, peer) in (1..).zip(state.peers.0.values()) {
        for head in &peer.replay.heads {
            for series in head.select(matchers) {
                if let Some(part) = head_part(series, owner, times) {
                    parts.push((head.head.labels(series), part));
                }
            }
        }
    }
    parts
}

/// What was found in this node's head; nothing for series without samples in the range.
enum InHead {
    /// In the order of the labels.
    Sorted(Arc<[Labels]>, Vec<Option<HeadPart>>),
    /// With the state of the index, and the number of each series within it.
    Unsorted(u64, Vec<(Labels, u32, Option<HeadPart>)>),
}

/// What a head has of a series, when some of it may be within the times, both inclusive.
fn head_part(
    series: &Series,
    owner: u32,
    (start, end): (Timestamp, Timestamp),
) -> Option<HeadPart> {
    let overlaps = |samples: &Arc<Samples>| {
        samples.time_range().is_some_and(|(first, last)| first <= end && last >= start)
    };
    let sealing = series.sealing.as_ref().filter(|samples| overlaps(samples));
    let samples = Some(&series.samples).filter(|samples| overlaps(samples));
    let is_wanted = sealing.is_some() || samples.is_some();
    is_wanted.then(|| HeadPart {
        owner,
        last: series.last(),
        samples: [sealing.cloned(), samples.cloned()],
    })
}

/// Finds the series of a block that match, and what of them was deleted.
fn each_series(
    block: &Block,
    conditions: &[Condition<'_>],
    notes: &Notes,
    masks: &mut Masks,
    visit: &mut dyn FnMut(Labels, u32) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let deletions = notes.pending(block);
    for number in postings::select(block, conditions) {
        let labels = block.labels(number).map_err(damaged)?;
        if !deletions.is_empty() {
            match deletion::masks(&deletions, block, &labels) {
                None => continue,
                Some(own) if own.is_empty() => {}
                Some(own) => {
                    masks.insert((block.row.id, number), own);
                }
            }
        }
        visit(labels, number)?;
    }
    Ok(())
}
