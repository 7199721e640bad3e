//! Frames, blocks and pages: the durable side of the time-series store.

use std::path::Path;

use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, sqlite::SqliteRow};

use crate::{
    error::{Attempt, DbError},
    sqlite::Pools,
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../../migrations/sqlite/samples");

/// SQLite allows 32,766 variables in a statement; a page list is cut well below that.
const PAGES_PER_READ: usize = 500;

/// One flush, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameRow {
    /// Its place in the order of commits; never used twice.
    pub seq: u64,
    /// The seal it belongs to.
    pub epoch: u64,
    /// The flush's timestamp.
    pub timestamp: i64,
    /// The encoded frame.
    pub bytes: Vec<u8>,
}

/// A block without its pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRow {
    /// Its identity.
    pub id: u64,
    /// 1 for a seal, 2 for a merged day.
    pub level: u32,
    /// Its oldest sample.
    pub min_time: i64,
    /// Its newest sample.
    pub max_time: i64,
    /// How many series it holds.
    pub series: u64,
    /// How many samples it holds.
    pub samples: u64,
    /// Its index: symbols, series, postings, chunks.
    pub toc: Vec<u8>,
}

/// A page of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// The block it belongs to.
    pub block: u64,
    /// Its number in the block, from 0.
    pub page: u32,
    /// Compressed chunks.
    pub bytes: Vec<u8>,
}

/// The durable side of the time-series store, on SQLite.
#[derive(Debug, Clone)]
pub struct Samples {
    pools: Pools,
}

impl Samples {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// When it cannot be opened, written or migrated.
    pub async fn open(path: &Path) -> Result<Self, DbError> {
        Ok(Self {
            pools: Pools::open(path, &MIGRATIONS).await?,
        })
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pools.close().await;
    }

    /// Commits one frame.
    ///
    /// # Errors
    /// When the commit failed; the frame is then not there.
    pub async fn append_frame(&self, frame: &FrameRow) -> Result<(), DbError> {
        sqlx::query("insert into frame (seq, epoch, timestamp, bytes) values (?, ?, ?, ?)")
            .bind(frame.seq as i64)
            .bind(frame.epoch as i64)
            .bind(frame.timestamp)
            .bind(&frame.bytes)
            .execute(&self.pools.write)
            .await
            .attempt("append a frame")?;
        Ok(())
    }

    /// Frames with a sequence number above `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn frames(&self, after: Option<u64>, limit: u32) -> Result<Vec<FrameRow>, DbError> {
        let rows = sqlx::query(
            "select seq, epoch, timestamp, bytes
               from frame
              where seq > ?
              order by seq
              limit ?",
        )
        .bind(after.map_or(-1, |seq| seq as i64))
        .bind(limit)
        .fetch_all(&self.pools.read)
        .await
        .attempt("read frames")?;
        Ok(rows.iter().map(frame_of).collect())
    }

    /// Adds a block with its pages and deletes the frames up to `frames_up_to`, inclusive.
    ///
    /// # Errors
    /// When the commit failed; then nothing changed.
    pub async fn seal(
        &self,
        block: &BlockRow,
        pages: &[PageRow],
        frames_up_to: u64,
    ) -> Result<(), DbError> {
        const ACTION: &str = "seal a block";
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        insert_block(&mut tx, block, pages).await.attempt(ACTION)?;
        sqlx::query("delete from frame where seq <= ?")
            .bind(frames_up_to as i64)
            .execute(&mut *tx)
            .await
            .attempt(ACTION)?;
        tx.commit().await.attempt(ACTION)
    }

    /// Puts one block in the place of others.
    ///
    /// # Errors
    /// When the commit failed; then nothing changed.
    pub async fn replace_blocks(
        &self,
        remove: &[u64],
        block: &BlockRow,
        pages: &[PageRow],
    ) -> Result<(), DbError> {
        const ACTION: &str = "replace blocks";
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        for id in remove {
            delete_block(&mut tx, *id).await.attempt(ACTION)?;
        }
        insert_block(&mut tx, block, pages).await.attempt(ACTION)?;
        tx.commit().await.attempt(ACTION)
    }

    /// Deletes a block and its pages; nothing happens when it is gone already.
    ///
    /// # Errors
    /// When the commit failed; then nothing changed.
    pub async fn delete_block(&self, id: u64) -> Result<(), DbError> {
        const ACTION: &str = "delete a block";
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        delete_block(&mut tx, id).await.attempt(ACTION)?;
        tx.commit().await.attempt(ACTION)
    }

    /// All blocks, oldest first.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn blocks(&self) -> Result<Vec<BlockRow>, DbError> {
        let rows = sqlx::query(
            "select id, level, min_time, max_time, series, samples, toc
               from block
              order by min_time, id",
        )
        .fetch_all(&self.pools.read)
        .await
        .attempt("read blocks")?;
        Ok(rows
            .iter()
            .map(|row| BlockRow {
                id: row.get::<i64, _>(0) as u64,
                level: row.get(1),
                min_time: row.get(2),
                max_time: row.get(3),
                series: row.get::<i64, _>(4) as u64,
                samples: row.get::<i64, _>(5) as u64,
                toc: row.get(6),
            })
            .collect())
    }

    /// Pages of a block by number, ascending; pages that are not there are left out.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn pages(&self, block: u64, pages: &[u32]) -> Result<Vec<PageRow>, DbError> {
        let mut found = Vec::with_capacity(pages.len());
        for part in pages.chunks(PAGES_PER_READ) {
            let mut query: QueryBuilder<Sqlite> =
                QueryBuilder::new("select page, bytes from page where block = ");
            query.push_bind(block as i64).push(" and page in (");
            let mut list = query.separated(", ");
            for page in part {
                list.push_bind(*page);
            }
            query.push(") order by page");
            let rows = query
                .build()
                .fetch_all(&self.pools.read)
                .await
                .attempt("read pages")?;
            found.extend(rows.iter().map(|row: &SqliteRow| PageRow {
                block,
                page: row.get(0),
                bytes: row.get(1),
            }));
        }
        Ok(found)
    }
}

fn frame_of(row: &SqliteRow) -> FrameRow {
    FrameRow {
        seq: row.get::<i64, _>(0) as u64,
        epoch: row.get::<i64, _>(1) as u64,
        timestamp: row.get(2),
        bytes: row.get(3),
    }
}

async fn insert_block(
    connection: &mut SqliteConnection,
    block: &BlockRow,
    pages: &[PageRow],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into block (id, level, min_time, max_time, series, samples, toc)
         values (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(block.id as i64)
    .bind(block.level)
    .bind(block.min_time)
    .bind(block.max_time)
    .bind(block.series as i64)
    .bind(block.samples as i64)
    .bind(&block.toc)
    .execute(&mut *connection)
    .await?;
    for page in pages {
        sqlx::query("insert into page (block, page, bytes) values (?, ?, ?)")
            .bind(block.id as i64)
            .bind(page.page)
            .bind(&page.bytes)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn delete_block(connection: &mut SqliteConnection, id: u64) -> Result<(), sqlx::Error> {
    // The pages go with their block through the foreign key.
    sqlx::query("delete from block where id = ?")
        .bind(id as i64)
        .execute(connection)
        .await?;
    Ok(())
}
