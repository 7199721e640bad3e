//! The pages of a PostgreSQL database by day: each day is a partition, made ahead and dropped as a whole.
//!
//! The day is in the key of a block, `key >> 46` in days since 1970, so the pages of a block are in one
//! partition and a read needs no other. On SQLite there are no partitions and nothing here does anything.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use crate::{
    Samples,
    error::{Attempt, DbError},
    sql::{Engine, query},
};

const DAY_SHIFT: u32 = 46;
const DAY_MS: i64 = 86_400_000;
/// A row of this level has no pages.
const LEVEL_OF_NOTES: i64 = 0;
/// Rows of higher levels are rollups.
const LAST_LEVEL_OF_SAMPLES: i64 = 2;
/// Any number that nothing else takes as the key of a lock.
const LOCK: i64 = 0x0042_454c_4c57_4554;

/// What is known of the partitions, in days since 1970.
#[derive(Debug, Default)]
pub(crate) struct Days {
    made: Mutex<BTreeSet<i64>>,
    /// The pages of this day and of those before go with their partitions; 0 before that is known.
    expiring: AtomicI64,
}

impl Days {
    fn made(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the day of a block is as old as samples may become.
    fn is_expiring(&self, block: u64) -> bool {
        (1..=self.expiring.load(Ordering::Relaxed)).contains(&day_of(block))
    }
}

/// The day of a block's key, in days since 1970.
fn day_of(block: u64) -> i64 {
    (block >> DAY_SHIFT) as i64
}

/// Keys of blocks below this one belong to days before `day`.
fn first_block(day: i64) -> i64 {
    day << DAY_SHIFT
}

impl Samples {
    /// Makes room for the pages of the day of `now` and of the day after, in milliseconds since 1970.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_days_ahead(&self, now: i64) -> Result<(), DbError> {
        let today = now.div_euclid(DAY_MS);
        for day in [today, today + 1] {
            self.make_day(day).await.attempt("make a partition for pages")?;
        }
        Ok(())
    }

    /// Makes room for the pages of blocks.
    pub(crate) async fn make_days(
        &self,
        blocks: impl Iterator<Item = u64>,
    ) -> Result<(), sqlx::Error> {
        let mut last = None;
        for day in blocks.map(day_of) {
            if last.replace(day) != Some(day) {
                self.make_day(day).await?;
            }
        }
        Ok(())
    }

    /// Whether the pages of a block that is gone are left to their day. A day that holds rollups, which stay
    /// longer than samples, does not go with these.
    pub(crate) async fn goes_with_its_day(&self, block: u64) -> Result<bool, sqlx::Error> {
        if !self.days.is_expiring(block) {
            return Ok(false);
        }
        let day = day_of(block);
        let rollups =
            query("select exists (select 1 from block where id >= $1 and id < $2 and level > $3)")
                .bind(first_block(day))
                .bind(first_block(day + 1))
                .bind(LAST_LEVEL_OF_SAMPLES)
                .fetch_one(&self.pools.read)
                .await?;
        Ok(!rollups.get::<bool>(0))
    }

    async fn make_day(&self, day: i64) -> Result<(), sqlx::Error> {
        let is_partitioned = self.pools.write.engine() == Engine::Postgres && day > 0;
        if !is_partitioned || self.days.made().contains(&day) {
            return Ok(());
        }
        let mut tx = self.pools.write.begin().await?;
        query("select pg_advisory_xact_lock($1)").bind(LOCK).fetch_all(&mut tx).await?;
        let found = query("select to_regclass($1) is not null").bind(format!("page_{day}"));
        if !found.fetch_one(&mut tx).await?.get::<bool>(0) {
            // Attached, not created as a partition: that would lock out all readers.
            query(&format!("create table page_{day} (like page including all)"))
                .execute(&mut tx)
                .await?;
            query(&format!(
                "alter table page attach partition page_{day} for values from ({}) to ({})",
                first_block(day),
                first_block(day + 1),
            ))
            .execute(&mut tx)
            .await?;
        }
        tx.commit().await?;
        self.days.made().insert(day);
        Ok(())
    }

    /// Drops the days all of whose blocks are gone, among those before the day before `bound`, in
    /// milliseconds since 1970: the time from which on samples are kept. The pages of single blocks that
    /// are as old are left to this from now on. Returns how many days were dropped.
    ///
    /// # Errors
    /// When the database fails, or readers did not let go of a day in time; then it is dropped later.
    pub async fn drop_days(&self, bound: i64) -> Result<u64, DbError> {
        const ACTION: &str = "drop a partition of pages";
        if self.pools.write.engine() == Engine::Sqlite {
            return Ok(0);
        }
        let expiring = bound.div_euclid(DAY_MS);
        self.days.expiring.store(expiring, Ordering::Relaxed);
        let rows = query(
            "select substr(c.relname, 6)
               from pg_inherits i
               join pg_class c on c.oid = i.inhrelid
              where i.inhparent = 'page'::regclass
                and c.relname ~ '^page_[0-9]+$'
              order by 1",
        )
        .fetch_all(&self.pools.read)
        .await
        .attempt(ACTION)?;
        let days = rows.iter().filter_map(|row| row.get::<String>(0).parse().ok());
        let mut dropped = 0;
        for day in days.filter(|day| *day < expiring - 1) {
            dropped += u64::from(self.drop_day(day).await.attempt(ACTION)?);
        }
        Ok(dropped)
    }

    async fn drop_day(&self, day: i64) -> Result<bool, sqlx::Error> {
        let mut tx = self.pools.write.begin().await?;
        query("select pg_advisory_xact_lock($1)").bind(LOCK).fetch_all(&mut tx).await?;
        let used =
            query("select exists (select 1 from block where id >= $1 and id < $2 and level > $3)");
        let used = used
            .bind(first_block(day))
            .bind(first_block(day + 1))
            .bind(LEVEL_OF_NOTES)
            .fetch_one(&mut tx)
            .await?;
        if used.get(0) {
            return Ok(false);
        }
        // Whoever reads or writes pages waits behind this, so it does not wait long itself.
        query("set local lock_timeout = '200ms'").execute(&mut tx).await?;
        query(&format!("drop table if exists page_{day}")).execute(&mut tx).await?;
        tx.commit().await?;
        self.days.made().remove(&day);
        Ok(true)
    }
}
