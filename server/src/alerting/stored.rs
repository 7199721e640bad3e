//! What of the alerts is in the database.

use anyhow::Context as _;
use db::Meta;
use model::Timestamp;
use notify::dedup::GroupLog;
use rules::{Instance, alert::RESOLVED_RETENTION_MS};

/// What an evaluation goes on from.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) instances: Vec<Instance>,
    pub(super) logs: Vec<GroupLog>,
}

impl Stored {
    /// Reads it.
    ///
    /// # Errors
    /// When the database fails, or holds what this program did not write.
    pub(super) async fn read(meta: &Meta, now: Timestamp) -> anyhow::Result<Self> {
        let instances = meta.live_instances(now - RESOLVED_RETENTION_MS).await?;
        let instances = instances.iter().map(|row| serde_json::from_str(&row.body));
        let logs = meta.group_logs().await?;
        let logs = logs.iter().map(|row| serde_json::from_str(&row.body));
        Ok(Self {
            instances: instances.collect::<Result<_, _>>().context("a stored alert is damaged")?,
            logs: logs.collect::<Result<_, _>>().context("a stored group log is damaged")?,
        })
    }
}
