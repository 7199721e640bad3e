//! Reading what can be read of tables in a SQLite file that is damaged.
//!
//! A damaged place makes a statement fail that touches it, and with it everything else that the statement
//! asks for. Here rows are reached one by one, from either end of a table, and those that cannot be read
//! are handed over without their bytes: who reads them finds that they are damaged and names them.

use crate::{
    error::is_torn,
    samples::{BlockRow, FrameRow},
    sql::{Engine, Pool, Pools, query},
};

/// A table of which rows are reached by a key.
#[derive(Debug, Clone, Copy)]
struct Table<'a> {
    name: &'static str,
    /// Which of its rows are meant, before the condition on the key: empty, or ending with `and`.
    within: &'a str,
    key: &'static str,
}

/// The key of frames begins with the node, which is the same for all in a file.
const FRAMES: Table<'_> = Table { name: "frame", within: "node = 0 and", key: "seq" };
const BLOCKS: Table<'_> = Table { name: "block", within: "", key: "id" };
const BLOCKS_WITH_PAGES: Table<'_> = Table { name: "page", within: "", key: "block" };

/// Whether a statement failed on a damaged place of a file, so that it is worth going around it.
pub(crate) fn is_worthwhile<T>(pool: &Pool, result: &Result<T, sqlx::Error>) -> bool {
    pool.engine() == Engine::Sqlite && result.as_ref().is_err_and(is_torn)
}

/// Frames with a sequence number above `after`, ascending, at most `limit`.
pub(crate) async fn frames(
    pool: &Pool,
    after: u64,
    limit: u32,
) -> Result<Vec<FrameRow>, sqlx::Error> {
    let mut seqs = keys(pool, FRAMES, after as i64).await?;
    seqs.truncate(limit as usize);
    let mut frames = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let head = query("select epoch, timestamp from frame where node = 0 and seq = $1");
        let head = readable(head.bind(seq).fetch_one(pool).await)?;
        let bytes = query("select bytes from frame where node = 0 and seq = $1");
        let bytes = readable(bytes.bind(seq).fetch_one(pool).await)?;
        let (epoch, timestamp) = head.map_or((0, 0), |row| (row.get(0), row.get(1)));
        let bytes = bytes.map(|row| row.get(0)).unwrap_or_default();
        frames.push(FrameRow { seq, epoch, timestamp, bytes });
    }
    Ok(frames)
}

/// All blocks, ascending by id.
pub(crate) async fn blocks(pool: &Pool) -> Result<Vec<BlockRow>, sqlx::Error> {
    let mut blocks = Vec::new();
    for id in keys(pool, BLOCKS, -1).await? {
        let head = query(
            "select level, min_time, max_time, series, samples, page_bytes
               from block
              where id = $1",
        );
        let head = readable(head.bind(id).fetch_one(pool).await)?;
        let toc = query("select toc from block where id = $1");
        let toc = readable(toc.bind(id).fetch_one(pool).await)?;
        let toc = toc.map(|row| row.get(0)).unwrap_or_default();
        blocks.push(match head {
            Some(row) => BlockRow {
                id,
                level: row.get(0),
                min_time: row.get(1),
                max_time: row.get(2),
                series: row.get(3),
                samples: row.get(4),
                page_bytes: row.get(5),
                toc,
            },
            // Nobody knows what it holds, so it may concern every query.
            None => BlockRow {
                id,
                level: 1,
                min_time: i64::MIN,
                max_time: i64::MAX,
                series: 0,
                samples: 0,
                page_bytes: 0,
                toc,
            },
        });
    }
    Ok(blocks)
}

/// The blocks that have pages, ascending.
pub(crate) async fn blocks_with_pages(pool: &Pool) -> Result<Vec<u64>, sqlx::Error> {
    keys(pool, BLOCKS_WITH_PAGES, -1).await
}

/// A row, or nothing when it is damaged.
fn readable<T>(row: Result<T, sqlx::Error>) -> Result<Option<T>, sqlx::Error> {
    match row {
        Ok(row) => Ok(Some(row)),
        Err(error) if is_torn(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes the pages of a block one by one and returns the numbers of those that cannot be deleted,
/// ascending. Where pages cannot even be listed, the first number of the gap stands for all of it.
pub(crate) async fn delete_pages(pools: &Pools, block: u64) -> Result<Vec<u32>, sqlx::Error> {
    let within = format!("block = {block} and");
    let table = Table { name: "page", within: &within, key: "page" };
    let Keys { up, down, has_gap } = reach(&pools.write, table, -1).await?;
    let mut left: Vec<u32> = Vec::new();
    if has_gap {
        left.push(up.last().map_or(0, |last| *last as u32 + 1));
    }
    for page in up.into_iter().chain(down) {
        let delete = query("delete from page where block = $1 and page = $2");
        let deleted = delete.bind(block).bind(page).execute(&pools.write).await;
        if readable(deleted)?.is_none() {
            left.push(page as u32);
        }
    }
    left.sort_unstable();
    Ok(left)
}

/// The different keys above `after`, ascending.
async fn keys(pool: &Pool, table: Table<'_>, after: i64) -> Result<Vec<u64>, sqlx::Error> {
    let Keys { mut up, down, has_gap: _ } = reach(pool, table, after).await?;
    up.extend(down);
    Ok(up)
}

/// The different keys of a table, those before a damaged place and those after it, both ascending.
#[derive(Debug, Default)]
struct Keys {
    up: Vec<u64>,
    down: Vec<u64>,
    /// There is a damaged place.
    has_gap: bool,
}

/// Reaches keys above `after` from the first one up to a damaged place, and from the last one down to it.
async fn reach(pool: &Pool, table: Table<'_>, after: i64) -> Result<Keys, sqlx::Error> {
    let Table { name, within, key } = table;
    let up = format!("select {key} from {name} where {within} {key} > $1 order by {key} limit 1");
    let down =
        format!("select {key} from {name} where {within} {key} < $1 order by {key} desc limit 1");
    let mut keys = Keys::default();
    let mut last = after;
    loop {
        match readable(query(&up).bind(last).fetch_optional(pool).await)? {
            Some(Some(row)) => last = row.get(0),
            Some(None) => return Ok(keys),
            None => break,
        }
        keys.up.push(last as u64);
    }
    keys.has_gap = true;
    let mut first = i64::MAX;
    while let Some(Some(row)) = readable(query(&down).bind(first).fetch_optional(pool).await)? {
        first = row.get(0);
        if first <= last {
            break;
        }
        keys.down.push(first as u64);
    }
    keys.down.reverse();
    Ok(keys)
}
