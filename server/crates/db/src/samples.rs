//! Frames, blocks and pages: the durable side of the time-series store.
//!
//! Every verb can be repeated: rows with the same key are replaced, and removing what is not there
//! succeeds.

use std::{path::Path, sync::Arc};

use crate::{
    Lease,
    days::Days,
    error::{Attempt, DbError},
    postgres::{self, Address},
    salvage,
    sql::{Engine, Pools, Row, Target, Transaction, query},
    sqlite,
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../../migrations/sqlite/samples");

/// SQLite allows 32,766 variables in a statement; a page list is cut well below that.
const PAGES_PER_READ: usize = 500;

/// Pages written or deleted in one transaction: at about 128 KiB each, 8 MiB hold the writer for some
/// tens of milliseconds.
const PAGES_PER_WRITE: usize = 64;

/// Frames deleted in one transaction have at most so many bytes, which is some 50 ms, unless it is one,
const BYTES_PER_DELETE: u64 = 8 << 20;
/// and there are at most so many of them.
const FRAMES_PER_DELETE: u32 = 1_000;

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

/// The durable side of the time-series store, as one node sees it: frames and blocks are those it wrote.
#[derive(Debug, Clone)]
pub struct Samples {
    pub(crate) pools: Pools,
    /// Where the database is; `None` for a file.
    pub(crate) address: Option<Address>,
    pub(crate) node: u64,
    /// Shown with each write where several processes may write.
    pub(crate) lease: Option<Lease>,
    pub(crate) days: Arc<Days>,
}

impl Samples {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// When it cannot be opened, written or migrated.
    pub async fn open(path: &Path) -> Result<Self, DbError> {
        Ok(Self::new(sqlite::open(path, &MIGRATIONS).await?, None))
    }

    /// Opens a file as it is now, to read it only, whether a server runs on it or not. Verbs that write
    /// fail.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open_snapshot(path: &Path) -> Result<Self, DbError> {
        Ok(Self::new(sqlite::open_snapshot(path).await?, None))
    }

    /// Connects to a PostgreSQL database, which may hold the other stores too.
    ///
    /// # Errors
    /// When it cannot be reached or migrated.
    pub async fn connect(address: &Address) -> Result<Self, DbError> {
        let migrations = sqlx::migrate!("../../../migrations/postgres/samples");
        let pools = postgres::open(address, migrations, "migration_samples").await?;
        Ok(Self::new(pools, Some(address.clone())))
    }

    /// Whether other processes may write to the same database.
    pub fn is_shared(&self) -> bool {
        self.address.is_some()
    }

    fn new(pools: Pools, address: Option<Address>) -> Self {
        Self { pools, address, node: 0, lease: None, days: Arc::default() }
    }

    /// Begins a transaction that fails when another process took over the node.
    pub(crate) async fn begin(&self, action: &'static str) -> Result<Transaction, DbError> {
        match &self.lease {
            Some(lease) => self.pools.write.begin_with(lease, action).await,
            None => self.pools.write.begin().await.attempt(action),
        }
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
        const ACTION: &str = "append a frame";
        let mut tx = self.begin(ACTION).await?;
        query(
            "insert into frame (node, seq, epoch, timestamp, bytes)
             values ($1, $2, $3, $4, $5)
             on conflict (node, seq) do update
                set epoch = excluded.epoch,
                    timestamp = excluded.timestamp,
                    bytes = excluded.bytes",
        )
        .bind(self.node)
        .bind(frame.seq)
        .bind(frame.epoch)
        .bind(frame.timestamp)
        .bind(&frame.bytes)
        .execute(&mut tx)
        .await
        .attempt(ACTION)?;
        self.announce(&mut tx).await.attempt(ACTION)?;
        tx.commit().await.attempt(ACTION)
    }

    /// Frames with a sequence number above `after`, ascending, at most `limit`. Those that a file has and
    /// that are damaged have no bytes.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn frames(&self, after: u64, limit: u32) -> Result<Vec<FrameRow>, DbError> {
        let frames = frames_of(&self.pools.read, self.node, after, limit).await;
        if salvage::is_worthwhile(&self.pools.read, &frames) {
            return salvage::frames(&self.pools.read, after, limit).await.attempt("read frames");
        }
        frames.attempt("read frames")
    }

    /// Writes pages whose block has no row yet, in transactions of bounded size.
    ///
    /// # Errors
    /// When not all pages were written.
    pub async fn stage_pages(&self, pages: &[PageRow]) -> Result<(), DbError> {
        const ACTION: &str = "write pages";
        for part in pages.chunks(PAGES_PER_WRITE) {
            self.make_days(part.iter().map(|page| page.block)).await.attempt(ACTION)?;
            let mut tx = self.begin(ACTION).await?;
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
        let mut tx = self.begin(ACTION).await?;
        for id in remove {
            query("delete from block where id = $1 and node = $2")
                .bind(*id)
                .bind(self.node)
                .execute(&mut tx)
                .await
                .attempt(ACTION)?;
        }
        if let Some(block) = add {
            insert_block(&mut tx, self.node, block).await.attempt(ACTION)?;
        }
        self.delete_frames(&mut tx, frames_up_to).await.attempt(ACTION)?;
        self.announce(&mut tx).await.attempt(ACTION)?;
        tx.commit().await.attempt(ACTION)
    }

    /// Deletes the oldest of the frames up to `up_to`, inclusive, as many as one transaction should: to
    /// free a frame every page of it is read. Returns whether there may be more. A frame that is damaged in
    /// a file cannot be deleted and stays.
    ///
    /// # Errors
    /// When frames may be left that it should have deleted.
    pub async fn delete_some_frames(&self, up_to: u64) -> Result<bool, DbError> {
        const ACTION: &str = "delete frames";
        let sizes = query(
            "select seq, cast(length(bytes) as bigint)
               from frame
              where node = $1
                and seq <= $2
              order by seq
              limit $3",
        )
        .bind(self.node)
        .bind(up_to)
        .bind(FRAMES_PER_DELETE)
        .fetch_all(&self.pools.read)
        .await
        .attempt(ACTION)?;
        let mut bytes = 0;
        let mut last = None;
        for row in &sizes {
            bytes += row.get::<u64>(1);
            if last.is_some() && bytes > BYTES_PER_DELETE {
                break;
            }
            last = Some(row.get::<u64>(0));
        }
        let Some(last) = last else { return Ok(false) };
        let mut tx = self.begin(ACTION).await?;
        let deleted = self.delete_frames(&mut tx, last).await;
        if salvage::is_worthwhile(&self.pools.write, &deleted) {
            drop(tx);
            let seqs = sizes.iter().map(|row| row.get::<u64>(0)).filter(|seq| *seq <= last);
            return self.delete_each(seqs).await;
        }
        deleted.attempt(ACTION)?;
        self.announce(&mut tx).await.attempt(ACTION)?;
        tx.commit().await.attempt(ACTION)?;
        Ok(last < up_to)
    }

    /// Deletes frames of a file that is damaged, as far as they can be. Returns whether any was.
    async fn delete_each(&self, seqs: impl Iterator<Item = u64>) -> Result<bool, DbError> {
        let mut has_deleted = false;
        for seq in seqs {
            let deleted = query("delete from frame where node = 0 and seq = $1")
                .bind(seq)
                .execute(&self.pools.write)
                .await;
            has_deleted |= deleted.is_ok();
            if !salvage::is_worthwhile(&self.pools.write, &deleted) {
                deleted.attempt("delete frames")?;
            }
        }
        Ok(has_deleted)
    }

    /// Deletes the frames of this node up to one, inclusive, whose number is never given again.
    async fn delete_frames(&self, tx: &mut Transaction, up_to: u64) -> Result<(), sqlx::Error> {
        query("delete from frame where node = $1 and seq <= $2")
            .bind(self.node)
            .bind(up_to)
            .execute(&mut *tx)
            .await?;
        query("update node set deleted_frame = $1 where number = $2 and deleted_frame < $3")
            .bind(up_to)
            .bind(self.node)
            .bind(up_to)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// All blocks, ascending by id. Those that a file has and that are damaged have no index.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn blocks(&self) -> Result<Vec<BlockRow>, DbError> {
        let rows = query(
            "select id, level, min_time, max_time, series, samples, page_bytes, toc
               from block
              where node = $1
              order by id",
        )
        .bind(self.node)
        .fetch_all(&self.pools.read)
        .await;
        if salvage::is_worthwhile(&self.pools.read, &rows) {
            return salvage::blocks(&self.pools.read).await.attempt("read blocks");
        }
        Ok(rows.attempt("read blocks")?.iter().map(block_of).collect())
    }

    /// Pages of a block by number, ascending; pages that are not there are left out.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn pages(&self, block: u64, pages: &[u32]) -> Result<Vec<PageRow>, DbError> {
        let mut found = Vec::with_capacity(pages.len());
        for part in pages.chunks(PAGES_PER_READ) {
            let mut query = query("select page, bytes from page where block = ");
            query.push_bind(block).push(" and page in (").push_list(part.iter().copied());
            query.push(") order by page");
            let rows = query.fetch_all(&self.pools.read).await.attempt("read pages")?;
            found.extend(rows.iter().map(|row| PageRow {
                block,
                page: row.get(0),
                bytes: row.get(1),
            }));
        }
        Ok(found)
    }

    /// Deletes the pages of a block, in transactions of bounded size; nothing when a whole day goes soon,
    /// see [`Samples::drop_days`]. Pages that are damaged in a file cannot all be deleted: returns the
    /// numbers of those that stay, ascending.
    ///
    /// # Errors
    /// When pages may be left that it should have deleted.
    pub async fn delete_pages(&self, block: u64) -> Result<Vec<u32>, DbError> {
        const ACTION: &str = "delete pages";
        if self.goes_with_its_day(block).await.attempt(ACTION)? {
            return Ok(Vec::new());
        }
        loop {
            let mut tx = self.begin(ACTION).await?;
            let deleted = query(
                "delete from page
                  where block = $1
                    and page in (select page from page where block = $2 order by page limit $3)",
            )
            .bind(block)
            .bind(block)
            .bind(PAGES_PER_WRITE as u64)
            .execute(&mut tx)
            .await;
            if salvage::is_worthwhile(&self.pools.write, &deleted) {
                drop(tx);
                return salvage::delete_pages(&self.pools, block).await.attempt(ACTION);
            }
            let deleted = deleted.attempt(ACTION)?;
            tx.commit().await.attempt(ACTION)?;
            if deleted == 0 {
                return Ok(Vec::new());
            }
        }
    }

    /// The ids of all blocks that have pages, with or without a row, ascending.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn blocks_with_pages(&self) -> Result<Vec<u64>, DbError> {
        let mut distinct = query("select distinct block from page");
        if self.pools.read.engine() == Engine::Postgres {
            // The node is in the key; pages from before there were nodes are those of number 0.
            distinct.push(" where (block >> 30) & 65535 = ").push_bind(self.node);
        }
        distinct.push(" order by block");
        let rows = distinct.fetch_all(&self.pools.read).await;
        if salvage::is_worthwhile(&self.pools.read, &rows) {
            let blocks = salvage::blocks_with_pages(&self.pools.read).await;
            return blocks.attempt("list blocks with pages");
        }
        let rows = rows.attempt("list blocks with pages")?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

async fn insert_block(
    tx: &mut Transaction,
    node: u64,
    block: &BlockRow,
) -> Result<(), sqlx::Error> {
    query(
        "insert into block (id, level, min_time, max_time, series, samples, page_bytes, toc, node)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (id) do update
            set level = excluded.level,
                min_time = excluded.min_time,
                max_time = excluded.max_time,
                series = excluded.series,
                samples = excluded.samples,
                page_bytes = excluded.page_bytes,
                toc = excluded.toc",
    )
    .bind(block.id)
    .bind(block.level)
    .bind(block.min_time)
    .bind(block.max_time)
    .bind(block.series)
    .bind(block.samples)
    .bind(block.page_bytes)
    .bind(&block.toc)
    .bind(node)
    .execute(tx)
    .await?;
    Ok(())
}

async fn insert_page(tx: &mut Transaction, page: &PageRow) -> Result<(), sqlx::Error> {
    query(
        "insert into page (block, page, bytes)
         values ($1, $2, $3)
         on conflict (block, page) do update set bytes = excluded.bytes",
    )
    .bind(page.block)
    .bind(page.page)
    .bind(&page.bytes)
    .execute(tx)
    .await?;
    Ok(())
}

/// Frames of a node with a sequence number above `after`, ascending, at most `limit`.
pub(crate) async fn frames_of(
    on: impl Into<Target<'_>>,
    node: u64,
    after: u64,
    limit: u32,
) -> Result<Vec<FrameRow>, sqlx::Error> {
    let rows = query(
        "select seq, epoch, timestamp, bytes
           from frame
          where node = $1
            and seq > $2
          order by seq
          limit $3",
    )
    .bind(node)
    .bind(after)
    .bind(limit)
    .fetch_all(on)
    .await?;
    Ok(rows.iter().map(frame_of).collect())
}

fn frame_of(row: &Row) -> FrameRow {
    FrameRow { seq: row.get(0), epoch: row.get(1), timestamp: row.get(2), bytes: row.get(3) }
}

pub(crate) fn block_of(row: &Row) -> BlockRow {
    BlockRow {
        id: row.get(0),
        level: row.get(1),
        min_time: row.get(2),
        max_time: row.get(3),
        series: row.get(4),
        samples: row.get(5),
        page_bytes: row.get(6),
        toc: row.get(7),
    }
}
