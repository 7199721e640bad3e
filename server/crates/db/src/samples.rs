//! Frames, blocks and pages: the durable side of the time-series store.
//!
//! Every verb can be repeated: rows with the same key are replaced, and removing what is not there
//! succeeds.

use std::path::Path;

use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, sqlite::SqliteRow};

use crate::{
    error::{Attempt, DbError},
    sqlite::Pools,
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../../migrations/sqlite/samples");

/// SQLite allows 32,766 variables in a statement; a page list is cut well below that.
const PAGES_PER_READ: usize = 500;

/// Pages written or deleted in one transaction: at about 128 KiB each, 8 MiB hold the writer for some
/// tens of milliseconds.
const PAGES_PER_WRITE: usize = 64;

/// One flush, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameRow {
    /// Its place in the order of commits.
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
    /// How many bytes its pages have.
    pub page_bytes: u64,
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
        Ok(Self { pools: Pools::open(path, &MIGRATIONS).await? })
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pools.close().await;
    }

    /// Commits one frame.
    ///
    /// # Errors
    /// When the frame may not be on disk.
    pub async fn append_frame(&self, frame: &FrameRow) -> Result<(), DbError> {
        sqlx::query(
            "insert or replace into frame (seq, epoch, timestamp, bytes) values (?, ?, ?, ?)",
        )
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
    pub async fn frames(&self, after: u64, limit: u32) -> Result<Vec<FrameRow>, DbError> {
        let rows = sqlx::query(
            "select seq, epoch, timestamp, bytes
               from frame
              where seq > ?
              order by seq
              limit ?",
        )
        .bind(after as i64)
        .bind(limit)
        .fetch_all(&self.pools.read)
        .await
        .attempt("read frames")?;
        Ok(rows.iter().map(frame_of).collect())
    }

    /// Writes pages whose block has no row yet, in transactions of bounded size.
    ///
    /// # Errors
    /// When not all pages were written.
    pub async fn stage_pages(&self, pages: &[PageRow]) -> Result<(), DbError> {
        const ACTION: &str = "write pages";
        for part in pages.chunks(PAGES_PER_WRITE) {
            let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
            for page in part {
                insert_page(&mut tx, page).await.attempt(ACTION)?;
            }
            tx.commit().await.attempt(ACTION)?;
        }
        Ok(())
    }

    /// Adds a block, removes the rows of others and deletes the frames up to `frames_up_to`, inclusive:
    /// one transaction.
    ///
    /// # Errors
    /// When the change may not have happened.
    pub async fn change_blocks(
        &self,
        add: Option<&BlockRow>,
        remove: &[u64],
        frames_up_to: u64,
    ) -> Result<(), DbError> {
        const ACTION: &str = "change the set of blocks";
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        for id in remove {
            sqlx::query("delete from block where id = ?")
                .bind(*id as i64)
                .execute(&mut *tx)
                .await
                .attempt(ACTION)?;
        }
        if let Some(block) = add {
            insert_block(&mut tx, block).await.attempt(ACTION)?;
        }
        sqlx::query("delete from frame where seq <= ?")
            .bind(frames_up_to as i64)
            .execute(&mut *tx)
            .await
            .attempt(ACTION)?;
        tx.commit().await.attempt(ACTION)
    }

    /// All blocks, ascending by id.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn blocks(&self) -> Result<Vec<BlockRow>, DbError> {
        let rows = sqlx::query(
            "select id, level, min_time, max_time, series, samples, page_bytes, toc
               from block
              order by id",
        )
        .fetch_all(&self.pools.read)
        .await
        .attempt("read blocks")?;
        Ok(rows.iter().map(block_of).collect())
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
            let rows = query.build().fetch_all(&self.pools.read).await.attempt("read pages")?;
            found.extend(rows.iter().map(|row: &SqliteRow| PageRow {
                block,
                page: row.get(0),
                bytes: row.get(1),
            }));
        }
        Ok(found)
    }

    /// Deletes the pages of a block, in transactions of bounded size.
    ///
    /// # Errors
    /// When pages may be left.
    pub async fn delete_pages(&self, block: u64) -> Result<(), DbError> {
        loop {
            let done = sqlx::query(
                "delete from page
                  where block = ?
                    and page in (select page from page where block = ? order by page limit ?)",
            )
            .bind(block as i64)
            .bind(block as i64)
            .bind(PAGES_PER_WRITE as i64)
            .execute(&self.pools.write)
            .await
            .attempt("delete pages")?;
            if done.rows_affected() == 0 {
                return Ok(());
            }
        }
    }

    /// The ids of all blocks that have pages, with or without a row, ascending.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn blocks_with_pages(&self) -> Result<Vec<u64>, DbError> {
        let ids: Vec<i64> = sqlx::query_scalar("select distinct block from page order by block")
            .fetch_all(&self.pools.read)
            .await
            .attempt("list blocks with pages")?;
        Ok(ids.into_iter().map(|id| id as u64).collect())
    }
}

async fn insert_block(
    connection: &mut SqliteConnection,
    block: &BlockRow,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert or replace into block (id, level, min_time, max_time, series, samples, page_bytes, toc)
         values (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(block.id as i64)
    .bind(block.level)
    .bind(block.min_time)
    .bind(block.max_time)
    .bind(block.series as i64)
    .bind(block.samples as i64)
    .bind(block.page_bytes as i64)
    .bind(&block.toc)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_page(connection: &mut SqliteConnection, page: &PageRow) -> Result<(), sqlx::Error> {
    sqlx::query("insert or replace into page (block, page, bytes) values (?, ?, ?)")
        .bind(page.block as i64)
        .bind(page.page)
        .bind(&page.bytes)
        .execute(connection)
        .await?;
    Ok(())
}

fn frame_of(row: &SqliteRow) -> FrameRow {
    FrameRow {
        seq: row.get::<i64, _>(0) as u64,
        epoch: row.get::<i64, _>(1) as u64,
        timestamp: row.get(2),
        bytes: row.get(3),
    }
}

fn block_of(row: &SqliteRow) -> BlockRow {
    BlockRow {
        id: row.get::<i64, _>(0) as u64,
        level: row.get(1),
        min_time: row.get(2),
        max_time: row.get(3),
        series: row.get::<i64, _>(4) as u64,
        samples: row.get::<i64, _>(5) as u64,
        page_bytes: row.get::<i64, _>(6) as u64,
        toc: row.get(7),
    }
}
