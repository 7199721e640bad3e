//! Which leases this process holds.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use db::{Lease, Taken};
use model::Timestamp;
use tokio::{sync::watch, time::Instant};

/// What one process at a time does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Evaluating rules and deciding notifications.
    Rules,
    /// Probing, and keeping the uptime ledger.
    Monitors,
    /// Sending what is in the outbox.
    Outbox,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Rules, Self::Monitors, Self::Outbox];

    /// The name of its lease.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Monitors => "monitors",
            Self::Outbox => "outbox",
        }
    }
}

/// A role that this process has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// To be shown with each write.
    pub(crate) lease: Lease,
    /// When whoever had it before was last known to have it, by the database's clock.
    pub(crate) before: Option<Timestamp>,
}

#[derive(Debug)]
struct Slot {
    held: Held,
    /// `None` when it does not run out.
    until: Option<Instant>,
}

/// The leases of this process. Whether one is held is told by its own clock, without asking anybody.
#[derive(Debug)]
pub(crate) struct Leases {
    slots: Mutex<[Option<Slot>; 3]>,
    takeovers: [AtomicU64; 3],
    losses: [AtomicU64; 3],
    /// Why the database could not be asked last; empty when it could.
    error: Mutex<String>,
    /// Changes with each lease taken or lost.
    version: watch::Sender<u64>,
}

impl Default for Leases {
    fn default() -> Self {
        Self {
            slots: Mutex::default(),
            takeovers: Default::default(),
            losses: Default::default(),
            error: Mutex::default(),
            version: watch::Sender::new(0),
        }
    }
}

impl Leases {
    fn slots(&self) -> MutexGuard<'_, [Option<Slot>; 3]> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The role, if this process has it. It may be lost a moment later: what is written shows the lease.
    pub(crate) fn held(&self, role: Role) -> Option<Held> {
        let slots = self.slots();
        let slot = slots[role as usize].as_ref()?;
        let is_valid = slot.until.is_none_or(|until| Instant::now() < until);
        is_valid.then(|| slot.held.clone())
    }

    /// The lease that was held last, also when it may have run out: whether it is still good for a write
    /// is for the database to say.
    pub(crate) fn last(&self, role: Role) -> Option<Lease> {
        self.slots()[role as usize].as_ref().map(|slot| slot.held.lease.clone())
    }

    /// A role whose lease ran out and that nobody is known to have taken: the database cannot be asked.
    pub(crate) fn has_lapsed(&self, role: Role) -> bool {
        self.last(role).is_some() && self.held(role).is_none()
    }

    /// Notes a lease that was asked for at `asked` and lasts for `lasts`, or without end.
    pub(super) fn took(&self, taken: Taken, asked: Instant, lasts: Option<Duration>) {
        let Some(role) = Role::ALL.into_iter().find(|role| *role.as_str() == *taken.lease.name)
        else {
            return;
        };
        // One that was free for the first time is taken over from nobody.
        if taken.lease.token > 1 {
            self.takeovers[role as usize].fetch_add(1, Ordering::Relaxed);
        }
        if lasts.is_some() {
            let token = taken.lease.token;
            tracing::info!(role = role.as_str(), lease.token = token, "taken over by this process");
        }
        let held = Held { lease: taken.lease, before: taken.renewed_at };
        // The database began to count after it was asked.
        let until = lasts.map(|lasts| asked + lasts);
        self.slots()[role as usize] = Some(Slot { held, until });
        self.version.send_modify(|version| *version += 1);
    }

    /// Notes that a lease was renewed.
    pub(super) fn renewed(&self, lease: &Lease, asked: Instant, lasts: Duration) {
        let mut slots = self.slots();
        for slot in slots.iter_mut().flatten().filter(|slot| slot.held.lease == *lease) {
            if slot.until.is_some_and(|until| until <= Instant::now()) {
                self.version.send_modify(|version| *version += 1);
            }
            slot.until = Some(asked + lasts);
        }
    }

    /// Notes that somebody else has a lease now. Nothing happens when it was taken anew since.
    pub(crate) fn lost(&self, lease: &Lease) {
        let mut slots = self.slots();
        for (role, slot) in Role::ALL.into_iter().zip(slots.iter_mut()) {
            if slot.as_ref().is_none_or(|slot| slot.held.lease != *lease) {
                continue;
            }
            *slot = None;
            self.losses[role as usize].fetch_add(1, Ordering::Relaxed);
            tracing::warn!(role = role.as_str(), "another process took it over; it ends here");
            self.version.send_modify(|version| *version += 1);
        }
    }

    /// Gives up all leases, before they are given back.
    pub(super) fn give_up(&self) -> Vec<Lease> {
        let mut slots = self.slots();
        slots.iter_mut().filter_map(|slot| Some(slot.take()?.held.lease)).collect()
    }

    /// All leases that were not lost, also those that may have run out.
    pub(super) fn all(&self) -> Vec<Lease> {
        self.slots().iter().flatten().map(|slot| slot.held.lease.clone()).collect()
    }

    /// Changes whenever a lease is taken, lost or good again.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// How often a role was taken over by this process.
    pub(crate) fn takeovers(&self, role: Role) -> u64 {
        self.takeovers[role as usize].load(Ordering::Relaxed)
    }

    /// How often a role was taken over from this process.
    pub(crate) fn losses(&self, role: Role) -> u64 {
        self.losses[role as usize].load(Ordering::Relaxed)
    }

    pub(super) fn set_error(&self, error: String) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// Why the database could not be asked last; empty when it could.
    pub(crate) fn error(&self) -> String {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(role: Role, token: i64) -> Taken {
        let lease = Lease { name: role.as_str().into(), token };
        Taken { lease, renewed_at: Some(7) }
    }

    const LASTS: Duration = Duration::from_secs(6);

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_held_until_it_runs_out_and_again_when_it_is_renewed() {
        let leases = Leases::default();
        assert_eq!(leases.held(Role::Rules), None);
        leases.took(taken(Role::Rules, 3), Instant::now(), Some(LASTS));
        assert_eq!(leases.held(Role::Rules).unwrap().before, Some(7));
        assert_eq!(leases.held(Role::Outbox), None);
        tokio::time::advance(LASTS).await;
        assert_eq!(leases.held(Role::Rules), None);
        assert!(leases.has_lapsed(Role::Rules));
        let lease = leases.last(Role::Rules).unwrap();
        leases.renewed(&lease, Instant::now(), LASTS);
        assert_eq!(leases.held(Role::Rules).unwrap().lease, lease);
        assert!(!leases.has_lapsed(Role::Rules));
    }

    #[tokio::test(start_paused = true)]
    async fn time_counts_from_when_the_database_was_asked() {
        let leases = Leases::default();
        let asked = Instant::now();
        tokio::time::advance(LASTS).await;
        leases.took(taken(Role::Rules, 1), asked, Some(LASTS));
        assert_eq!(leases.held(Role::Rules), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_without_end_is_held_until_it_is_lost() {
        let leases = Leases::default();
        leases.took(taken(Role::Rules, 3), Instant::now(), None);
        tokio::time::advance(100 * LASTS).await;
        let old = leases.held(Role::Rules).unwrap().lease;
        leases.took(taken(Role::Rules, 4), Instant::now(), None);
        leases.lost(&old);
        assert!(leases.held(Role::Rules).is_some(), "the one that was lost is not the one held");
        leases.lost(&Lease { token: 4, ..old });
        assert_eq!(leases.held(Role::Rules), None);
        assert!(!leases.has_lapsed(Role::Rules));
        assert_eq!((leases.takeovers(Role::Rules), leases.losses(Role::Rules)), (2, 1));
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_changes() {
        let leases = Leases::default();
        let mut changes = leases.changes();
        assert!(!changes.has_changed().unwrap());
        leases.took(taken(Role::Monitors, 1), Instant::now(), None);
        changes.changed().await.unwrap();
        assert_eq!(leases.takeovers(Role::Monitors), 0, "nobody had it before");
    }
}
