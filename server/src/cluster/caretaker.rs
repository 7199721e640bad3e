//! Data of nodes that are gone for good: somebody has to seal what they left, and remove it in time.

use std::{sync::Arc, time::Duration};

use db::{LeaseRow, Meta, Samples, Takeover, node::NodeRow};
use model::Timestamp;
use tokio::runtime::Handle;
use tsdb::{DeletionRequests, Tsdb};

use super::join::place;
use crate::store::SqlEngine;

/// A node that was silent for so long does not come back before its data needs care.
const SILENT_FOR: Duration = Duration::from_hours(6);
/// How long the place of a node is taken for its care; it is returned at the end.
const CARE_LASTS: Duration = Duration::from_mins(10);

/// Whose data is cared for, and with what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Care<'a> {
    pub(crate) samples: &'a Samples,
    pub(crate) meta: &'a Meta,
    /// How a store behaves that is opened for its care.
    pub(crate) options: &'a tsdb::Options,
    /// What nodes ask others to delete.
    pub(crate) requests: &'a DeletionRequests,
    pub(crate) runtime: &'a Handle,
}

/// Seals what nodes that are gone left as flushes, merges their blocks, deletes those that are too old, and
/// what they are asked to delete. Blocks.
///
/// # Errors
/// What failed first; it is tried again the next time.
pub(crate) fn care(care: Care<'_>, now: Timestamp) -> anyhow::Result<()> {
    let nodes = care.runtime.block_on(care.samples.nodes())?;
    let leases = care.runtime.block_on(care.meta.leases())?;
    let bound = now.saturating_sub(care.options.retention.as_millis() as i64);
    for node in nodes {
        let place = place(&node.name);
        let is_silent = |lease: &LeaseRow| lease.silent >= SILENT_FOR && lease.lasts.is_none();
        let is_gone = leases.iter().find(|lease| lease.name == place).is_none_or(is_silent);
        let has_old = node.oldest_block.is_some_and(|time| time < bound);
        let has_samples = node.has_frames || node.oldest_block.is_some();
        let is_asked = has_samples && care.requests.concern(node.number);
        if is_gone && (node.has_frames || has_old || is_asked) {
            care.for_node(&node, &place, now)?;
        }
    }
    Ok(())
}

impl Care<'_> {
    /// Does for one node what it would do itself, in its place: should it start meanwhile, it waits.
    fn for_node(&self, node: &NodeRow, place: &str, now: Timestamp) -> anyhow::Result<()> {
        let names = [place];
        let taken = self.meta.take_leases(&names, "caretaker", CARE_LASTS, Takeover::WhenExpired);
        let Some(taken) = self.runtime.block_on(taken)?.into_iter().next() else { return Ok(()) };
        let samples = self.samples.as_node(node.number, taken.lease.clone());
        let done = self.tidy(samples, node.number, now);
        self.runtime.block_on(self.meta.return_leases(&[taken.lease]))?;
        done?;
        tracing::info!(node = node.name, "the data of a node that is gone was tidied up");
        Ok(())
    }

    fn tidy(&self, samples: Samples, number: u64, now: Timestamp) -> anyhow::Result<()> {
        let engine = Arc::new(SqlEngine::new(samples, self.runtime.clone(), Arc::default()));
        let options = tsdb::Options { node: Some(u16::try_from(number)?), ..self.options.clone() };
        let (store, _) = Tsdb::open(engine, options)?;
        store.carry_out(self.requests)?;
        store.seal()?;
        store.maintain(now)?;
        Ok(())
    }
}
