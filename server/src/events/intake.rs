//! What the readers call for an event or a service check. It never waits.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use db::meta::events::EventRow;
use ingest::{Extra, SourceId};
use model::{Clock, Timestamp};
use tokio::sync::mpsc;

use super::{
    Books, ListenerLabels, Loss,
    incoming::{self, Report},
    quota::Quota,
};

/// What waits for the database at most, some 9 KiB each when texts are as long as they may be.
const QUEUE: usize = 1_024;
/// Reports of service checks that a sender may send in a minute. Only changes are written, so it is
/// about the processor.
const REPORTS_PER_MINUTE: u32 = 6_000;
/// How far in the past a line's time may lie, as for samples.
const BACKFILL_MS: i64 = 3_600_000;
/// How far in the future a time may lie, as for samples.
pub(crate) const AHEAD_MS: i64 = 600_000;

/// What goes through the queue.
#[derive(Debug)]
pub(crate) enum Incoming {
    Event(EventRow),
    Report(Report),
}

#[derive(Debug)]
struct Quotas {
    events: Quota,
    reports: Quota,
}

/// The readers' end of the queue.
#[derive(Debug)]
pub(crate) struct Intake {
    queue: mpsc::Sender<Incoming>,
    quotas: Mutex<Quotas>,
    books: Arc<Books>,
    clock: Arc<dyn Clock>,
}

impl Intake {
    /// An intake, and the other end of its queue. A sender may send `max_per_minute` events.
    pub(crate) fn new(
        max_per_minute: u32,
        clock: Arc<dyn Clock>,
        books: Arc<Books>,
    ) -> (Self, mpsc::Receiver<Incoming>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let quotas = Mutex::new(Quotas {
            events: Quota::new(max_per_minute),
            reports: Quota::new(REPORTS_PER_MINUTE),
        });
        (Self { queue, quotas, books, clock }, receiver)
    }

    /// What waits in the queue.
    pub(crate) fn depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Takes an event or a service check, or drops and counts it.
    pub(crate) fn accept(&self, extra: &Extra<'_>, sender: SourceId, listener: &ListenerLabels) {
        let now = self.clock.now();
        let result = self
            .read(extra, sender, listener, now)
            .and_then(|incoming| self.queue.try_send(incoming).map_err(|_| Loss::QueueFull));
        let Err(loss) = result else { return };
        if self.books.lose(loss, 1) == 0 {
            tracing::warn!(
                reason = loss.as_str(),
                "an event or a service check was dropped; more are only counted"
            );
        }
    }

    /// Limits come before anything is copied, so that a flood costs little.
    fn read(
        &self,
        extra: &Extra<'_>,
        sender: SourceId,
        listener: &ListenerLabels,
        now: Timestamp,
    ) -> Result<Incoming, Loss> {
        let mut quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        let is_allowed = match extra {
            Extra::Event(_) => quotas.events.take(sender, now),
            Extra::ServiceCheck(_) => quotas.reports.take(sender, now),
        };
        drop(quotas);
        if !is_allowed {
            return Err(Loss::RateLimit);
        }
        let (incoming, at, shortened) = match extra {
            Extra::Event(event) => {
                let read = incoming::event(event, listener, now)?;
                let at = read.item.at;
                (Incoming::Event(read.item), at, read.shortened)
            }
            Extra::ServiceCheck(check) => {
                let read = incoming::report(check, listener, now)?;
                let at = read.item.at;
                (Incoming::Report(read.item), at, read.shortened)
            }
        };
        if at < now - BACKFILL_MS {
            return Err(Loss::TooOld);
        }
        if at > now + AHEAD_MS {
            return Err(Loss::TooNew);
        }
        self.books.shortened.fetch_add(shortened, Ordering::Relaxed);
        Ok(incoming)
    }
}

#[cfg(test)]
mod tests;
