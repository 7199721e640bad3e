//! Becoming a node, before the store is opened.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use db::{Lease, LeaseRow, Meta, Samples, Takeover};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Leases, NodeLabel, Role};
use crate::config::{Config, store::Engine};

/// In the data folder: how the process names itself that used it last as a node.
const HOLDER_FILE: &str = "bellwether.node";

/// How often a lease that somebody holds is asked for again while starting.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// What this process is among others.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The samples, as this node writes them.
    pub(crate) samples: Samples,
    pub(crate) leases: Arc<Leases>,
    /// How this process names itself as a holder.
    pub(crate) holder: String,
    /// The right to write samples as this node; `None` on SQLite, where there is one writer.
    pub(crate) node: Option<Lease>,
    /// The number in the keys of blocks; `None` on SQLite.
    pub(crate) number: Option<u16>,
    pub(crate) label: NodeLabel,
}

/// Takes the node's place, and those of the roles that are free.
///
/// # Errors
/// When another process runs as the same node, or the database fails.
pub(crate) async fn join(config: &Config, samples: Samples, meta: &Meta) -> anyhow::Result<Joined> {
    let store = &config.store;
    let name = store.node.as_deref().unwrap_or_default();
    let leases = Arc::new(Leases::default());
    let holder = format!("{name}/{}", Uuid::now_v7());
    let label = NodeLabel::new(store.node.as_deref());
    if store.engine == Engine::Sqlite {
        // Whoever had them ran on this folder and is dead, or is refused from now on.
        let asked = Instant::now();
        let names = Role::ALL.map(Role::as_str);
        let taken = meta.take_leases(&names, &holder, Duration::ZERO, Takeover::AtOnce).await?;
        for taken in taken {
            leases.took(taken, asked, None);
        }
        return Ok(Joined { samples, leases, holder, node: None, number: None, label });
    }
    let before = remember_holder(&config.server.data_dir, &holder)?;
    let lease = take_place(meta, name, &holder, store.lease.0, before.as_deref()).await?;
    let number = samples.node_number(name).await?;
    let samples = samples.as_node(number, lease.clone());
    super::keeper::take_free(&leases, meta, &holder, store.lease.0).await?;
    let number = Some(u16::try_from(number)?);
    Ok(Joined { samples, leases, holder, node: Some(lease), number, label })
}

/// The name of the lease to write as a node.
pub(super) fn place(name: &str) -> String {
    format!("node/{name}")
}

/// Writes down in the data folder how this process names itself, and returns how the process did that used
/// the folder before. That one is dead: the folder is locked by this one.
fn remember_holder(folder: &Path, holder: &str) -> anyhow::Result<Option<String>> {
    let path = folder.join(HOLDER_FILE);
    let before = std::fs::read_to_string(&path).ok();
    std::fs::write(&path, holder).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(before)
}

/// Takes the place of a node. When it is held by `dead` it is taken at once; else this waits until the
/// process that has it lost it, which takes as long as its lease lasts.
async fn take_place(
    meta: &Meta,
    name: &str,
    holder: &str,
    lasts: Duration,
    dead: Option<&str>,
) -> anyhow::Result<Lease> {
    let deadline = Instant::now() + 2 * lasts;
    let place = place(name);
    let mut is_waiting = false;
    let is_dead = |row: &LeaseRow| row.name == place && Some(&*row.holder) == dead;
    let mut takeover = if meta.leases().await?.iter().any(is_dead) {
        Takeover::AtOnce
    } else {
        Takeover::WhenExpired
    };
    loop {
        let taken = meta.take_leases(&[&place], holder, lasts, takeover).await?;
        takeover = Takeover::WhenExpired;
        if let Some(taken) = taken.into_iter().next() {
            return Ok(taken.lease);
        }
        if Instant::now() >= deadline && name.is_empty() {
            bail!(
                "another server runs on this database; to have several, give each a name of its \
                 own with store.node"
            );
        } else if Instant::now() >= deadline {
            bail!(
                "another server runs on this database as the node `{name}`; give each a name of \
                 its own with store.node"
            );
        }
        if !std::mem::replace(&mut is_waiting, true) {
            tracing::info!(
                node = name,
                "the process before this one may still run; waiting until its lease ends"
            );
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
