//! An outbox in memory that can break at chosen moments.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use model::Timestamp;
use uuid::Uuid;

use super::{NewRow, OutboxStats, OutboxStore, Row, StoreError, StoreFuture};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    Waiting,
    Leased(Timestamp),
    Sent(Option<String>),
    Dead(String),
}

#[derive(Debug, Default)]
pub(crate) struct MemoryOutbox {
    rows: Mutex<BTreeMap<Uuid, (Row, State)>>,
    /// How many of the next marks fail as if the process had died before them.
    failing_marks: Mutex<usize>,
}

impl MemoryOutbox {
    pub(crate) fn insert(&self, row: NewRow) {
        let row = Row {
            id: row.id,
            destination: row.destination,
            kind: row.kind,
            dedup_key: row.dedup_key,
            seq: row.seq,
            payload: row.payload,
            attempts: 0,
            next_at: row.created_at,
            created_at: row.created_at,
        };
        self.rows.lock().unwrap().insert(row.id, (row, State::Waiting));
    }

    pub(crate) fn fail_next_marks(&self, count: usize) {
        *self.failing_marks.lock().unwrap() = count;
    }

    /// The rows in order of destination, key and number.
    pub(crate) fn rows(&self) -> Vec<(Row, State)> {
        let mut rows: Vec<_> = self.rows.lock().unwrap().values().cloned().collect();
        rows.sort_by_key(|(r, _)| (r.destination.clone(), r.dedup_key.clone(), r.seq));
        rows
    }

    fn mark(&self, id: Uuid, change: impl FnOnce(&mut (Row, State))) -> Result<(), StoreError> {
        let mut failing = self.failing_marks.lock().unwrap();
        if *failing > 0 {
            *failing -= 1;
            return Err(StoreError("marking a row: the process died".to_owned()));
        }
        change(self.rows.lock().unwrap().get_mut(&id).expect("marked rows exist"));
        Ok(())
    }
}

impl OutboxStore for MemoryOutbox {
    fn lease(
        &self,
        now: Timestamp,
        limit: usize,
        lease_for: Duration,
    ) -> StoreFuture<'_, Vec<Row>> {
        let mut rows = self.rows.lock().unwrap();
        let open = |state: &State| matches!(state, State::Waiting | State::Leased(_));
        let mut first: BTreeMap<(String, String), (i64, Uuid)> = BTreeMap::new();
        for (row, _) in rows.values().filter(|(_, state)| open(state)) {
            let entry = first
                .entry((row.destination.clone(), row.dedup_key.clone()))
                .or_insert((row.seq, row.id));
            *entry = (*entry).min((row.seq, row.id));
        }
        let until = now + lease_for.as_millis() as i64;
        let mut leased = Vec::new();
        for (_, id) in first.values() {
            let (row, state) = rows.get_mut(id).expect("found above");
            let is_free = match state {
                State::Waiting => row.next_at <= now,
                State::Leased(until) => *until <= now,
                State::Sent(_) | State::Dead(_) => false,
            };
            if is_free && leased.len() < limit {
                *state = State::Leased(until);
                leased.push(row.clone());
            }
        }
        Box::pin(async { Ok(leased) })
    }

    fn done(&self, id: Uuid, _: Timestamp, provider_ref: Option<String>) -> StoreFuture<'_, ()> {
        let result = self.mark(id, |(_, state)| *state = State::Sent(provider_ref));
        Box::pin(async { result })
    }

    fn retry(&self, id: Uuid, next_at: Timestamp, _error: String) -> StoreFuture<'_, ()> {
        let result = self.mark(id, |(row, state)| {
            row.attempts += 1;
            row.next_at = next_at;
            *state = State::Waiting;
        });
        Box::pin(async { result })
    }

    fn dead(&self, id: Uuid, _: Timestamp, error: String) -> StoreFuture<'_, ()> {
        let result = self.mark(id, |(_, state)| *state = State::Dead(error));
        Box::pin(async { result })
    }

    fn stats(&self) -> StoreFuture<'_, OutboxStats> {
        let rows = self.rows();
        let waiting =
            || rows.iter().filter(|(_, s)| matches!(s, State::Waiting | State::Leased(_)));
        let stats = OutboxStats {
            waiting: waiting().count() as u64,
            dead: rows.iter().filter(|(_, s)| matches!(s, State::Dead(_))).count() as u64,
            oldest_waiting: waiting().map(|(row, _)| row.created_at).min(),
        };
        Box::pin(async move { Ok(stats) })
    }
}
