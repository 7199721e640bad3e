//! Keeping leases, and taking those that are free.

use std::{sync::Arc, time::Duration};

use db::{DbError, Lease, Meta, Takeover};
use model::text::causes;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{Leases, Role};

/// How many times a lease is renewed before it would run out.
const RENEWALS: u32 = 4;

/// What keeping them needs.
#[derive(Debug)]
pub(crate) struct Keep {
    pub(crate) leases: Arc<Leases>,
    pub(crate) meta: Meta,
    pub(crate) holder: String,
    /// The right to write samples as this node.
    pub(crate) node: Lease,
    pub(crate) lasts: Duration,
}

/// Renews what is held and takes what is free until `stop`, then gives everything back. Ends before that
/// when another process took the node's place: nothing that this one writes counts any more.
pub(crate) async fn keep(keep: Keep, stop: CancellationToken) -> Result<(), String> {
    let Keep { leases, meta, holder, node, lasts } = &keep;
    let every = *lasts / RENEWALS;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(every) => {}
        }
        // A database that hangs is asked again on another connection.
        let asked = timeout(every * 2, async {
            let is_ours = renew(leases, meta, node, *lasts).await?;
            take_free(leases, meta, holder, *lasts).await?;
            Ok::<bool, DbError>(is_ours)
        });
        let error = match asked.await {
            Ok(Ok(true)) => String::new(),
            Ok(Ok(false)) => {
                return Err(format!("another process took the place of this one, {}", node.name));
            }
            Ok(Err(error)) => causes(&error),
            Err(_) => "the database does not answer".to_owned(),
        };
        if !error.is_empty() && leases.error().is_empty() {
            tracing::warn!(error, "leases cannot be renewed");
        }
        leases.set_error(error);
    }
    let mut given_back = leases.give_up();
    given_back.push(node.clone());
    if let Err(error) = meta.return_leases(&given_back).await {
        tracing::warn!(error = %causes(&error), "leases could not be given back; they run out");
    }
    Ok(())
}

/// Renews the place of the node and the roles; returns whether the place is still ours.
async fn renew(
    leases: &Leases,
    meta: &Meta,
    node: &Lease,
    lasts: Duration,
) -> Result<bool, DbError> {
    let mut all = leases.all();
    all.push(node.clone());
    let asked = Instant::now();
    let held = meta.renew_leases(&all, lasts).await?;
    let is_ours = held.last().copied().unwrap_or(false);
    all.pop();
    for (lease, is_held) in all.iter().zip(held) {
        if is_held {
            leases.renewed(lease, asked, lasts);
        } else {
            leases.lost(lease);
        }
    }
    Ok(is_ours)
}

/// Takes the roles that nobody has.
pub(super) async fn take_free(
    leases: &Leases,
    meta: &Meta,
    holder: &str,
    lasts: Duration,
) -> Result<(), DbError> {
    let free = |role: &Role| leases.last(*role).is_none();
    let names: Vec<&str> = Role::ALL.into_iter().filter(free).map(Role::as_str).collect();
    if names.is_empty() {
        return Ok(());
    }
    let asked = Instant::now();
    for taken in meta.take_leases(&names, holder, lasts, Takeover::WhenExpired).await? {
        leases.took(taken, asked, Some(lasts));
    }
    Ok(())
}
